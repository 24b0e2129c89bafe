/**
 * Which ranks share a host, memory that all ranks of a host see, and how they meet in it.
 *
 * Private to comm/.
 */
#ifndef DT_COMM_HOSTS_H
#define DT_COMM_HOSTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/mpi_world.h"
#include "comm/world.h"

typedef struct dt_hosts {
    MPI_Comm comm;    /**< the ranks of this host, in the world's order */
    int ranks, local; /**< how many they are, and which of them this one is */
    int count;        /**< of hosts */
    bool consecutive; /**< whether the ranks of every host follow each other */
    int *starts;      /**< [count + 1], when consecutive: host h has the ranks [starts[h], starts[h + 1]) */
} dt_hosts;

/** A counter on a cache line of its own, since its neighbours are written by other ranks. */
typedef struct dt_hosts_counter {
    _Alignas(64) atomic_int_fast64_t count;
} dt_hosts_counter;

/** Memory of a host. */
typedef struct dt_hosts_memory {
    MPI_Win window;
    float **part;               /**< [ranks]: what each rank of the host brought */
    dt_hosts_counter **arrived; /**< [ranks]: each one's counters, one a place */
} dt_hosts_memory;

/**
 * Finds out who shares a host. With `host_ranks` > 0 every so many neighbouring ranks of a host count as a
 * host of their own: smaller hosts than there are, for tests and studies. dt_hosts_drop gives back what it
 * holds, after a failure too. Collective.
 */
dt_status dt_hosts_find(dt_hosts *hosts, const dt_world *world, int host_ranks);

/** Frees what it holds; one that is all zero is fine. Collective, unless all zero. */
void dt_hosts_drop(dt_hosts *hosts);

/**
 * Makes memory that all ranks of the host see: `floats` floats from this rank, aligned to DT_MEMORY_ALIGN,
 * and counters at 0 for `places` places. On failure all ranks of the host fail and nothing is held.
 * Collective on the host.
 */
dt_status dt_hosts_share(dt_hosts_memory *memory, const dt_hosts *hosts, int64_t floats, int places);

/** Gives the memory back; one that is all zero is fine. Collective on the host, unless all zero. */
void dt_hosts_unshare(dt_hosts_memory *memory);

/** Tells the host's ranks that this one has come to its `time`-th meeting at `place`. Local. */
void dt_hosts_arrive(const dt_hosts_memory *memory, const dt_hosts *hosts, int place, int64_t time);

/** Whether all ranks of the host have come there; what they wrote before is then seen by this one. Local. */
bool dt_hosts_all_here(const dt_hosts_memory *memory, const dt_hosts *hosts, int place, int64_t time);

#endif
