/* MPI from joining to leaving, and the plain collectives. Sums are reduce.c's, outcomes agree.c's. */
#include "comm/world.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/assert.h"
#include "base/drain.h"
#include "base/host.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/narrow.h"
#include "base/progress.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/mpi_world.h"
#include "comm/placement.h"

/* MPI counts are ints: longer blocks travel in pieces of this many bytes. */
#define PIECE_BYTES ((int64_t)1 << 30)

/* How long a rank without work sleeps between two looks: too short for a person to notice, and at most a
 * hundred wake-ups a second for the ranks that work beside it. */
#define LOOK_NANOSECONDS 10000000L

/* A process joins MPI once, so one place for its side of the world is enough. Subsets of it have places of
 * their own. */
static struct dt_world_mpi joined;

static dt_status start_mpi(void) {
    dt_placement_prepare();
    int granted = MPI_THREAD_SINGLE;
    /* The main thread calls MPI, and the watchdog from a thread of its own where MPI lets it. */
    DT_TRY(dt_mpi_world_check(MPI_Init_thread(NULL, NULL, MPI_THREAD_MULTIPLE, &granted), "MPI_Init_thread"));
    if (granted < MPI_THREAD_FUNNELED)
        return dt_fail("this MPI allows no threads beside it: expected MPI_THREAD_FUNNELED, found level %d; "
                       "use an MPI built with thread support",
                       granted);
    /* Before the communicator is duplicated: all that come of it inherit the handler, and their making is
     * covered too. Of calls that name no communicator MPI 4 asks that of MPI_COMM_SELF. */
    DT_TRY(dt_mpi_world_check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN),
                              "MPI_Comm_set_errhandler"));
    DT_TRY(dt_mpi_world_check(MPI_Comm_set_errhandler(MPI_COMM_SELF, MPI_ERRORS_RETURN),
                              "MPI_Comm_set_errhandler"));
    return dt_mpi_world_check(MPI_Comm_dup(MPI_COMM_WORLD, &joined.comm), "MPI_Comm_dup");
}

/* Ranks that can share memory are on one host. */
static dt_status split_hosts(const dt_world *world, MPI_Comm comm, MPI_Comm *neighbours) {
    return dt_mpi_world_check(
        MPI_Comm_split_type(comm, MPI_COMM_TYPE_SHARED, world->rank, MPI_INFO_NULL, neighbours),
        "MPI_Comm_split_type");
}

/* Every rank of the host tells what it may use. */
static dt_status gather_cpus(dt_world *world, MPI_Comm neighbours) {
    const dt_topology *topology = dt_topology_here();
    const dt_cpus_own mine = dt_cpus_look(topology);
    dt_cpus_own *own = dt_memory_alloc(world->host_ranks, sizeof *own, "what the ranks of a host may use");
    if (own == NULL)
        return DT_FAILED;
    const dt_status status = dt_mpi_world_check(
        MPI_Allgather(&mine, (int)sizeof mine, MPI_BYTE, own, (int)sizeof mine, MPI_BYTE, neighbours),
        "MPI_Allgather");
    if (status == DT_OK)
        world->cpus = dt_cpus_join(own, world->host_ranks, dt_placement_given_cpus(), topology);
    dt_memory_free(own);
    return status;
}

static dt_status look_around(dt_world *world, MPI_Comm neighbours, int *rank_on_host) {
    DT_TRY(dt_mpi_world_check(MPI_Comm_size(neighbours, &world->host_ranks), "MPI_Comm_size"));
    DT_TRY(dt_mpi_world_check(MPI_Comm_rank(neighbours, rank_on_host), "MPI_Comm_rank"));
    return gather_cpus(world, neighbours);
}

/* Hosts are counted by their first ranks. */
static dt_status count_hosts(dt_world *world, MPI_Comm comm) {
    MPI_Comm neighbours;
    int rank_on_host;
    DT_TRY(split_hosts(world, comm, &neighbours));
    const dt_status status = look_around(world, neighbours, &rank_on_host);
    (void)MPI_Comm_free(&neighbours);
    DT_TRY(status);
    int first = rank_on_host == 0;
    return dt_mpi_world_check(MPI_Allreduce(&first, &world->hosts, 1, MPI_INT, MPI_SUM, comm),
                              "MPI_Allreduce");
}

