/* An interpreter with one line for each kind of operation. Which operations there are is decided elsewhere.
 */
#include "comm/runner.h"

#include <sched.h>
#include <string.h>

#include "base/memory.h"
#include "base/narrow.h"
#include "base/progress.h"

static dt_status make_place(dt_runner *runner, int index, const dt_program *need, int64_t arrays) {
    dt_runner_place *here = &runner->place[index];
    const bool packs = runner->number != DT_NUMBER_FP32;
    here->requests = runner->requests + index * need->posted_most;
    here->program.capacity = need->count;
    here->program.ops = dt_memory_alloc(need->count, sizeof(dt_op), "the steps of the sum over ranks");
    here->array = dt_memory_alloc(arrays, sizeof *here->array, "operands of the sum");
    here->travelling = dt_memory_alloc(packs ? need->travelling_most : 0, sizeof *here->travelling,
                                       "gradients on their way between ranks");
    if (here->program.ops == NULL || here->array == NULL || here->travelling == NULL)
        return DT_FAILED;
    here->array[DT_ARRAY_ROOM] =
        dt_memory_alloc(need->room_floats, sizeof(float), "gradients received from other ranks");
    return here->array[DT_ARRAY_ROOM] ? DT_OK : DT_FAILED;
}

dt_status dt_runner_make(dt_runner *runner, int place_count, const dt_program *need, int64_t arrays) {
    runner->place_count = place_count;
    runner->request_count = dt_narrow(place_count * need->posted_most);
    runner->requests =
        dt_memory_alloc(runner->request_count, sizeof *runner->requests, "requests of the sum");
    runner->finished =
        dt_memory_alloc(runner->request_count, sizeof *runner->finished, "requests of the sum");
    if (runner->requests == NULL || runner->finished == NULL)
        return DT_FAILED;
    for (int i = 0; i < runner->request_count; i++)
        runner->requests[i] = MPI_REQUEST_NULL;
    for (int p = 0; p < place_count; p++)
        DT_TRY(make_place(runner, p, need, arrays));
    return DT_OK;
}

void dt_runner_drop(dt_runner *runner) {
    for (int p = 0; p < runner->place_count; p++) {
        dt_runner_place *here = &runner->place[p];
        if (here->array)
            dt_memory_free(here->array[DT_ARRAY_ROOM]);
        dt_memory_free(here->array);
        dt_memory_free(here->program.ops);
        dt_memory_free(here->travelling);
    }
    dt_memory_free(runner->requests);
    dt_memory_free(runner->finished);
    *runner = (dt_runner){0};
}

/* ---- one operation ---- */

static float *address(const dt_runner_place *here, dt_operand operand) {
    return here->array[operand.array] + operand.first;
}

/*
 * Posts a message. One tag a place is enough: every rank puts its n-th bucket into the same place, and MPI
 * keeps messages of one tag between two ranks in the order in which both programs post them.
 */
static dt_status post(dt_runner *runner, dt_runner_place *here, const dt_op *op) {
    const bool sends = op->kind == DT_OP_SEND, packs = runner->number != DT_NUMBER_FP32;
    const int tag = (int)(here - runner->place), count = dt_narrow(op->count);
    const MPI_Datatype type = packs ? MPI_UINT16_T : MPI_FLOAT;
    void *end = address(here, sends ? op->left : op->out);
    if (here->posted == 0) {
        here->group = here->next;
        here->packed = 0;
    }
    if (packs) {
        uint16_t *room = here->travelling + here->packed;
        if (sends)
            dt_number_pack(room, end, op->count);
        here->packed += op->count;
        end = room;
    }
    MPI_Request *request = &here->requests[here->posted++];
    if (!sends)
        return dt_mpi_world_check(MPI_Irecv(end, count, type, op->peer, tag, runner->comm, request),
                                  "MPI_Irecv");
    runner->sent_bytes += op->count * (int64_t)dt_number_bytes(runner->number);
    return dt_mpi_world_check(MPI_Isend(end, count, type, op->peer, tag, runner->comm, request), "MPI_Isend");
}

