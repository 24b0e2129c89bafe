/* The formulas of the header; what they are fed with is counted by comm/traffic and measured by bench/probe.
 */
#include "bench/plan.h"

#include <math.h>
#include <stdlib.h>

#include "base/memory.h"
#include "model/activations.h"
#include "train/overlap.h"
#include "train/run.h"
#include "train/saver.h"
#include "train/step.h"

dt_link dt_plan_assumed_link(void) {
    return (dt_link){.latency_seconds = 1.5e-6, .bandwidth_bytes = 100e9 / 8};
}

dt_link dt_plan_assumed_inside(void) {
    return (dt_link){.latency_seconds = 1e-6, .bandwidth_bytes = 4e9};
}

static int64_t larger(int64_t a, int64_t b) {
    return a > b ? a : b;
}

/* What a bucket costs on the network, and of a core beside it. */
typedef struct bucket_cost {
    double travel, touch, core;
} bucket_cost;

static bucket_cost cost_of(const dt_plan_machine *m, double share, const dt_traffic *moved) {
    const int64_t crossing = larger(moved->host_sent_bytes, moved->host_received_bytes);
    const int64_t own = larger(moved->sent_bytes, moved->received_bytes) - moved->inside_bytes;
    const double latency = crossing > 0 ? m->link.latency_seconds : 0.0;
    const double inside = (double)moved->inside_bytes / m->inside.bandwidth_bytes +
                          (crossing > 0 ? 0.0 : (double)moved->messages * m->inside.latency_seconds);
    const double floats = (double)(moved->added_floats + moved->copied_floats + moved->packed_floats);
    bucket_cost cost = {.travel =
                            (double)moved->messages * latency + (double)crossing / m->link.bandwidth_bytes,
                        .touch = share * (double)own * m->link.touch_seconds,
                        .core = share * (inside + floats * m->probe.add_alone_seconds)};
    /* Where cores are what limits the network, it has no time of its own. */
    cost.touch = cost.touch < cost.travel ? cost.touch : cost.travel;
    return cost;
}

dt_plan_exchange dt_plan_exchange_of(const dt_plan_machine *machine, double share, double backward_seconds,
                                     const int64_t *bounds, int64_t buckets, const dt_traffic *busiest) {
    dt_plan_exchange exchange = {0};
    double done = 0.0, core = 0.0;
    for (int64_t b = buckets - 1; b >= 0; b--) {
        const bucket_cost cost = cost_of(machine, share, &busiest[b]);
        const double ready = backward_seconds * (1.0 - (double)bounds[b] / (double)bounds[buckets]);
        done = (ready > done ? ready : done) + cost.travel - cost.touch;
        core += cost.touch + cost.core;
        exchange.total_seconds += cost.travel + cost.core;
    }
    exchange.exposed_seconds = done - backward_seconds + core;
    exchange.seen_seconds = done - backward_seconds + core / share;
    return exchange;
}

/* The most vectors of gradient, and the most additions of a rank's own tree, that any rank has. */
static dt_status count_gradients(int64_t leaves, int ranks, int threads, int64_t *buffers, int64_t *adds) {
    *buffers = *adds = 0;
    for (int r = 0; r < ranks; r++) {
        int64_t first, end, own;
        dt_tree_node cover[DT_TREE_COVER_MAX];
        DT_TRY(dt_step_gradient_buffers(leaves, r, ranks, threads, &own));
        *buffers = own > *buffers ? own : *buffers;
        dt_tree_share(leaves, r, ranks, &first, &end);
        own = end - first - dt_tree_cover(leaves, first, end, cover);
        *adds = own > *adds ? own : *adds;
    }
    return DT_OK;
}