/* What a world knows about itself, and its scratch, once `mpi` has its communicator. */
static dt_status describe(dt_world *world, struct dt_world_mpi *mpi) {
    DT_TRY(dt_mpi_world_check(MPI_Comm_rank(mpi->comm, &world->rank), "MPI_Comm_rank"));
    DT_TRY(dt_mpi_world_check(MPI_Comm_size(mpi->comm, &world->size), "MPI_Comm_size"));
    dt_host_name(world->host);
    DT_TRY(count_hosts(world, mpi->comm));
    mpi->counts = dt_memory_alloc(world->size, sizeof *mpi->counts, "the ranks' counts");
    mpi->starts = dt_memory_alloc(world->size, sizeof *mpi->starts, "the ranks' places");
    return mpi->counts && mpi->starts ? DT_OK : DT_FAILED;
}

dt_status dt_world_open(dt_world *world) {
    *world = (dt_world){0};
    DT_TRY(dt_placement_check_launch(0));
    DT_TRY(start_mpi());
    DT_TRY(describe(world, &joined));
    dt_assert_set_rank(world->rank);
    DT_TRY(dt_placement_check_launch(world->size));
    dt_placement_settle(world);
    /* Last, so that closing a world that did not open does not wait for ranks that may be lost. */
    world->mpi = &joined;
    return DT_OK;
}

void dt_world_close(dt_world *world) {
    if (world->mpi == NULL)
        return;
    /* The work is done and nobody is left to tell: a failure here changes nothing. */
    (void)MPI_Comm_free(&world->mpi->comm);
    (void)MPI_Finalize();
    dt_memory_free(joined.counts);
    dt_memory_free(joined.starts);
    world->mpi = NULL;
}

/* How long a reader may take for the sentence that says why the job ends. */
#define DRAIN_SECONDS 2.0

_Noreturn void dt_world_abort(const dt_world *world, int code) {
    /* Open MPI 5 ends the job with what this rank has printed and mpirun has not read yet. */
    dt_drain_output(DRAIN_SECONDS);
    if (world->mpi != NULL)
        (void)MPI_Abort(world->mpi->comm, code);
    _Exit(code); /* MPI_Abort should not return, but is not declared so */
}

/* In the place of the library's, as MPI lets a program have it: one that a plug-in's library calls with code
 * 0 would end mpirun with that too, and pass the run off as done. */
int MPI_Abort(MPI_Comm comm, int code) {
    return PMPI_Abort(comm, code ? code : DT_FAILED);
}

static dt_status broadcast_from(const dt_world *world, int root, void *bytes, int64_t length) {
    char *next = bytes;
    while (length > 0) {
        int64_t piece = dt_min(length, PIECE_BYTES);
        DT_TRY(dt_mpi_world_check(MPI_Bcast(next, dt_narrow(piece), MPI_BYTE, root, world->mpi->comm),
                                  "MPI_Bcast"));
        next += piece;
        length -= piece;
    }
    return DT_OK;
}

dt_status dt_world_broadcast(const dt_world *world, void *bytes, int64_t length) {
    DT_COLLECTIVE(world, DT_SAME_INT(length));
    DT_ASSERT(length >= 0);
    dt_progress_arrive();
    return broadcast_from(world, 0, bytes, length);
}

