/**
 * Memory that all ranks of a host see, and the barrier of its ranks: counters in that memory, which cost no
 * message.
 *
 * Private to comm/ and allreduce/.
 */
#ifndef DT_COMM_HOST_MEMORY_H
#define DT_COMM_HOST_MEMORY_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/hosts.h"
#include "comm/mpi_world.h"

/** A counter on a cache line of its own, since its neighbours are written by other ranks. */
typedef struct dt_host_counter {
    _Alignas(64) atomic_int_fast64_t count;
} dt_host_counter;

typedef struct dt_host_memory {
    int ranks, local; /**< of the host, and which of them this one is */
    MPI_Win window;
    float **section;           /**< [ranks]: what each rank of the host brought */
    dt_host_counter **arrived; /**< [ranks]: each one's counters, one per barrier */
} dt_host_memory;

/**
 * Makes memory that all ranks of the host see: `floats` floats from this rank, aligned to DT_MEMORY_ALIGN,
 * and `barriers` barriers. On failure all ranks of the host fail and nothing is held. The caller frees it.
 * Collective on the host.
 */
dt_status dt_host_memory_create(dt_host_memory *memory, const dt_hosts *hosts, int64_t floats, int barriers);

/** Gives the memory back; one that is all zero is fine. Collective on the host, unless all zero. */
void dt_host_memory_free(dt_host_memory *memory);

/** Tells the host's ranks that this one has come to `barrier` for the `time`-th time, from 1 on. Local. */
void dt_host_memory_arrive(const dt_host_memory *memory, int barrier, int64_t time);

/** Whether all ranks of the host have come there; what they wrote before is then seen by this one. Local. */
bool dt_host_memory_passed(const dt_host_memory *memory, int barrier, int64_t time);

#endif
