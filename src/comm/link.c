/* Rounds of a ring with short messages, which give the latency, and with long ones, which give the bandwidth.
 */
#include "comm/link.h"

#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/narrow.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/mpi_world.h"

#define TAG 1

#define SHORT_BYTES       8
#define SHORT_ROUNDS      1000
#define LONG_BYTES        ((int64_t)512 << 10) /* what two ranks send each other of a bucket of 1 MiB */
#define LONG_ROUNDS       20
#define CPU_COST_ROUNDS   5
#define PAUSE_NANOSECONDS 200000L /* long beside a look at the messages, short beside a long message */
#define BATCHES           3       /* the quickest of them counts: what disturbs a batch only ever slows it */

/* Seconds of one message each way with `bytes` bytes, as the slowest rank sees it. */
static dt_status time_round(const dt_world *world, char *buffer, int64_t bytes, int rounds, double *seconds) {
    const int next = (world->rank + 1) % world->size, before = (world->rank + world->size - 1) % world->size;
    MPI_Comm comm = world->mpi->comm;
    DT_TRY(dt_world_barrier(world));
    double own = dt_clock_seconds();
    for (int i = 0; i < rounds; i++)
        DT_TRY(dt_mpi_world_check(MPI_Sendrecv(buffer, dt_narrow(bytes), MPI_BYTE, next, TAG,
                                               buffer + LONG_BYTES, dt_narrow(bytes), MPI_BYTE, before, TAG,
                                               comm, MPI_STATUS_IGNORE),
                                  "MPI_Sendrecv"));
    own = (dt_clock_seconds() - own) / rounds;
    return dt_mpi_world_check(MPI_Allreduce(&own, seconds, 1, MPI_DOUBLE, MPI_MAX, comm), "MPI_Allreduce");
}

static dt_status time_best(const dt_world *world, char *buffer, int64_t bytes, int rounds, double *best) {
    double seconds;
    DT_TRY(time_round(world, buffer, bytes, 2, &seconds)); /* makes the connection, touches the memory */
    DT_TRY(time_round(world, buffer, bytes, rounds, best));
    for (int i = 1; i < BATCHES; i++) {
        DT_TRY(time_round(world, buffer, bytes, rounds, &seconds));
        *best = seconds < *best ? seconds : *best;
    }
    return DT_OK;
}

/* What a core spends on a long message each way when it sleeps while there is nothing to do for it. */
static dt_status time_cpu_cost(const dt_world *world, char *buffer, double *seconds) {
    const struct timespec pause = {.tv_nsec = PAUSE_NANOSECONDS};
    const int next = (world->rank + 1) % world->size, before = (world->rank + world->size - 1) % world->size;
    MPI_Request both[2];
    int complete = 0;
    DT_TRY(dt_world_barrier(world));
    double own = dt_clock_core_seconds();
    DT_TRY(dt_mpi_world_check(
        MPI_Irecv(buffer + LONG_BYTES, LONG_BYTES, MPI_BYTE, before, TAG, world->mpi->comm, &both[0]),
        "MPI_Irecv"));
    DT_TRY(dt_mpi_world_check(MPI_Isend(buffer, LONG_BYTES, MPI_BYTE, next, TAG, world->mpi->comm, &both[1]),
                              "MPI_Isend"));
    while (!complete) {
        nanosleep(&pause, NULL);
        DT_TRY(dt_mpi_world_check(MPI_Testall(2, both, &complete, MPI_STATUSES_IGNORE), "MPI_Testall"));
    }
    own = dt_clock_core_seconds() - own;
    return dt_mpi_world_check(MPI_Allreduce(&own, seconds, 1, MPI_DOUBLE, MPI_MAX, world->mpi->comm),
                              "MPI_Allreduce");
}

static dt_status measure_cpu_cost(const dt_world *world, char *buffer, dt_link *link) {
    double best = 0.0;
    for (int i = 0; i < CPU_COST_ROUNDS; i++) {
        double seconds;
        DT_TRY(time_cpu_cost(world, buffer, &seconds));
        best = i == 0 || seconds < best ? seconds : best;
    }
    link->cpu_seconds_per_byte = best / (double)LONG_BYTES;
    return DT_OK;
}

static dt_status measure(const dt_world *world, char *buffer, dt_link *link) {
    double long_seconds;
    memset(buffer, 1, 2 * LONG_BYTES);
    DT_TRY(time_best(world, buffer, SHORT_BYTES, SHORT_ROUNDS, &link->latency_seconds));
    DT_TRY(time_best(world, buffer, LONG_BYTES, LONG_ROUNDS, &long_seconds));
    /* The latency is a thousandth of a long message; a clock that could not tell them apart must not divide
     * by 0. */
    const double travel = long_seconds - link->latency_seconds;
    link->bandwidth_bytes = (double)LONG_BYTES / (travel > 0.0 ? travel : long_seconds);
    return measure_cpu_cost(world, buffer, link);
}

dt_status dt_link_measure(const dt_world *world, dt_link *link) {
    DT_COLLECTIVE_CALL(world);
    DT_ASSERT(world->size > 1);
    *link = (dt_link){0};
    char *buffer = dt_memory_alloc(2 * LONG_BYTES, 1, "the messages that measure the links");
    dt_status status = dt_agree(world, buffer ? DT_OK : DT_FAILED);
    if (status == DT_OK)
        status = measure(world, buffer, link);
    dt_memory_free(buffer);
    return status;
}