dt_status dt_world_broadcast_block(const dt_world *world, char **bytes, size_t *length) {
    DT_COLLECTIVE_CALL(world);
    int64_t sent_bytes = -1; /* stands for NULL */
    if (world->rank == 0 && *bytes != NULL)
        sent_bytes = (int64_t)*length;
    DT_TRY(dt_world_broadcast(world, &sent_bytes, (int64_t)sizeof sent_bytes));
    if (world->rank != 0) {
        *bytes = NULL;
        *length = 0;
    }
    if (sent_bytes < 0)
        return DT_OK;

    dt_status status = DT_OK;
    if (world->rank != 0) {
        *bytes = malloc((size_t)sent_bytes + 1);
        if (*bytes == NULL)
            status =
                dt_fail("out of memory: cannot hold the %" PRId64 " bytes that rank 0 sends", sent_bytes);
    }
    /* A rank without room must not leave the others waiting in the broadcast. */
    status = dt_agree(world, status);
    if (status == DT_OK)
        status = dt_world_broadcast(world, *bytes, sent_bytes);
    if (world->rank == 0)
        return status;
    if (status != DT_OK) {
        free(*bytes);
        *bytes = NULL;
        return status;
    }
    (*bytes)[sent_bytes] = 0;
    *length = (size_t)sent_bytes;
    return DT_OK;
}

/* All runs in one call, when every one of them starts and ends within the reach of an int. */
static dt_status gather_short(const dt_world *world, void *all, int64_t element_bytes,
                              const int64_t *counts) {
    struct dt_world_mpi *mpi = world->mpi;
    int start = 0;
    for (int r = 0; r < world->size; r++) {
        mpi->counts[r] = dt_narrow(counts[r] * element_bytes);
        mpi->starts[r] = start;
        start += mpi->counts[r];
    }
    return dt_mpi_world_check(MPI_Allgatherv(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, mpi->counts,
                                             mpi->starts, MPI_BYTE, mpi->comm),
                              "MPI_Allgatherv");
}

dt_status dt_world_gather_all(const dt_world *world, void *all, int64_t element_bytes,
                              const int64_t *counts) {
    DT_COLLECTIVE(world, DT_SAME_INT(element_bytes),
                  DT_SAME_BYTES(counts, world->size * (int64_t)sizeof *counts));
    DT_ASSERT(element_bytes > 0);
    char *run = all;
    int64_t total = 0;
    dt_progress_arrive();
    for (int r = 0; r < world->size; r++)
        total += counts[r];
    if (total <= PIECE_BYTES / element_bytes)
        return gather_short(world, all, element_bytes, counts);
    /* Longer ones rank by rank, in pieces: they belong to start-up, where a few messages more do not count.
     */
    for (int owner = 0; owner < world->size; owner++) {
        int64_t run_bytes = counts[owner] * element_bytes;
        DT_TRY(broadcast_from(world, owner, run, run_bytes));
        run += run_bytes;
    }
    return DT_OK;
}

dt_status dt_world_gather_same(const dt_world *world, void *all, int64_t row_bytes) {
    DT_COLLECTIVE(world, DT_SAME_INT(row_bytes));
    DT_ASSERT(row_bytes >= 0);
    char *row = all;
    dt_progress_arrive();
    if (row_bytes <= PIECE_BYTES / world->size)
        return dt_mpi_world_check(MPI_Allgather(MPI_IN_PLACE, 0, MPI_DATATYPE_NULL, all, dt_narrow(row_bytes),
                                                MPI_BYTE, world->mpi->comm),
                                  "MPI_Allgather");
    for (int owner = 0; owner < world->size; owner++, row += row_bytes)
        DT_TRY(broadcast_from(world, owner, row, row_bytes));
    return DT_OK;
}

/* For a message that is no collective call of MPI's: nothing else on the world's communicator has a tag. */
#define RUN_TAG 1

dt_status dt_world_send(const dt_world *world, int to, const void *bytes, int64_t length) {
    DT_ASSERT(to >= 0 && to < world->size && to != world->rank && length >= 0);
    for (const char *at = bytes; length > 0; at += PIECE_BYTES, length -= PIECE_BYTES)
        DT_TRY(dt_mpi_world_check(
            MPI_Send(at, dt_narrow(dt_min(length, PIECE_BYTES)), MPI_BYTE, to, RUN_TAG, world->mpi->comm),
            "MPI_Send"));
    dt_progress_mark();
    return DT_OK;
}

