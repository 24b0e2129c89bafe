/* Appending, and keeping account of what the operations will need. */
#include "comm/program.h"

#include <stdbool.h>

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

void dt_program_clear(dt_program *program) {
    *program = (dt_program){.ops = program->ops,
                            .capacity = program->capacity,
                            .host_first = program->host_first,
                            .host_end = program->host_end};
}

dt_operand dt_program_at(dt_operand operand, int64_t floats) {
    return (dt_operand){operand.array, operand.first + floats};
}

static void append(dt_program *program, dt_op op) {
    if (program->count < program->capacity)
        program->ops[program->count] = op;
    program->count++;
    if (op.out.array == DT_ARRAY_ROOM)
        program->room_floats = larger(program->room_floats, op.out.first + op.count);
}

static void account_message(dt_program *program, const dt_op *op) {
    const bool crosses = op->peer < program->host_first || program->host_end <= op->peer;
    dt_program_work *work = &program->work;
    if (op->kind == DT_OP_SEND) {
        work->messages++;
        work->sent_floats += op->count;
        work->crossing_sent_floats += crosses ? op->count : 0;
    } else {
        work->received_floats += op->count;
        work->crossing_received_floats += crosses ? op->count : 0;
    }
}

static void append_message(dt_program *program, dt_op op) {
    if (op.count == 0)
        return;
    append(program, op);
    account_message(program, &op);
    program->posted_most = larger(program->posted_most, ++program->posted);
    program->travelling += op.count;
    program->travelling_most = larger(program->travelling_most, program->travelling);
}

void dt_program_receive(dt_program *program, int peer, dt_operand out, int64_t count) {
    append_message(program, (dt_op){.kind = DT_OP_RECEIVE, .peer = peer, .out = out, .count = count});
}

void dt_program_send(dt_program *program, int peer, dt_operand from, int64_t count) {
    append_message(program, (dt_op){.kind = DT_OP_SEND, .peer = peer, .left = from, .count = count});
}

void dt_program_add(dt_program *program, dt_operand out, dt_operand left, dt_operand right, int64_t count) {
    if (count > 0)
        append(program, (dt_op){.kind = DT_OP_ADD, .out = out, .left = left, .right = right, .count = count});
    program->work.added_floats += count;
}

void dt_program_copy(dt_program *program, dt_operand out, dt_operand from, int64_t count) {
    if (count > 0)
        append(program, (dt_op){.kind = DT_OP_COPY, .out = out, .left = from, .count = count});
    program->work.copied_floats += count;
}

void dt_program_library(dt_program *program, dt_operand out, dt_operand from, int64_t count) {
    if (count > 0)
        append(program, (dt_op){.kind = DT_OP_LIBRARY, .out = out, .left = from, .count = count});
}

void dt_program_wait(dt_program *program) {
    if (program->posted > 0)
        append(program, (dt_op){.kind = DT_OP_WAIT});
    program->posted = program->travelling = 0;
}

void dt_program_meet(dt_program *program) {
    append(program, (dt_op){.kind = DT_OP_MEET});
}
