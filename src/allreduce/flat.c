/* Who sends what to whom. The additions are tree.c's; carrying them out is executor.c's. */
#include "allreduce/flat.h"

#include "base/assert.h"
#include "base/memory.h"

static int rank_of(const dt_flat *f, int member) {
    return f->ranks ? f->ranks[member] : member;
}

/* ---- slices ---- */

/* Of member `member`. */
static dt_slice slice_of(const dt_flat *f, int member) {
    return dt_partition_slice(f->count, dt_form_unit(f->form), member, f->partition->members);
}

/*
 * Where this member's slice of node `node` of all members' stands: in its own node, or in the workspace,
 * which has a place for every foreign one.
 */
static dt_operand slice_operand(const dt_flat *f, dt_slice own, int64_t node) {
    const int64_t first = f->partition->node_starts[f->self], end = f->partition->node_starts[f->self + 1];
    if (first <= node && node < end)
        return dt_schedule_at(f->nodes[node - first], own.first);
    return (dt_operand){DT_ARRAY_WORKSPACE, (node < first ? node : node - (end - first)) * own.count};
}

/* The k-th other member to serve: each begins with the one after it, so that they do not all rush at one. */
static int peer_of(const dt_flat *f, int k) {
    return (f->self + k) % f->partition->members;
}

static void collect_slices(dt_schedule *schedule, const dt_flat *f, dt_slice own) {
    const dt_partition *partition = f->partition;
    for (int peer = 0; peer < partition->members; peer++)
        for (int64_t node = partition->node_starts[peer];
             peer != f->self && node < partition->node_starts[peer + 1]; node++)
            dt_schedule_receive(schedule, rank_of(f, peer), slice_operand(f, own, node), own.count);
    for (int k = 1; k < partition->members; k++) {
        const dt_slice theirs = slice_of(f, peer_of(f, k));
        for (int64_t i = 0; i < dt_partition_nodes(partition, f->self); i++)
            dt_schedule_send(schedule, rank_of(f, peer_of(f, k)), dt_schedule_at(f->nodes[i], theirs.first),
                             theirs.count);
    }
    dt_schedule_wait(schedule);
}

static void add_slices(dt_schedule *schedule, const dt_flat *f, dt_slice own) {
    const dt_partition *partition = f->partition;
    for (int64_t i = 0; i < partition->add_count; i++) {
        const dt_operand into = slice_operand(f, own, partition->adds[i].into);
        const bool last = i == partition->add_count - 1;
        dt_schedule_add(schedule, last ? dt_schedule_at(f->sum, own.first) : into, into,
                        slice_operand(f, own, partition->adds[i].from), own.count);
    }
}

/* After the wait, since what arrives where nodes[0] is the sum overwrites what was sent from there. */
static void gather_slices(dt_schedule *schedule, const dt_flat *f, dt_slice own) {
    for (int k = 1; k < f->partition->members; k++) {
        const int peer = peer_of(f, k);
        const dt_slice theirs = slice_of(f, peer);
        dt_schedule_receive(schedule, rank_of(f, peer), dt_schedule_at(f->sum, theirs.first), theirs.count);
        dt_schedule_send(schedule, rank_of(f, peer), dt_schedule_at(f->sum, own.first), own.count);
    }
    dt_schedule_wait(schedule);
}

void dt_flat_write_slices(dt_schedule *schedule, const dt_flat *f) {
    DT_ASSERT(f->self >= 0 && f->self < f->partition->members && f->count % DT_MEMORY_ALIGN_FLOATS == 0);
    const dt_slice own = slice_of(f, f->self);
    if (f->form != DT_FORM_ALLGATHER) {
        collect_slices(schedule, f, own);
        add_slices(schedule, f, own);
    }
    if (f->form != DT_FORM_REDUCE_SCATTER)
        gather_slices(schedule, f, own);
}

/* ---- halving ---- */

/* Enough steps for any number of members, which is an int. */
#define STEPS_MAX 31

/* What a step's two partners hold together, and the half of it that each keeps. */
typedef struct halves {
    int partner;
    dt_slice kept, given;
} halves;

/* All steps of this member; returns how many. The lower of two partners keeps the lower half. */
static int halve(const dt_flat *f, halves step[STEPS_MAX]) {
    dt_slice held = {0, f->count};
    int steps = 0;
    for (int distance = 1; distance < f->partition->members; distance *= 2) {
        const int64_t unit = dt_form_unit(f->form);
        dt_slice lower = dt_partition_slice(held.count, unit, 0, 2),
                 upper = dt_partition_slice(held.count, unit, 1, 2);
        lower.first += held.first;
        upper.first += held.first;
        const bool is_upper = (f->self & distance) != 0;
        held = is_upper ? upper : lower;
        step[steps++] = (halves){f->self ^ distance, held, is_upper ? lower : upper};
    }
    return steps;
}

static void add_halves(dt_schedule *schedule, const dt_flat *f, const halves *step, int steps) {
    const dt_operand workspace = {DT_ARRAY_WORKSPACE, 0};
    for (int s = 0; s < steps; s++) {
        const dt_operand own = dt_schedule_at(f->nodes[0], step[s].kept.first);
        const int peer = rank_of(f, step[s].partner);
        const bool own_is_left = f->self < step[s].partner;
        dt_schedule_receive(schedule, peer, workspace, step[s].kept.count);
        dt_schedule_send(schedule, peer, dt_schedule_at(f->nodes[0], step[s].given.first),
                         step[s].given.count);
        dt_schedule_wait(schedule);
        dt_schedule_add(schedule, s == steps - 1 ? dt_schedule_at(f->sum, step[s].kept.first) : own,
                        own_is_left ? own : workspace, own_is_left ? workspace : own, step[s].kept.count);
    }
}

static void gather_halves(dt_schedule *schedule, const dt_flat *f, const halves *step, int steps) {
    for (int s = steps - 1; s >= 0; s--) {
        const int peer = rank_of(f, step[s].partner);
        dt_schedule_receive(schedule, peer, dt_schedule_at(f->sum, step[s].given.first), step[s].given.count);
        dt_schedule_send(schedule, peer, dt_schedule_at(f->sum, step[s].kept.first), step[s].kept.count);
        dt_schedule_wait(schedule);
    }
}

static void write_halving(dt_schedule *schedule, const dt_flat *f) {
    halves step[STEPS_MAX];
    const int steps = halve(f, step);
    if (f->form != DT_FORM_ALLGATHER)
        add_halves(schedule, f, step, steps);
    if (f->form != DT_FORM_REDUCE_SCATTER)
        gather_halves(schedule, f, step, steps);
}

void dt_flat_write(dt_schedule *schedule, const dt_flat *f) {
    if (dt_partition_is_perfect(f->partition))
        write_halving(schedule, f);
    else
        dt_flat_write_slices(schedule, f);
}

dt_slice dt_flat_piece(const dt_flat *f) {
    halves step[STEPS_MAX];
    if (f->partition->members == 1 || !dt_partition_is_perfect(f->partition))
        return slice_of(f, f->self);
    const int steps = halve(f, step);
    return step[steps - 1].kept;
}