dt_status dt_world_receive(const dt_world *world, int from, void *bytes, int64_t length) {
    DT_ASSERT(from >= 0 && from < world->size && from != world->rank && length >= 0);
    for (char *at = bytes; length > 0; at += PIECE_BYTES, length -= PIECE_BYTES)
        DT_TRY(dt_mpi_world_check(MPI_Recv(at, dt_narrow(dt_min(length, PIECE_BYTES)), MPI_BYTE, from,
                                           RUN_TAG, world->mpi->comm, MPI_STATUS_IGNORE),
                                  "MPI_Recv"));
    dt_progress_mark();
    return DT_OK;
}

dt_status dt_world_host_names(const dt_world *world, char (**names)[DT_HOST_BYTES]) {
    DT_COLLECTIVE_CALL(world);
    *names = dt_memory_alloc(world->size, sizeof **names, "the hosts' names");
    dt_status status = dt_agree(world, *names ? DT_OK : DT_FAILED);
    if (status == DT_OK) {
        memcpy((*names)[world->rank], world->host, DT_HOST_BYTES);
        status = dt_world_gather_same(world, *names, DT_HOST_BYTES);
    }
    if (status != DT_OK) {
        dt_memory_free(*names);
        *names = NULL;
    }
    return status;
}

dt_status dt_world_host_sum(const dt_world *world, int64_t *value) {
    DT_COLLECTIVE_CALL(world);
    MPI_Comm neighbours;
    DT_TRY(split_hosts(world, world->mpi->comm, &neighbours));
    const dt_status status = dt_mpi_world_check(
        MPI_Allreduce(MPI_IN_PLACE, value, 1, MPI_INT64_T, MPI_SUM, neighbours), "MPI_Allreduce");
    (void)MPI_Comm_free(&neighbours);
    return status;
}

dt_status dt_world_barrier(const dt_world *world) {
    DT_COLLECTIVE_CALL(world);
    dt_progress_arrive();
    return dt_mpi_world_check(MPI_Barrier(world->mpi->comm), "MPI_Barrier");
}

static void free_subset(struct dt_world_mpi *mpi) {
    if (mpi->comm != MPI_COMM_NULL)
        (void)MPI_Comm_free(&mpi->comm);
    dt_memory_free(mpi->counts);
    dt_memory_free(mpi->starts);
    dt_memory_free(mpi);
}

dt_status dt_world_split(const dt_world *world, int ranks, dt_world *subset) {
    DT_COLLECTIVE(world, DT_SAME_INT(ranks));
    DT_ASSERT(ranks >= 1 && ranks <= world->size);
    *subset = (dt_world){0};
    const bool member = world->rank < ranks;
    struct dt_world_mpi *mpi = dt_memory_alloc(1, sizeof *mpi, "a subset of the job");
    DT_TRY(dt_agree(world, mpi ? DT_OK : DT_FAILED));
    mpi->comm = MPI_COMM_NULL;
    dt_status status = dt_mpi_world_check(
        MPI_Comm_split(world->mpi->comm, member ? 0 : MPI_UNDEFINED, world->rank, &mpi->comm),
        "MPI_Comm_split");
    if (status == DT_OK && member)
        status = describe(subset, mpi);
    status = dt_agree(world, status);
    if (status == DT_OK && member)
        subset->mpi = mpi;
    else
        free_subset(mpi);
    return status;
}

/* MPI's own ways to wait ask the network without pause; a barrier that is asked now and then does not. */
static dt_status wait_asleep(const dt_world *world) {
    const struct timespec pause = {.tv_nsec = LOOK_NANOSECONDS};
    MPI_Request all_here;
    int complete = 0;
    DT_TRY(dt_mpi_world_check(MPI_Ibarrier(world->mpi->comm, &all_here), "MPI_Ibarrier"));
    DT_TRY(dt_mpi_world_check(MPI_Test(&all_here, &complete, MPI_STATUS_IGNORE), "MPI_Test"));
    while (!complete) {
        nanosleep(&pause, NULL);
        DT_TRY(dt_mpi_world_check(MPI_Test(&all_here, &complete, MPI_STATUS_IGNORE), "MPI_Test"));
    }
    return DT_OK;
}

dt_status dt_world_rejoin(const dt_world *world, dt_world *subset) {
    if (subset->mpi)
        free_subset(subset->mpi);
    *subset = (dt_world){0};
    return wait_asleep(world);
}
