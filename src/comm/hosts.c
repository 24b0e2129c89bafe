/* MPI's shared windows, and meetings by counters in them, which cost no message. */
#include "comm/hosts.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/memory.h"
#include "comm/agree.h"

/* Of a window with a part a rank: parts are rounded up to pages, and a rank has a page or two of Open MPI's
 * own. Open MPI wants a twentieth more to be free than it takes. */
#define PAGES_BYTES  16384
#define FREE_FOR_ONE 1.05

/* Splits the ranks by the memory they share, and that again where smaller hosts are asked for. */
static dt_status split(dt_hosts *hosts, const dt_world *world, int host_ranks) {
    MPI_Comm whole;
    int place;
    DT_TRY(dt_mpi_world_check(
        MPI_Comm_split_type(world->mpi->comm, MPI_COMM_TYPE_SHARED, world->rank, MPI_INFO_NULL, &whole),
        "MPI_Comm_split_type"));
    hosts->comm = whole;
    if (host_ranks <= 0)
        return DT_OK;
    DT_TRY(dt_mpi_world_check(MPI_Comm_rank(whole, &place), "MPI_Comm_rank"));
    hosts->comm = MPI_COMM_NULL;
    const int code = MPI_Comm_split(whole, place / host_ranks, world->rank, &hosts->comm);
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

void dt_hosts_drop(dt_hosts *hosts) {
    if (hosts->starts != NULL && hosts->comm != MPI_COMM_NULL)
        (void)MPI_Comm_free(&hosts->comm);
    dt_memory_free(hosts->starts);
    *hosts = (dt_hosts){.comm = MPI_COMM_NULL};
}

/* ---- memory ---- */

/* A part begins with its rank's counters. A mapping begins with a page, so this is the same spot for all. */
static void *aligned_part(void *base) {
    const uintptr_t beyond = (uintptr_t)base % DT_MEMORY_ALIGN;
    return (char *)base + (beyond == 0 ? 0 : DT_MEMORY_ALIGN - beyond);
}

static dt_status find_parts(dt_hosts_memory *memory, const dt_hosts *hosts, int places) {
    for (int r = 0; r < hosts->ranks; r++) {
        MPI_Aint bytes;
        int unit;
        void *base;
        DT_TRY(dt_mpi_world_check(MPI_Win_shared_query(memory->window, r, &bytes, &unit, &base),
                                  "MPI_Win_shared_query"));
        memory->arrived[r] = aligned_part(base);
        memory->part[r] = (float *)(void *)(memory->arrived[r] + places);
    }
    return DT_OK;
}

/* Every rank's part on pages of its own, which its own processor touches first. */
static dt_status open_window(dt_hosts_memory *memory, const dt_hosts *hosts, size_t bytes) {
    MPI_Info info;
    void *base = NULL;
    DT_TRY(dt_mpi_world_check(MPI_Info_create(&info), "MPI_Info_create"));
    int code = MPI_Info_set(info, "alloc_shared_noncontig", "true");
    if (code == MPI_SUCCESS)
        code = MPI_Win_allocate_shared((MPI_Aint)bytes, 1, info, hosts->comm, &base, &memory->window);
    (void)MPI_Info_free(&info);
    DT_TRY(dt_mpi_world_check(code, "MPI_Win_allocate_shared"));
    if (base == NULL)
        return dt_fail(
            "MPI_Win_allocate_shared gave no memory: expected %zu bytes of shared memory on this host",
            bytes);
    memset(base, 0, bytes);
    DT_TRY(dt_mpi_world_check(MPI_Win_lock_all(MPI_MODE_NOCHECK, memory->window), "MPI_Win_lock_all"));
    return dt_mpi_world_check(MPI_Barrier(hosts->comm), "MPI_Barrier");
}

/* Where Open MPI puts a window that ranks share: its parameter of that name comes by the environment, also
 * where mpirun was given it. */
static const char *shared_folder(void) {
    const char *named = getenv("OMPI_MCA_osc_sm_backing_directory");
    return named && named[0] ? named : "/dev/shm";
}

/*
 * Asked before Open MPI is: where its window does not fit, one rank gets an error and the others wait for it
 * for ever. `bytes` is this rank's part.
 */
static dt_status expect_room(const dt_hosts *hosts, size_t bytes) {
    int64_t all_bytes = (int64_t)bytes + PAGES_BYTES;
    struct statvfs folder;
    DT_TRY(dt_mpi_world_check(MPI_Allreduce(MPI_IN_PLACE, &all_bytes, 1, MPI_INT64_T, MPI_SUM, hosts->comm),
                              "MPI_Allreduce"));
    if (hosts->ranks == 1 || statvfs(shared_folder(), &folder) != 0)
        return DT_OK; /* nothing is shared, or Open MPI uses another place */
    const double needed = FREE_FOR_ONE * (double)all_bytes,
                 found = (double)folder.f_bavail * (double)folder.f_frsize;
    if (needed > found)
        return dt_usage(
            "exchange: hierarchical needs memory that the ranks of a host share: expected %.1f MB free in %s for "
            "%d ranks, found %.1f MB; enlarge it, lower bucket_bytes, or use exchange: flat",
            needed / 1e6, shared_folder(), hosts->ranks, found / 1e6);
    return DT_OK;
}

/* One outcome for all ranks of the host. */
static dt_status agree_inside(const dt_hosts *hosts, dt_status mine) {
    int worst = (int)mine;
    DT_TRY(dt_mpi_world_check(MPI_Allreduce(MPI_IN_PLACE, &worst, 1, MPI_INT, MPI_MAX, hosts->comm),
                              "MPI_Allreduce"));
    if (mine == DT_OK && worst != DT_OK)
        (void)dt_fail("another rank of this host could not prepare memory to share");
    return (dt_status)worst;
}

dt_status dt_hosts_share(dt_hosts_memory *memory, const dt_hosts *hosts, int64_t floats, int places) {
    const size_t bytes =
        (size_t)floats * sizeof(float) + (size_t)places * sizeof(dt_hosts_counter) + DT_MEMORY_ALIGN;
    *memory = (dt_hosts_memory){.window = MPI_WIN_NULL};
    dt_status status = expect_room(hosts, bytes);
    memory->part = dt_memory_alloc(hosts->ranks, sizeof *memory->part, "the host's shared memory");
    memory->arrived = dt_memory_alloc(hosts->ranks, sizeof *memory->arrived, "the host's shared memory");
    if (status == DT_OK && (memory->part == NULL || memory->arrived == NULL))
        status = DT_FAILED;
    status = agree_inside(hosts, status);
    if (status == DT_OK)
        status = open_window(memory, hosts, bytes);
    if (status == DT_OK)
        status = find_parts(memory, hosts, places);
    if (status != DT_OK)
        dt_hosts_unshare(memory);
    return status;
}

void dt_hosts_unshare(dt_hosts_memory *memory) {
    if (memory->part != NULL && memory->window != MPI_WIN_NULL) {
        (void)MPI_Win_unlock_all(memory->window);
        (void)MPI_Win_free(&memory->window);
    }
    dt_memory_free(memory->part);
    dt_memory_free(memory->arrived);
    *memory = (dt_hosts_memory){.window = MPI_WIN_NULL};
}

/* ---- meetings ---- */

void dt_hosts_arrive(const dt_hosts_memory *memory, const dt_hosts *hosts, int place, int64_t time) {
    atomic_store_explicit(&memory->arrived[hosts->local][place].count, time, memory_order_release);
}

bool dt_hosts_all_here(const dt_hosts_memory *memory, const dt_hosts *hosts, int place, int64_t time) {
    for (int r = 0; r < hosts->ranks; r++)
        if (atomic_load_explicit(&memory->arrived[r][place].count, memory_order_acquire) < time)
            return false;
    return true;
}
