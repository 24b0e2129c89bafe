/* Who sends what to whom. The additions are tree.c's; carrying it out is runner.c's. */
#include "comm/exchange.h"

#include "base/memory.h"

static int rank_of(const dt_exchange *e, int member) {
    return e->ranks ? e->ranks[member] : member;
}

/* ---- slices ---- */

/*
 * Where this member's slice of node `node` of all members' stands: in its own node, or in the room, which has
 * a place for every foreign one.
 */
static dt_operand slice_operand(const dt_exchange *e, dt_deal_slice own, int64_t node) {
    const int64_t first = e->deal->node_starts[e->self], end = e->deal->node_starts[e->self + 1];
    if (first <= node && node < end)
        return dt_program_at(e->nodes[node - first], own.first);
    return (dt_operand){DT_ARRAY_ROOM, (node < first ? node : node - (end - first)) * own.count};
}

/* The k-th other member to serve: each begins with the one after it, so that they do not all rush at one. */
static int peer_of(const dt_exchange *e, int k) {
    return (e->self + k) % e->deal->members;
}

static void collect_slices(dt_program *program, const dt_exchange *e, dt_deal_slice own) {
    const dt_deal *deal = e->deal;
    for (int peer = 0; peer < deal->members; peer++)
        for (int64_t node = deal->node_starts[peer]; peer != e->self && node < deal->node_starts[peer + 1];
             node++)
            dt_program_receive(program, rank_of(e, peer), slice_operand(e, own, node), own.count);
    for (int k = 1; k < deal->members; k++) {
        const dt_deal_slice theirs = dt_deal_slice_of(e->count, peer_of(e, k), deal->members);
        for (int64_t i = 0; i < dt_deal_nodes(deal, e->self); i++)
            dt_program_send(program, rank_of(e, peer_of(e, k)), dt_program_at(e->nodes[i], theirs.first),
                            theirs.count);
    }
    dt_program_wait(program);
}

/* After the wait, since what arrives where nodes[0] is the sum overwrites what was sent from there. */
static void share_slices(dt_program *program, const dt_exchange *e, dt_deal_slice own) {
    for (int k = 1; k < e->deal->members; k++) {
        const int peer = peer_of(e, k);
        const dt_deal_slice theirs = dt_deal_slice_of(e->count, peer, e->deal->members);
        dt_program_receive(program, rank_of(e, peer), dt_program_at(e->sum, theirs.first), theirs.count);
        dt_program_send(program, rank_of(e, peer), dt_program_at(e->sum, own.first), own.count);
    }
    dt_program_wait(program);
}

void dt_exchange_write_slices(dt_program *program, const dt_exchange *e) {
    const dt_deal *deal = e->deal;
    const dt_deal_slice own = dt_deal_slice_of(e->count, e->self, deal->members);
    collect_slices(program, e, own);
    for (int64_t i = 0; i < deal->add_count; i++) {
        const dt_operand into = slice_operand(e, own, deal->adds[i].into);
        const bool last = i == deal->add_count - 1;
        dt_program_add(program, last ? dt_program_at(e->sum, own.first) : into, into,
                       slice_operand(e, own, deal->adds[i].from), own.count);
    }
    share_slices(program, e, own);
}

/* ---- halving ---- */

/* The most steps: members are counted by an int. */
#define STEPS_MAX 31

/* What a step's two partners hold together, and the half of it that each keeps. */
typedef struct halves {
    int partner;
    dt_deal_slice kept, given;
} halves;

/* All steps of this member; returns how many. The lower of two partners keeps the lower half. */
static int halve(const dt_exchange *e, halves step[STEPS_MAX]) {
    dt_deal_slice held = {0, e->count};
    int steps = 0;
    for (int distance = 1; distance < e->deal->members; distance *= 2) {
        dt_deal_slice lower = dt_deal_slice_of(held.count, 0, 2), upper = dt_deal_slice_of(held.count, 1, 2);
        lower.first += held.first;
        upper.first += held.first;
        const bool is_upper = (e->self & distance) != 0;
        held = is_upper ? upper : lower;
        step[steps++] = (halves){e->self ^ distance, held, is_upper ? lower : upper};
    }
    return steps;
}

static void write_halving(dt_program *program, const dt_exchange *e) {
    halves step[STEPS_MAX];
    const int steps = halve(e, step);
    const dt_operand room = {DT_ARRAY_ROOM, 0};
    for (int s = 0; s < steps; s++) {
        const dt_operand own = dt_program_at(e->nodes[0], step[s].kept.first);
        const int peer = rank_of(e, step[s].partner);
        const bool own_is_left = e->self < step[s].partner;
        dt_program_receive(program, peer, room, step[s].kept.count);
        dt_program_send(program, peer, dt_program_at(e->nodes[0], step[s].given.first), step[s].given.count);
        dt_program_wait(program);
        dt_program_add(program, s == steps - 1 ? dt_program_at(e->sum, step[s].kept.first) : own,
                       own_is_left ? own : room, own_is_left ? room : own, step[s].kept.count);
    }
    for (int s = steps - 1; s >= 0; s--) {
        const int peer = rank_of(e, step[s].partner);
        dt_program_receive(program, peer, dt_program_at(e->sum, step[s].given.first), step[s].given.count);
        dt_program_send(program, peer, dt_program_at(e->sum, step[s].kept.first), step[s].kept.count);
        dt_program_wait(program);
    }
}

void dt_exchange_write(dt_program *program, const dt_exchange *e) {
    if (dt_deal_is_perfect(e->deal))
        write_halving(program, e);
    else
        dt_exchange_write_slices(program, e);
}
