/*
 * Which way the sum takes, where its arrays stand, and when buckets start. What a rank does for a bucket is
 * written by exchange.c and hierarchy.c and carried out by runner.c.
 */
#include "comm/reduce.h"

#include <inttypes.h>
#include <limits.h>
#include <stdbool.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "comm/agree.h"
#include "comm/deal.h"
#include "comm/exchange.h"
#include "comm/hierarchy.h"
#include "comm/runner.h"

/* Two ranks send halves: with these a message has a count that is an int. */
#define BUCKET_FLOATS_MAX (2 * (int64_t)(INT_MAX - DT_MEMORY_ALIGN_FLOATS))

struct dt_reduce {
    int rank, size;
    dt_reduce_options options; /* its way is the one that was taken */
    int64_t buckets, longest;  /* the longest bucket's floats */
    int64_t *bounds;           /* [buckets + 1] */
    dt_deal deal;              /* of the ranks */
    dt_operand own[DT_TREE_COVER_MAX];
    dt_hosts hosts;
    dt_hosts_memory memory;
    dt_hierarchy hierarchy;
    dt_runner runner;
    int64_t started; /* buckets started since creation */
};

/* ---- what a rank does for a bucket ---- */

/* The rank's own nodes in one, in any order, and then the library's sum. */
static void write_library(dt_program *program, const dt_reduce *reduce, int64_t count) {
    const dt_operand room = {DT_ARRAY_ROOM, 0};
    dt_program_copy(program, room, reduce->own[0], count);
    for (int64_t i = 1; i < dt_deal_nodes(&reduce->deal, reduce->rank); i++)
        dt_program_add(program, room, room, reduce->own[i], count);
    dt_program_library(program, (dt_operand){DT_ARRAY_SUM, 0}, room, count);
}