/* What has come since the last WAIT, from where it was packed to where it belongs. */
static void unpack(const dt_runner *runner, const dt_runner_place *here) {
    const uint16_t *packed = here->travelling;
    for (int64_t i = here->group; runner->number != DT_NUMBER_FP32 && i < here->next; i++) {
        const dt_op *op = &here->program.ops[i];
        if (op->kind != DT_OP_RECEIVE && op->kind != DT_OP_SEND)
            continue;
        if (op->kind == DT_OP_RECEIVE)
            dt_number_unpack(address(here, op->out), packed, op->count);
        packed += op->count;
    }
}

static dt_status wait_op(dt_runner *runner, dt_runner_place *here, bool *passed) {
    int complete = 0;
    DT_TRY(dt_mpi_world_check(MPI_Testall(here->posted, here->requests, &complete, MPI_STATUSES_IGNORE),
                              "MPI_Testall"));
    *passed = complete != 0;
    if (*passed) {
        dt_progress_mark();
        unpack(runner, here);
        here->posted = 0;
    }
    return DT_OK;
}

static bool meet(const dt_runner *runner, dt_runner_place *here) {
    const int place = (int)(here - runner->place);
    if (!here->arrived) {
        here->arrived = true;
        dt_hosts_arrive(runner->memory, runner->hosts, place, ++here->meetings);
    }
    if (!dt_hosts_all_here(runner->memory, runner->hosts, place, here->meetings))
        return false;
    dt_progress_mark();
    here->arrived = false;
    return true;
}

/* Carries out the next operation; `*passed` tells whether the one after it may follow. */
static dt_status step(dt_runner *runner, dt_runner_place *here, bool *passed) {
    const dt_op *op = &here->program.ops[here->next];
    *passed = true;
    switch (op->kind) {
    case DT_OP_RECEIVE:
    case DT_OP_SEND:
        return post(runner, here, op);
    case DT_OP_WAIT:
        return wait_op(runner, here, passed);
    case DT_OP_ADD:
        dt_number_add(runner->number, address(here, op->out), address(here, op->left),
                      address(here, op->right), op->count);
        return DT_OK;
    case DT_OP_COPY:
        memcpy(address(here, op->out), address(here, op->left), (size_t)op->count * sizeof(float));
        return DT_OK;
    case DT_OP_MEET:
        *passed = meet(runner, here);
        return DT_OK;
    case DT_OP_LIBRARY:
        return dt_mpi_world_check(MPI_Allreduce(address(here, op->left), address(here, op->out),
                                                dt_narrow(op->count), MPI_FLOAT, MPI_SUM, runner->comm),
                                  "MPI_Allreduce");
    }
    return DT_OK;
}

/* ---- programs ---- */

static dt_status advance(dt_runner *runner, dt_runner_place *here) {
    bool passed = true;
    while (here->busy && passed) {
        DT_TRY(step(runner, here, &passed));
        if (passed)
            here->next++;
        here->busy = here->next < here->program.count;
    }
    return DT_OK;
}

dt_status dt_runner_start(dt_runner *runner, int place) {
    dt_runner_place *here = &runner->place[place];
    here->next = 0;
    here->posted = 0;
    here->busy = here->program.count > 0;
    return advance(runner, here);
}

dt_status dt_runner_poll(dt_runner *runner, bool *busy) {
    *busy = false;
    for (int p = 0; p < runner->place_count; p++) {
        DT_TRY(advance(runner, &runner->place[p]));
        *busy = *busy || runner->place[p].busy;
    }
    return DT_OK;
}

/*
 * Where only messages are awaited, inside MPI, which knows how to wait (it yields the core when ranks are
 * more than cores). A meeting is no message: there the core is offered to whoever else wants it.
 */
dt_status dt_runner_wait(dt_runner *runner) {
    int finished_count;
    for (int p = 0; p < runner->place_count; p++)
        if (runner->place[p].arrived) {
            (void)sched_yield();
            return DT_OK;
        }
    return dt_mpi_world_check(MPI_Waitsome(runner->request_count, runner->requests, &finished_count,
                                           runner->finished, MPI_STATUSES_IGNORE),
                              "MPI_Waitsome");
}
