/* The ranks that share memory, as MPI tells them apart, and where hosts begin among the world's ranks. */
#include "comm/hosts.h"

#include "base/memory.h"
#include "comm/agree.h"
#include "comm/contract.h"

/* Splits the ranks by the memory they share, and that again where smaller hosts are asked for. */
static dt_status split(dt_hosts *hosts, const dt_world *world, int host_ranks) {
    MPI_Comm whole;
    int rank_on_host;
    DT_TRY(dt_mpi_world_check(
        MPI_Comm_split_type(world->mpi->comm, MPI_COMM_TYPE_SHARED, world->rank, MPI_INFO_NULL, &whole),
        "MPI_Comm_split_type"));
    hosts->comm = whole;
    if (host_ranks <= 0)
        return DT_OK;
    DT_TRY(dt_mpi_world_check(MPI_Comm_rank(whole, &rank_on_host), "MPI_Comm_rank"));
    hosts->comm = MPI_COMM_NULL;
    const int code = MPI_Comm_split(whole, rank_on_host / host_ranks, world->rank, &hosts->comm);
    (void)MPI_Comm_free(&whole);
    return dt_mpi_world_check(code, "MPI_Comm_split");
}

/* From the first rank of each rank's host: where hosts begin, and whether one is ever returned to. */
static void list_starts(dt_hosts *hosts, const int *first_rank, int size) {
    hosts->consecutive = true;
    for (int r = 0; r < size; r++) {
        if (first_rank[r] == r)
            hosts->starts[hosts->count++] = r;
        else if (first_rank[r] != first_rank[r - 1])
            hosts->consecutive = false;
    }
    hosts->starts[hosts->count] = size;
}

dt_status dt_hosts_find(dt_hosts *hosts, const dt_world *world, int host_ranks) {
    DT_COLLECTIVE(world, DT_SAME_INT(host_ranks));
    int first = world->rank;
    *hosts = (dt_hosts){.comm = MPI_COMM_NULL};
    DT_TRY(split(hosts, world, host_ranks));
    DT_TRY(dt_mpi_world_check(MPI_Comm_size(hosts->comm, &hosts->ranks), "MPI_Comm_size"));
    DT_TRY(dt_mpi_world_check(MPI_Comm_rank(hosts->comm, &hosts->local), "MPI_Comm_rank"));
    DT_TRY(dt_mpi_world_check(MPI_Bcast(&first, 1, MPI_INT, 0, hosts->comm), "MPI_Bcast"));
    hosts->starts = dt_memory_alloc(world->size + 1, sizeof *hosts->starts, "the hosts' ranks");
    int *first_rank = dt_memory_alloc(world->size, sizeof *first_rank, "the hosts' ranks");
    dt_status status = dt_agree(world, hosts->starts && first_rank ? DT_OK : DT_FAILED);
    if (status == DT_OK)
        status = dt_mpi_world_check(
            MPI_Allgather(&first, 1, MPI_INT, first_rank, 1, MPI_INT, world->mpi->comm), "MPI_Allgather");
    if (status == DT_OK)
        list_starts(hosts, first_rank, world->size);
    dt_memory_free(first_rank);
    return status;
}

void dt_hosts_free(dt_hosts *hosts) {
    if (hosts->ranks > 0 && hosts->comm != MPI_COMM_NULL)
        (void)MPI_Comm_free(&hosts->comm);
    dt_memory_free(hosts->starts);
    *hosts = (dt_hosts){.comm = MPI_COMM_NULL};
}
