/* MPI's shared windows, and counters in them. */
#include "comm/host_memory.h"

#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/plural.h"
#include "base/units.h"

/* Of a window with a section per rank: sections are rounded up to pages, and a rank has a page or two of Open
 * MPI's own. Open MPI wants a twentieth more to be free than it takes. */
#define PAGES_BYTES  16384
#define FREE_FOR_ONE 1.05

/* A section begins with its rank's counters. A mapping begins with a page, so this is the same spot for all.
 */
static void *aligned_section(void *base) {
    const uintptr_t beyond = (uintptr_t)base % DT_MEMORY_ALIGN;
    return (char *)base + (beyond == 0 ? 0 : DT_MEMORY_ALIGN - beyond);
}

static dt_status find_sections(dt_host_memory *memory, const dt_hosts *hosts, int barriers) {
    for (int r = 0; r < hosts->ranks; r++) {
        MPI_Aint bytes;
        int unit;
        void *base;
        DT_TRY(dt_mpi_world_check(MPI_Win_shared_query(memory->window, r, &bytes, &unit, &base),
                                  "MPI_Win_shared_query"));
        memory->arrived[r] = aligned_section(base);
        memory->section[r] = (float *)(void *)(memory->arrived[r] + barriers);
    }
    return DT_OK;
}

/* Every rank's section on pages of its own, which its own processor touches first. */
static dt_status open_window(dt_host_memory *memory, const dt_hosts *hosts, size_t bytes) {
    MPI_Info info;
    void *base = NULL;
    DT_TRY(dt_mpi_world_check(MPI_Info_create(&info), "MPI_Info_create"));
    int code = MPI_Info_set(info, "alloc_shared_noncontig", "true");
    if (code == MPI_SUCCESS)
        code = MPI_Win_allocate_shared((MPI_Aint)bytes, 1, info, hosts->comm, &base, &memory->window);
    (void)MPI_Info_free(&info);
    DT_TRY(dt_mpi_world_check(code, "MPI_Win_allocate_shared"));
    /* A window does not inherit its communicator's. */
    DT_TRY(dt_mpi_world_check(MPI_Win_set_errhandler(memory->window, MPI_ERRORS_RETURN),
                              "MPI_Win_set_errhandler"));
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
 * for ever. `bytes` is this rank's section.
 */
static dt_status expect_space(const dt_hosts *hosts, size_t bytes) {
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
            "allreduce: hierarchical needs memory that the ranks of a host share: expected %s free in %s for "
            "%d rank%s, found %s; enlarge it, lower bucket_bytes, or use allreduce: flat",
            dt_units_bytes(needed).text, shared_folder(), hosts->ranks, dt_plural_s(hosts->ranks),
            dt_units_bytes(found).text);
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

dt_status dt_host_memory_create(dt_host_memory *memory, const dt_hosts *hosts, int64_t floats, int barriers) {
    const size_t bytes =
        (size_t)floats * sizeof(float) + (size_t)barriers * sizeof(dt_host_counter) + DT_MEMORY_ALIGN;
    *memory = (dt_host_memory){.ranks = hosts->ranks, .local = hosts->local, .window = MPI_WIN_NULL};
    dt_status status = expect_space(hosts, bytes);
    memory->section = dt_memory_alloc(hosts->ranks, sizeof *memory->section, "the host's shared memory");
    memory->arrived = dt_memory_alloc(hosts->ranks, sizeof *memory->arrived, "the host's shared memory");
    if (status == DT_OK && (memory->section == NULL || memory->arrived == NULL))
        status = DT_FAILED;
    status = agree_inside(hosts, status);
    if (status == DT_OK)
        status = open_window(memory, hosts, bytes);
    if (status == DT_OK)
        status = find_sections(memory, hosts, barriers);
    if (status != DT_OK)
        dt_host_memory_free(memory);
    return status;
}

void dt_host_memory_free(dt_host_memory *memory) {
    if (memory->section != NULL && memory->window != MPI_WIN_NULL) {
        (void)MPI_Win_unlock_all(memory->window);
        (void)MPI_Win_free(&memory->window);
    }
    dt_memory_free(memory->section);
    dt_memory_free(memory->arrived);
    *memory = (dt_host_memory){.window = MPI_WIN_NULL};
}

/*
 * ---- the barrier ----
 *
 * Who finds a rank arrived (acquire) sees all that it wrote before it arrived (release), and overwrites
 * nothing that it was still reading then: that is the order a barrier has to make, also on processors that
 * reorder accesses. Between processes it holds because such a counter is one access of the processor, without
 * a lock.
 */
_Static_assert(ATOMIC_LONG_LOCK_FREE == 2 && sizeof(atomic_int_fast64_t) == sizeof(long),
               "counters that processes share need no lock");

void dt_host_memory_arrive(const dt_host_memory *memory, int barrier, int64_t time) {
    DT_ASSERT(memory->section != NULL && barrier >= 0 && time > 0);
    atomic_store_explicit(&memory->arrived[memory->local][barrier].count, time, memory_order_release);
}

bool dt_host_memory_passed(const dt_host_memory *memory, int barrier, int64_t time) {
    DT_ASSERT(memory->section != NULL && barrier >= 0 && time > 0);
    for (int r = 0; r < memory->ranks; r++)
        if (atomic_load_explicit(&memory->arrived[r][barrier].count, memory_order_acquire) < time)
            return false;
    return true;
}
