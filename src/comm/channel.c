/* Messages that are started, and asked about between naps. */
#include "comm/channel.h"

#include <stdlib.h>
#include <time.h>

#include "base/assert.h"
#include "base/narrow.h"
#include "base/progress.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/mpi_world.h"

#define TAG           1
#define LARGEST_BYTES ((int64_t)1 << 30)

/* Short beside a message of some MB on a fast network, long beside a look at it. */
#define NAP_NANOSECONDS 100000L

struct dt_channel {
    int rank, size;
    MPI_Comm comm;
};

static dt_status expect_threads(void) {
    int granted = MPI_THREAD_SINGLE;
    DT_TRY(dt_mpi_world_check(MPI_Query_thread(&granted), "MPI_Query_thread"));
    return granted == MPI_THREAD_MULTIPLE
               ? DT_OK
               : dt_usage("shard_optimizer: true needs an MPI with MPI_THREAD_MULTIPLE, since threads beside "
                          "training send what is saved, but this one allows calls from one thread only; use "
                          "one that is built with it, or leave the option out");
}

dt_status dt_channel_create(dt_channel **created, const dt_world *world) {
    DT_COLLECTIVE_CALL(world);
    dt_channel *channel = *created = NULL;
    dt_status status = expect_threads();
    if (status == DT_OK && (channel = calloc(1, sizeof *channel)) == NULL)
        status = dt_fail("out of memory for a channel between ranks");
    status = dt_agree(world, status);
    if (status == DT_OK) {
        *channel = (dt_channel){world->rank, world->size, MPI_COMM_NULL};
        status = dt_agree(world,
                          dt_mpi_world_check(MPI_Comm_dup(world->mpi->comm, &channel->comm), "MPI_Comm_dup"));
    }
    if (status == DT_OK)
        *created = channel;
    else
        free(channel);
    return status;
}

void dt_channel_free(dt_channel *channel) {
    if (channel == NULL)
        return;
    (void)MPI_Comm_free(&channel->comm);
    free(channel);
}

static dt_status finish(MPI_Request *request) {
    const struct timespec nap = {.tv_nsec = NAP_NANOSECONDS};
    int complete = 0;
    DT_TRY(dt_mpi_world_check(MPI_Test(request, &complete, MPI_STATUS_IGNORE), "MPI_Test"));
    while (!complete) {
        nanosleep(&nap, NULL);
        DT_TRY(dt_mpi_world_check(MPI_Test(request, &complete, MPI_STATUS_IGNORE), "MPI_Test"));
    }
    dt_progress_mark();
    return DT_OK;
}

dt_status dt_channel_send(const dt_channel *channel, int to, const void *bytes, int64_t length) {
    DT_ASSERT(to >= 0 && to < channel->size && to != channel->rank && length > 0 && length <= LARGEST_BYTES);
    MPI_Request request;
    DT_TRY(dt_mpi_world_check(MPI_Isend(bytes, dt_narrow(length), MPI_BYTE, to, TAG, channel->comm, &request),
                              "MPI_Isend"));
    return finish(&request);
}

dt_status dt_channel_receive(const dt_channel *channel, int from, void *bytes, int64_t length) {
    DT_ASSERT(from >= 0 && from < channel->size && from != channel->rank);
    DT_ASSERT(length > 0 && length <= LARGEST_BYTES);
    MPI_Request request;
    DT_TRY(dt_mpi_world_check(
        MPI_Irecv(bytes, dt_narrow(length), MPI_BYTE, from, TAG, channel->comm, &request), "MPI_Irecv"));
    return finish(&request);
}

dt_status dt_channel_look(const dt_channel *channel, int from, bool *arrived) {
    int found = 0;
    DT_TRY(dt_mpi_world_check(MPI_Iprobe(from, TAG, channel->comm, &found, MPI_STATUS_IGNORE), "MPI_Iprobe"));
    *arrived = found != 0;
    return DT_OK;
}
