/* An interpreter with one line for each kind of operation. Which operations there are is decided elsewhere.
 */
#include "allreduce/executor.h"

#include <sched.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/narrow.h"
#include "base/progress.h"

static dt_status create_slot(dt_executor *executor, int index, const dt_schedule_needs *needs,
                             int64_t arrays) {
    dt_slot *slot = &executor->slot[index];
    const bool packs = executor->dtype != DT_DTYPE_FP32;
    slot->requests = executor->requests + index * needs->messages;
    slot->schedule.capacity = needs->ops;
    slot->schedule.ops = dt_memory_alloc(needs->ops, sizeof(dt_op), "the schedule of the allreduce");
    slot->array = dt_memory_alloc(arrays, sizeof *slot->array, "operands of the allreduce");
    slot->travelling = dt_memory_alloc(packs ? needs->travelling_floats : 0, sizeof *slot->travelling,
                                       "gradients on their way between ranks");
    if (slot->schedule.ops == NULL || slot->array == NULL || slot->travelling == NULL)
        return DT_FAILED;
    slot->array[DT_ARRAY_WORKSPACE] =
        dt_memory_alloc(needs->workspace_floats, sizeof(float), "gradients received from other ranks");
    return slot->array[DT_ARRAY_WORKSPACE] ? DT_OK : DT_FAILED;
}

dt_status dt_executor_create(dt_executor *executor, const dt_world *world, int slots,
                             const dt_schedule_needs *needs, int64_t arrays) {
    DT_ASSERT(slots >= 0 && slots <= DT_SLOTS_MAX && arrays >= DT_ARRAY_SHARED);
    const char *what = "requests of the allreduce";
    DT_TRY(dt_mpi_world_check(MPI_Comm_dup(world->mpi->comm, &executor->comm), "MPI_Comm_dup"));
    executor->slots = slots;
    executor->request_count = dt_narrow(slots * needs->messages);
    executor->requests = dt_memory_alloc(executor->request_count, sizeof *executor->requests, what);
    executor->finished = dt_memory_alloc(executor->request_count, sizeof *executor->finished, what);
    if (executor->requests == NULL || executor->finished == NULL)
        return DT_FAILED;
    for (int i = 0; i < executor->request_count; i++)
        executor->requests[i] = MPI_REQUEST_NULL;
    for (int s = 0; s < slots; s++)
        DT_TRY(create_slot(executor, s, needs, arrays));
    return DT_OK;
}

void dt_executor_free(dt_executor *executor) {
    for (int s = 0; s < executor->slots; s++) {
        dt_slot *slot = &executor->slot[s];
        if (slot->array)
            dt_memory_free(slot->array[DT_ARRAY_WORKSPACE]);
        dt_memory_free(slot->array);
        dt_memory_free(slot->schedule.ops);
        dt_memory_free(slot->travelling);
    }
    if (executor->slots > 0)
        (void)MPI_Comm_free(&executor->comm);
    dt_memory_free(executor->requests);
    dt_memory_free(executor->finished);
    *executor = (dt_executor){0};
}

/* ---- one operation ---- */

static float *address(const dt_slot *slot, dt_operand operand) {
    return slot->array[operand.array] + operand.first;
}

/*
 * Posts a message. One tag per slot is enough: every rank puts its n-th bucket into the same slot, and MPI
 * keeps messages of one tag between two ranks in the order in which both schedules post them.
 */
static dt_status post(dt_executor *executor, dt_slot *slot, const dt_op *op) {
    DT_ASSERT(slot->posted < executor->request_count && op->peer >= 0);
    const bool sends = op->kind == DT_OP_SEND, packs = executor->dtype != DT_DTYPE_FP32;
    const int tag = (int)(slot - executor->slot), count = dt_narrow(op->count);
    const MPI_Datatype type = packs ? MPI_UINT16_T : MPI_FLOAT;
    void *end = address(slot, sends ? op->left : op->out);
    if (slot->posted == 0) {
        slot->group = slot->next;
        slot->packed = 0;
    }
    if (packs) {
        uint16_t *packed = slot->travelling + slot->packed;
        if (sends)
            dt_dtype_pack(packed, end, op->count);
        slot->packed += op->count;
        end = packed;
    }
    MPI_Request *request = &slot->requests[slot->posted++];
    if (!sends)
        return dt_mpi_world_check(MPI_Irecv(end, count, type, op->peer, tag, executor->comm, request),
                                  "MPI_Irecv");
    executor->sent_bytes += op->count * (int64_t)dt_dtype_bytes(executor->dtype);
    return dt_mpi_world_check(MPI_Isend(end, count, type, op->peer, tag, executor->comm, request),
                              "MPI_Isend");
}

