/* Finds the lowest rank that failed, or else that was asked to stop, and carries its sentence to rank 0.
 * Printing is left to main.c. */
#include "comm/agree.h"

#include <limits.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/progress.h"
#include "comm/contract.h"
#include "comm/mpi_world.h"

/* What the failing rank tells. All ranks run the same program, so its bytes mean the same everywhere. */
typedef struct report {
    dt_status code;
    char host[DT_HOST_BYTES];
    char sentence[DT_ERROR_BYTES];
} report;

dt_status dt_agree_lowest(const dt_world *world, dt_status mine) {
    DT_COLLECTIVE_CALL(world);
    MPI_Comm comm = world->mpi->comm;
    const int stopped = world->size + world->rank, nobody = 2 * world->size;
    const int candidate = mine == DT_OK ? nobody : mine == DT_STOPPED ? stopped : world->rank;
    int first;
    dt_progress_arrive();
    DT_TRY(dt_mpi_world_check(MPI_Allreduce(&candidate, &first, 1, MPI_INT, MPI_MIN, comm), "MPI_Allreduce"));
    if (first == nobody)
        return DT_OK;
    const int failed = first % world->size;

    report lowest = {.code = mine};
    if (world->rank == failed) {
        snprintf(lowest.host, sizeof lowest.host, "%s", world->host);
        snprintf(lowest.sentence, sizeof lowest.sentence, "%s", dt_error());
    }
    DT_TRY(dt_mpi_world_check(MPI_Bcast(&lowest, (int)sizeof lowest, MPI_BYTE, failed, comm), "MPI_Bcast"));
    if (world->rank != 0)
        (void)dt_fail("%s", "");
    else if (lowest.code == DT_STOPPED) /* the request is to all ranks, whichever saw it first */
        (void)dt_stopped("%s", lowest.sentence);
    else if (failed != 0)
        (void)dt_fail("%s (rank %d on %s)", lowest.sentence, failed, lowest.host);
    return lowest.code;
}

dt_status dt_agree_min(const dt_world *world, int mine, int *min) {
    DT_COLLECTIVE_CALL(world);
    DT_ASSERT(mine >= 0);
    const int here = mine == 0 ? INT_MAX : mine;
    int found = here;
    dt_progress_arrive();
    DT_TRY(dt_mpi_world_check(MPI_Allreduce(&here, &found, 1, MPI_INT, MPI_MIN, world->mpi->comm),
                              "MPI_Allreduce"));
    *min = found == INT_MAX ? 0 : found;
    return DT_OK;
}

/* The largest of all, and by its complement the smallest. */
dt_status dt_agree_same(const dt_world *world, uint64_t mine, bool *same) {
    DT_COLLECTIVE_CALL(world);
    const uint64_t here[] = {mine, ~mine};
    uint64_t largest[] = {mine, ~mine};
    dt_progress_arrive();
    DT_TRY(dt_mpi_world_check(MPI_Allreduce(here, largest, 2, MPI_UINT64_T, MPI_MAX, world->mpi->comm),
                              "MPI_Allreduce"));
    *same = largest[0] == ~largest[1];
    return DT_OK;
}
