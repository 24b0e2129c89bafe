/**
 * Carries out schedules (allreduce/schedule.h), several at a time, each in a slot of its own.
 *
 * Private to allreduce/. A message travels as the dtype says: floats straight from and to the arrays,
 * bfloat16 through memory of the slot, packed before it leaves and unpacked when it has come.
 */
#ifndef DT_ALLREDUCE_EXECUTOR_H
#define DT_ALLREDUCE_EXECUTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "allreduce/generator.h"
#include "allreduce/schedule.h"
#include "base/dtype.h"
#include "base/status.h"
#include "comm/host_memory.h"
#include "comm/mpi_world.h"
#include "comm/world.h"

typedef struct dt_slot {
    dt_schedule schedule;
    bool busy;
    int64_t next;          /**< the operation to carry out next */
    float **array;         /**< [arrays]: where each array begins; SUM and OWN are for the caller to set */
    uint16_t *travelling;  /**< bfloat16 on their way, in the order of their messages */
    int64_t packed;        /**< how many of them since the last WAIT */
    int64_t group;         /**< the first operation since the last WAIT */
    MPI_Request *requests; /**< MPI_REQUEST_NULL where done or unused */
    int posted;            /**< since the last WAIT */
    bool arrived;          /**< at the HOST_BARRIER that is next */
    int64_t barriers;      /**< that this rank has come to in this slot, ever */
} dt_slot;

typedef struct dt_executor {
    MPI_Comm
        comm; /**< the executor's own copy of the world's, whose messages meet no others; while slots > 0 */
    dt_dtype dtype;
    const dt_host_memory *memory; /**< may be all zero where no schedule has a HOST_BARRIER */
    int slots;
    dt_slot slot[DT_SLOTS_MAX];
    MPI_Request *requests; /**< of all slots, one after another, so that one call can wait for any */
    int request_count;
    int *finished; /**< [request_count]: where MPI_Waitsome lists what it found */
    int64_t sent_bytes;
} dt_executor;

/**
 * Allocates `slots` slots for schedules that need no more than `needs`, with `arrays` arrays; the workspace
 * is among them. The fields `dtype` and `memory` are set by the caller before. The caller frees it, after a
 * failure too, which may be one rank's alone. Collective.
 */
dt_status dt_executor_create(dt_executor *executor, const dt_world *world, int slots,
                             const dt_schedule_needs *needs, int64_t arrays);

/** Frees what it holds; one that is all zero is fine. No schedule may be under way. Collective, unless all
 * zero. */
void dt_executor_free(dt_executor *executor);

/** Starts the schedule of a slot that is free. Local, unless it has a LIBRARY. */
dt_status dt_executor_start(dt_executor *executor, int slot);

/** Takes all schedules as far as messages and barriers allow; tells whether one is still under way. Local. */
dt_status dt_executor_poll(dt_executor *executor, bool *busy);

/** Lets time pass until something may have happened, after a poll that left a schedule under way. Local. */
dt_status dt_executor_wait(dt_executor *executor);

#endif