static void write_program(dt_program *program, const dt_reduce *reduce, int64_t count) {
    dt_program_clear(program);
    if (reduce->options.way == DT_REDUCE_HIERARCHICAL)
        dt_hierarchy_write(program, &reduce->hierarchy, count);
    else if (reduce->options.way == DT_REDUCE_LIBRARY)
        write_library(program, reduce, count);
    else
        dt_exchange_write(program, &(dt_exchange){.deal = &reduce->deal,
                                                  .self = reduce->rank,
                                                  .nodes = reduce->own,
                                                  .sum = {DT_ARRAY_SUM, 0},
                                                  .count = count});
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* The most that any bucket's program needs, by writing them all to nowhere. */
static dt_program measure_programs(const dt_reduce *reduce) {
    dt_program need = {0}, program = {0};
    for (int64_t b = 0, before = -1; b < reduce->buckets; b++) {
        const int64_t count = reduce->bounds[b + 1] - reduce->bounds[b];
        if (count == before)
            continue;
        before = count;
        write_program(&program, reduce, count);
        need.count = larger(need.count, program.count);
        need.room_floats = larger(need.room_floats, program.room_floats);
        need.posted_most = larger(need.posted_most, program.posted_most);
        need.travelling_most = larger(need.travelling_most, program.travelling_most);
    }
    return need;
}

/* ---- making ---- */

static dt_status check_bounds(int64_t elements, const int64_t *bounds, int64_t buckets) {
    if (bounds[0] != 0 || bounds[buckets] != elements)
        return dt_fail("buckets must hold the whole vector: expected bounds from 0 to %" PRId64
                       ", found %" PRId64 " to %" PRId64,
                       elements, bounds[0], bounds[buckets]);
    for (int64_t b = 0; b < buckets; b++) {
        const int64_t length = bounds[b + 1] - bounds[b];
        if (length < 0 || length % DT_MEMORY_ALIGN_FLOATS != 0)
            return dt_fail("bound %" PRId64 " of the buckets is %" PRId64
                           ": expected a multiple of %d, at least %" PRId64,
                           b + 1, bounds[b + 1], DT_MEMORY_ALIGN_FLOATS, bounds[b]);
        if (length > BUCKET_FLOATS_MAX)
            return dt_fail("bucket %" PRId64 " has %" PRId64 " floats: expected at most %" PRId64
                           "; use smaller buckets",
                           b, length, BUCKET_FLOATS_MAX);
    }
    return DT_OK;
}

/* What a rank needs to know by itself. */
static dt_status make_plan(dt_reduce *reduce, int64_t leaves, const int64_t *bounds) {
    reduce->bounds = dt_memory_alloc(reduce->buckets + 1, sizeof *bounds, "the buckets of the sum");
    if (reduce->bounds == NULL)
        return DT_FAILED;
    memcpy(reduce->bounds, bounds, (size_t)(reduce->buckets + 1) * sizeof *bounds);
    for (int64_t b = 0; b < reduce->buckets; b++)
        reduce->longest = larger(reduce->longest, bounds[b + 1] - bounds[b]);
    for (int i = 0; i < DT_TREE_COVER_MAX; i++)
        reduce->own[i] = (dt_operand){DT_ARRAY_OWN + i, 0};
    return dt_deal_make(&reduce->deal, leaves, reduce->size, 0, NULL, reduce->size);
}

/* One place's share of the memory that rank `local` of the host brings: its nodes, and the first rank's
 * results behind them. */
static int64_t shared_floats(const dt_reduce *reduce, int local) {
    return (dt_deal_nodes(&reduce->hierarchy.inside, local) + (local == 0)) * reduce->longest;
}

static int count_places(const dt_reduce *reduce) {
    return reduce->buckets < DT_RUNNER_PLACES ? (int)reduce->buckets : DT_RUNNER_PLACES;
}

static dt_status make_hierarchy(dt_reduce *reduce, const dt_world *world, int64_t leaves) {
    const int places = count_places(reduce);
    DT_TRY(dt_agree(world, dt_hierarchy_make(&reduce->hierarchy, leaves, reduce->size, reduce->rank,
                                             reduce->hosts.starts, reduce->hosts.count)));
    const int64_t floats = places * shared_floats(reduce, reduce->hosts.local);
    return dt_agree(world, dt_hosts_share(&reduce->memory, &reduce->hosts, floats, places));
}

/* Decides for a way and prepares it. Where memory cannot be shared, auto does without. */
static dt_status choose_way(dt_reduce *reduce, const dt_world *world, int64_t leaves) {
    dt_reduce_way *way = &reduce->options.way;
    const bool automatic = *way == DT_REDUCE_AUTO;
    if (*way == DT_REDUCE_FLAT || *way == DT_REDUCE_LIBRARY || reduce->size == 1) {
        *way = automatic || *way == DT_REDUCE_HIERARCHICAL ? DT_REDUCE_FLAT : *way;
        return DT_OK;
    }
    DT_TRY(dt_agree(world, dt_hosts_find(&reduce->hosts, world, reduce->options.host_ranks)));
    const dt_hosts *hosts = &reduce->hosts;
    if (automatic && (!hosts->consecutive || hosts->count == 1 || hosts->count == reduce->size)) {
        *way = DT_REDUCE_FLAT;
        return DT_OK;
    }
    if (!hosts->consecutive)
        return dt_agree(
            world,
            dt_usage("exchange: hierarchical needs the ranks of each host to follow each other, and here "
                     "they are dealt out in turns; launch with mpirun --map-by slot or srun "
                     "--distribution=block, or use exchange: flat"));
    *way = DT_REDUCE_HIERARCHICAL;
    const dt_status status = make_hierarchy(reduce, world, leaves);
    if (status == DT_OK || !automatic)
        return status;
    dt_log_warn("exchange: auto takes flat here: %s", dt_error());
    dt_hosts_unshare(&reduce->memory); /* where hosts differ, this one may have been able to */
    dt_hierarchy_drop(&reduce->hierarchy);
    *way = DT_REDUCE_FLAT;
    return DT_OK;
}

/* Where the host's shared arrays stand, place by place. */
static void find_shared(dt_reduce *reduce) {
    const dt_deal *inside = &reduce->hierarchy.inside;
    for (int p = 0; p < reduce->runner.place_count; p++) {
        float **array = reduce->runner.place[p].array;
        for (int r = 0; r < reduce->hosts.ranks; r++) {
            float *part = reduce->memory.part[r] + p * shared_floats(reduce, r);
            for (int64_t i = 0; i < dt_deal_nodes(inside, r); i++)
                array[DT_ARRAY_SHARED + inside->node_starts[r] + i] = part + i * reduce->longest;
            if (r == 0)
                array[DT_ARRAY_RESULT] = part + dt_deal_nodes(inside, r) * reduce->longest;
        }
    }
}

static dt_status make_runner(dt_reduce *reduce, const dt_world *world) {
    const bool shared = reduce->options.way == DT_REDUCE_HIERARCHICAL;
    const dt_program need = measure_programs(reduce);
    reduce->runner.comm = world->mpi->comm;
    reduce->runner.number = reduce->options.number;
    reduce->runner.hosts = &reduce->hosts;
    reduce->runner.memory = &reduce->memory;
    DT_TRY(dt_runner_make(&reduce->runner, count_places(reduce), &need,
                          DT_ARRAY_SHARED + (shared ? dt_deal_all_nodes(&reduce->hierarchy.inside) : 0)));
    if (shared)
        find_shared(reduce);
    return DT_OK;
}

static dt_status create(dt_reduce *reduce, const dt_world *world, int64_t leaves) {
    DT_TRY(choose_way(reduce, world, leaves));
    return reduce->size > 1 ? dt_agree(world, make_runner(reduce, world)) : DT_OK;
}

dt_status dt_reduce_create(dt_reduce **reduce, const dt_world *world, int64_t leaves, int64_t elements,
                           const int64_t *bounds, int64_t buckets, const dt_reduce_options *options) {
    *reduce = NULL;
    DT_TRY(dt_tree_expect_ranks(world->size, leaves));
    DT_TRY(check_bounds(elements, bounds, buckets));
    dt_reduce *made = dt_memory_alloc(1, sizeof *made, "the sum over ranks");
    dt_status status = made ? DT_OK : DT_FAILED;
    if (status == DT_OK) {
        *made =
            (dt_reduce){.rank = world->rank, .size = world->size, .buckets = buckets, .options = *options};
        made->hosts.comm = MPI_COMM_NULL;
        status = make_plan(made, leaves, bounds);
    }
    status = dt_agree(world, status);
    if (status == DT_OK)
        status = create(made, world, leaves);
    if (status != DT_OK) {
        dt_reduce_free(made);
        return status;
    }
    *reduce = made;
    return DT_OK;
}

void dt_reduce_free(dt_reduce *reduce) {
    if (reduce == NULL)
        return;
    dt_runner_drop(&reduce->runner);
    dt_hosts_unshare(&reduce->memory);
    dt_hierarchy_drop(&reduce->hierarchy);
    dt_hosts_drop(&reduce->hosts);
    dt_deal_drop(&reduce->deal);
    dt_memory_free(reduce->bounds);
    dt_memory_free(reduce);
}

dt_reduce_way dt_reduce_taken(const dt_reduce *reduce) {
    return reduce->options.way;
}

const dt_tree_node *dt_reduce_cover(const dt_reduce *reduce, int *count) {
    *count = (int)dt_deal_nodes(&reduce->deal, reduce->rank);
    return reduce->deal.nodes + reduce->deal.node_starts[reduce->rank];
}

/* ---- summing ---- */

/* On one rank the cover is the root, which is rounded like any other node. */
static void sum_alone(const dt_reduce *reduce, int64_t bucket, float *const *nodes, float *sum) {
    const int64_t first = reduce->bounds[bucket], count = reduce->bounds[bucket + 1] - first;
    if (sum != nodes[0])
        memcpy(sum + first, nodes[0] + first, (size_t)count * sizeof *sum);
    dt_number_round(reduce->options.number, sum + first, count);
}

/* Where the next bucket goes: the same place on every rank, since all start the same buckets in order. */
static int next_place(const dt_reduce *reduce) {
    return (int)(reduce->started % reduce->runner.place_count);
}

dt_status dt_reduce_start(dt_reduce *reduce, int64_t bucket, float *const *nodes, float *sum) {
    const int64_t first = reduce->bounds[bucket], count = reduce->bounds[bucket + 1] - first;
    if (reduce->size == 1) {
        sum_alone(reduce, bucket, nodes, sum);
        return DT_OK;
    }
    dt_runner *runner = &reduce->runner;
    const int place = next_place(reduce);
    dt_runner_place *here = &runner->place[place];
    bool busy;
    DT_TRY(dt_runner_poll(runner, &busy));
    while (here->busy) {
        DT_TRY(dt_runner_wait(runner));
        DT_TRY(dt_runner_poll(runner, &busy));
    }
    reduce->started++;
    here->array[DT_ARRAY_SUM] = sum + first;
    for (int64_t i = 0; i < dt_deal_nodes(&reduce->deal, reduce->rank); i++)
        here->array[DT_ARRAY_OWN + i] = nodes[i] + first;
    write_program(&here->program, reduce, count);
    return dt_runner_start(runner, place);
}

dt_status dt_reduce_poll(dt_reduce *reduce, bool *ready) {
    bool busy;
    const dt_status status = dt_runner_poll(&reduce->runner, &busy);
    *ready = reduce->size == 1 || !reduce->runner.place[next_place(reduce)].busy;
    return status;
}

dt_status dt_reduce_finish(dt_reduce *reduce) {
    bool busy;
    DT_TRY(dt_runner_poll(&reduce->runner, &busy));
    while (busy) {
        DT_TRY(dt_runner_wait(&reduce->runner));
        DT_TRY(dt_runner_poll(&reduce->runner, &busy));
    }
    return DT_OK;
}

int64_t dt_reduce_take_sent_bytes(dt_reduce *reduce) {
    const int64_t bytes = reduce->runner.sent_bytes;
    reduce->runner.sent_bytes = 0;
    return bytes;
}