/* What has come since the last WAIT, from where it was packed to where it belongs. */
static void unpack(const dt_executor *executor, const dt_slot *slot) {
    const uint16_t *packed = slot->travelling;
    for (int64_t i = slot->group; executor->dtype != DT_DTYPE_FP32 && i < slot->next; i++) {
        const dt_op *op = &slot->schedule.ops[i];
        if (op->kind != DT_OP_RECEIVE && op->kind != DT_OP_SEND)
            continue;
        if (op->kind == DT_OP_RECEIVE)
            dt_dtype_unpack(address(slot, op->out), packed, op->count);
        packed += op->count;
    }
}

static dt_status wait_op(dt_executor *executor, dt_slot *slot, bool *passed) {
    int complete = 0;
    DT_TRY(dt_mpi_world_check(MPI_Testall(slot->posted, slot->requests, &complete, MPI_STATUSES_IGNORE),
                              "MPI_Testall"));
    *passed = complete != 0;
    if (*passed) {
        dt_progress_mark();
        unpack(executor, slot);
        slot->posted = 0;
    }
    return DT_OK;
}

static bool host_barrier(const dt_executor *executor, dt_slot *slot) {
    const int index = (int)(slot - executor->slot);
    if (!slot->arrived) {
        slot->arrived = true;
        dt_host_memory_arrive(executor->memory, index, ++slot->barriers);
    }
    if (!dt_host_memory_passed(executor->memory, index, slot->barriers))
        return false;
    dt_progress_mark();
    slot->arrived = false;
    return true;
}

/* Carries out the next operation; `*passed` tells whether the one after it may follow. */
static dt_status step(dt_executor *executor, dt_slot *slot, bool *passed) {
    const dt_op *op = &slot->schedule.ops[slot->next];
    *passed = true;
    switch (op->kind) {
    case DT_OP_RECEIVE:
    case DT_OP_SEND:
        return post(executor, slot, op);
    case DT_OP_WAIT:
        return wait_op(executor, slot, passed);
    case DT_OP_ADD:
        dt_dtype_add(executor->dtype, address(slot, op->out), address(slot, op->left),
                     address(slot, op->right), op->count);
        return DT_OK;
    case DT_OP_COPY:
        DT_ASSERT_APART(address(slot, op->out), op->count * (int64_t)sizeof(float), address(slot, op->left),
                        op->count * (int64_t)sizeof(float));
        memcpy(address(slot, op->out), address(slot, op->left), (size_t)op->count * sizeof(float));
        return DT_OK;
    case DT_OP_HOST_BARRIER:
        *passed = host_barrier(executor, slot);
        return DT_OK;
    case DT_OP_LIBRARY:
        return dt_mpi_world_check(MPI_Allreduce(address(slot, op->left), address(slot, op->out),
                                                dt_narrow(op->count), MPI_FLOAT, MPI_SUM, executor->comm),
                                  "MPI_Allreduce");
    }
    return DT_OK;
}

/* ---- schedules ---- */

static dt_status advance(dt_executor *executor, dt_slot *slot) {
    bool passed = true;
    while (slot->busy && passed) {
        DT_TRY(step(executor, slot, &passed));
        if (passed)
            slot->next++;
        slot->busy = slot->next < slot->schedule.count;
    }
    return DT_OK;
}

dt_status dt_executor_start(dt_executor *executor, int index) {
    DT_ASSERT(index >= 0 && index < executor->slots && !executor->slot[index].busy);
    DT_ASSERT(executor->slot[index].schedule.count <= executor->slot[index].schedule.capacity);
    dt_slot *slot = &executor->slot[index];
    slot->next = 0;
    slot->posted = 0;
    slot->busy = slot->schedule.count > 0;
    return advance(executor, slot);
}

dt_status dt_executor_poll(dt_executor *executor, bool *busy) {
    *busy = false;
    for (int s = 0; s < executor->slots; s++) {
        DT_TRY(advance(executor, &executor->slot[s]));
        *busy = *busy || executor->slot[s].busy;
    }
    return DT_OK;
}

/*
 * Where only messages are awaited, inside MPI, which knows how to wait (it yields the core when ranks are
 * more than cores). A host barrier is no message: there the core is offered to whoever else wants it.
 */
dt_status dt_executor_wait(dt_executor *executor) {
    int finished_count;
    for (int s = 0; s < executor->slots; s++)
        if (executor->slot[s].arrived) {
            (void)sched_yield();
            return DT_OK;
        }
    return dt_mpi_world_check(MPI_Waitsome(executor->request_count, executor->requests, &finished_count,
                                           executor->finished, MPI_STATUSES_IGNORE),
                              "MPI_Waitsome");
}
