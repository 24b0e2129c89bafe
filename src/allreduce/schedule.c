/* Appending, and keeping account of what the operations will need. */
#include "allreduce/schedule.h"

#include <stdbool.h>

#include "base/assert.h"

static void raise_to(int64_t *value, int64_t min) {
    if (*value < min)
        *value = min;
}

void dt_schedule_clear(dt_schedule *schedule) {
    *schedule = (dt_schedule){.ops = schedule->ops,
                              .capacity = schedule->capacity,
                              .host_first = schedule->host_first,
                              .host_end = schedule->host_end};
}

void dt_schedule_raise_needs(dt_schedule_needs *needs, const dt_schedule *schedule) {
    raise_to(&needs->ops, schedule->needs.ops);
    raise_to(&needs->workspace_floats, schedule->needs.workspace_floats);
    raise_to(&needs->messages, schedule->needs.messages);
    raise_to(&needs->travelling_floats, schedule->needs.travelling_floats);
}

dt_operand dt_schedule_at(dt_operand operand, int64_t floats) {
    return (dt_operand){operand.array, operand.first + floats};
}

static void append(dt_schedule *schedule, dt_op op) {
    DT_ASSERT(op.count >= 0);
    if (schedule->count < schedule->capacity)
        schedule->ops[schedule->count] = op;
    schedule->needs.ops = ++schedule->count;
    if (op.out.array == DT_ARRAY_WORKSPACE)
        raise_to(&schedule->needs.workspace_floats, op.out.first + op.count);
}

static void account_message(dt_schedule *schedule, const dt_op *op) {
    const bool crosses = op->peer < schedule->host_first || schedule->host_end <= op->peer;
    dt_schedule_work *work = &schedule->work;
    if (op->kind == DT_OP_SEND) {
        work->messages++;
        work->sent_floats += op->count;
        work->crossing_sent_floats += crosses ? op->count : 0;
    } else {
        work->received_floats += op->count;
        work->crossing_received_floats += crosses ? op->count : 0;
    }
}

static void append_message(dt_schedule *schedule, dt_op op) {
    DT_ASSERT(op.peer >= 0 && op.count >= 0);
    if (op.count == 0)
        return;
    append(schedule, op);
    account_message(schedule, &op);
    schedule->posted++;
    schedule->travelling += op.count;
    raise_to(&schedule->needs.messages, schedule->posted);
    raise_to(&schedule->needs.travelling_floats, schedule->travelling);
}

void dt_schedule_receive(dt_schedule *schedule, int peer, dt_operand out, int64_t count) {
    append_message(schedule, (dt_op){.kind = DT_OP_RECEIVE, .peer = peer, .out = out, .count = count});
}

void dt_schedule_send(dt_schedule *schedule, int peer, dt_operand from, int64_t count) {
    append_message(schedule, (dt_op){.kind = DT_OP_SEND, .peer = peer, .left = from, .count = count});
}

void dt_schedule_add(dt_schedule *schedule, dt_operand out, dt_operand left, dt_operand right,
                     int64_t count) {
    if (count > 0)
        append(schedule,
               (dt_op){.kind = DT_OP_ADD, .out = out, .left = left, .right = right, .count = count});
    schedule->work.added_floats += count;
}

void dt_schedule_copy(dt_schedule *schedule, dt_operand out, dt_operand from, int64_t count) {
    if (count > 0)
        append(schedule, (dt_op){.kind = DT_OP_COPY, .out = out, .left = from, .count = count});
    schedule->work.copied_floats += count;
}

void dt_schedule_library(dt_schedule *schedule, dt_operand out, dt_operand from, int64_t count) {
    if (count > 0)
        append(schedule, (dt_op){.kind = DT_OP_LIBRARY, .out = out, .left = from, .count = count});
}

void dt_schedule_wait(dt_schedule *schedule) {
    if (schedule->posted > 0)
        append(schedule, (dt_op){.kind = DT_OP_WAIT});
    schedule->posted = schedule->travelling = 0;
}

void dt_schedule_host_barrier(dt_schedule *schedule) {
    append(schedule, (dt_op){.kind = DT_OP_HOST_BARRIER});
}