/* Counts and times the exchange; needs one traffic a bucket. */
static dt_status predict_exchange(const dt_plan_machine *machine, dt_reduce_options options,
                                  const int64_t *bounds, int64_t buckets, double share,
                                  double backward_seconds, dt_plan_point *point, dt_plan_exchange *exchange) {
    int64_t room_bytes;
    const bool one_host = machine->same_host || machine->host_ranks > point->ranks;
    const dt_traffic_job job = {.ranks = point->ranks,
                                .host_ranks = one_host ? point->ranks : machine->host_ranks,
                                .leaves = point->leaves,
                                .way = options.way,
                                .number = options.number};
    dt_traffic *busiest = dt_memory_alloc(buckets, sizeof *busiest, "the traffic of the buckets");
    dt_status status = busiest ? DT_OK : DT_FAILED;
    if (status == DT_OK)
        status = dt_traffic_busiest(&job, bounds, buckets, busiest, &room_bytes);
    if (status == DT_OK) {
        *exchange = dt_plan_exchange_of(machine, share, backward_seconds, bounds, buckets, busiest);
        point->memory_bytes += room_bytes;
        point->way = dt_traffic_way(&job);
        for (int64_t b = 0; b < buckets; b++) {
            point->sent_messages += busiest[b].messages;
            point->sent_bytes += busiest[b].sent_bytes;
        }
    }
    dt_memory_free(busiest);
    return status;
}

static dt_status predict(const dt_plan_machine *machine, const dt_config *c, const dt_layout *layout,
                         double share, dt_plan_point *point) {
    const dt_probe *probe = &machine->probe;
    const int64_t own_leaves = (point->leaves + point->ranks - 1) / point->ranks;
    const int64_t waves = (own_leaves + probe->threads - 1) / probe->threads, u = c->micro_batch_size;
    /* A batch smaller than a leaf makes one small leaf; the probe's are whole. */
    const double whole = point->batch < u ? (double)point->batch / (double)u : 1.0;
    int64_t buffers, adds, *bounds, buckets;
    dt_plan_exchange exchange = {0};
    DT_TRY(count_gradients(point->leaves, point->ranks, probe->threads, &buffers, &adds));
    point->memory_bytes =
        dt_saver_bytes(layout) +
        (int64_t)sizeof(float) *
            ((3 + buffers) * layout->elements + probe->threads * dt_activations_floats(&layout->shape, u));
    DT_TRY(dt_overlap_cut(layout->elements, c->bucket_bytes, &bounds, &buckets));
    dt_status status = DT_OK;
    if (point->ranks > 1)
        /* The library's sums are made one after another when they are asked for: nothing hides them. */
        status = predict_exchange(
            machine, dt_run_exchange(c), bounds, buckets, share,
            c->exchange == DT_EXCHANGE_LIBRARY ? 0.0 : share * whole * probe->backward_seconds, point,
            &exchange);
    free(bounds);
    DT_TRY(status);
    point->compute_seconds =
        share * ((double)waves * whole * (probe->forward_seconds + probe->backward_seconds) +
                 (double)adds * (double)layout->elements * probe->add_seconds);
    point->exchange_seconds = exchange.total_seconds;
    point->exposed_seconds = exchange.exposed_seconds;
    point->seen_seconds = exchange.seen_seconds;
    point->update_seconds = share * probe->update_seconds;
    point->step_seconds = point->compute_seconds + point->exposed_seconds + point->update_seconds +
                          ceil(log2((double)point->ranks)) * machine->link.latency_seconds;
    point->tokens_per_second = (double)(point->batch * c->max_seq_len) / point->step_seconds;
    return DT_OK;
}

dt_status dt_plan_predict(const dt_plan_machine *machine, const dt_config *config, int64_t batch, int ranks,
                          double share, dt_plan_point *point) {
    dt_layout layout;
    *point = (dt_plan_point){
        .ranks = ranks, .batch = batch, .leaves = dt_step_leaves(batch, config->micro_batch_size)};
    DT_TRY(dt_tree_expect_ranks(ranks, point->leaves));
    dt_status status = dt_layout_create(&layout, dt_run_shape(config));
    if (status == DT_OK)
        status = predict(machine, config, &layout, share, point);
    dt_layout_free(&layout);
    return status;
}
