/* The formulas of the header; what they are fed with is counted by allreduce/cost and measured by
 * bench/probe. */
#include "base/assert.h"
#include "infer/model_file.h"
#include "plan/plan.h"

#include <math.h>
#include <stdlib.h>

#include "allreduce/cost.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "step/overlap.h"
#include "train/settings.h"
#include "step/step.h"

dt_link dt_plan_assumed_link(void) {
    return (dt_link){.latency_seconds = 1.5e-6, .bandwidth_bytes = 100e9 / 8};
}

dt_link dt_plan_assumed_inside(void) {
    return (dt_link){.latency_seconds = 1e-6, .bandwidth_bytes = 4e9};
}

/* The most additions of a rank's own tree that any rank has. */
static int64_t count_adds(int64_t micro_batches, int ranks) {
    int64_t adds = 0;
    for (int r = 0; r < ranks; r++) {
        int64_t first, end;
        dt_tree_node cover[DT_TREE_COVER_MAX];
        dt_tree_run(micro_batches, r, ranks, &first, &end);
        adds = dt_max(adds, end - first - dt_tree_cover(micro_batches, first, end, cover));
    }
    return adds;
}

/* Ranks on each host of a job of `ranks`. */
static int host_ranks(const dt_plan_machine *machine, int ranks) {
    return machine->same_host || machine->host_ranks > ranks ? ranks : machine->host_ranks;
}

/* Counts and times the allreduce. */
static dt_status predict_allreduce(const dt_plan_machine *machine, dt_allreduce_options options,
                                   const int64_t *bounds, int64_t buckets, double threads_per_core,
                                   double backward_seconds, dt_plan_point *point, dt_cost_time *time) {
    const dt_cost_job job = {.ranks = point->ranks,
                             .host_ranks = host_ranks(machine, point->ranks),
                             .micro_batches = point->micro_batches,
                             .algorithm = options.algorithm,
                             .dtype = options.dtype};
    const dt_cost_machine costs = {.link = machine->link,
                                   .inside = machine->inside,
                                   .add_seconds = machine->probe.add_alone_seconds,
                                   .threads_per_core = threads_per_core};
    dt_cost_traffic *busiest = dt_memory_alloc(buckets, sizeof *busiest, "the traffic of the buckets");
    dt_status status = busiest ? DT_OK : DT_FAILED;
    if (status == DT_OK)
        status = dt_cost_busiest(&job, bounds, buckets, busiest, NULL);
    if (status == DT_OK) {
        *time = dt_cost_time_of(&costs, backward_seconds, bounds, buckets, busiest);
        point->algorithm = dt_cost_algorithm(&job);
        for (int64_t b = 0; b < buckets; b++) {
            point->sent_messages += busiest[b].messages;
            point->sent_bytes += busiest[b].sent_bytes;
        }
    }
    dt_memory_free(busiest);
    return status;
}

/*
 * What the new weights take to reach all ranks where each has updated its slice: along a ring, in which each
 * host receives once what others have, and each rank once from its neighbour.
 */
static double gather_seconds(const dt_plan_machine *machine, int ranks, double bytes) {
    const int on_host = host_ranks(machine, ranks), hosts = (ranks + on_host - 1) / on_host;
    const double between = bytes * (1.0 - 1.0 / hosts) / machine->link.bandwidth_bytes;
    const double inside = on_host > 1 ? bytes * (1.0 - 1.0 / ranks) / machine->inside.bandwidth_bytes : 0.0;
    return (double)(ranks - 1) * machine->link.latency_seconds + fmax(between, inside);
}

/* Of the 32 bytes per parameter that an update moves, the norm's 4 on every rank, AdamW's 28 in slices. */
static double update_seconds(const dt_plan_machine *machine, const dt_config *c, int64_t elements,
                             int ranks) {
    const double whole = machine->probe.update_seconds;
    if (!c->shard_optimizer || ranks == 1)
        return whole;
    return whole * (4.0 + 28.0 / ranks) / 32.0 +
           gather_seconds(machine, ranks, (double)elements * (double)sizeof(float));
}

static dt_status predict(const dt_plan_machine *machine, const dt_config *c, const dt_layout *layout,
                         double threads_per_core, dt_plan_point *point) {
    const dt_probe *probe = &machine->probe;
    const int64_t own_micro_batches = (point->micro_batches + point->ranks - 1) / point->ranks;
    const int64_t waves = (own_micro_batches + probe->threads - 1) / probe->threads, u = c->micro_batch_size;
    /* A batch smaller than a micro-batch makes one small micro-batch; the probe's are whole. */
    const double whole = point->batch < u ? (double)point->batch / (double)u : 1.0;
    const int64_t adds = count_adds(point->micro_batches, point->ranks);
    int64_t *bounds, buckets;
    dt_cost_time allreduce = {0};
    DT_TRY(dt_overlap_cut(layout->elements, c->bucket_bytes, &bounds, &buckets));
    dt_status status = DT_OK;
    if (point->ranks > 1)
        /* The library's sums are made one after another when they are asked for: nothing hides them. */
        status = predict_allreduce(
            machine, dt_settings_allreduce(c), bounds, buckets, threads_per_core,
            c->allreduce == DT_ALGORITHM_LIBRARY ? 0.0 : threads_per_core * whole * probe->backward_seconds,
            point, &allreduce);
    free(bounds);
    DT_TRY(status);
    DT_TRY(dt_plan_memory_of(layout, c, point->batch, point->ranks, host_ranks(machine, point->ranks),
                             probe->threads, &point->memory));
    point->memory_bytes = dt_need_total(&point->memory.max);
    point->compute_seconds =
        threads_per_core * ((double)waves * whole * (probe->forward_seconds + probe->backward_seconds) +
                            (double)adds * (double)layout->elements * probe->add_seconds);
    point->allreduce_seconds = allreduce.total_seconds;
    point->exposed_seconds = allreduce.exposed_seconds;
    point->seen_seconds = allreduce.seen_seconds;
    point->update_seconds = threads_per_core * update_seconds(machine, c, layout->elements, point->ranks);
    point->step_seconds = point->compute_seconds + point->exposed_seconds + point->update_seconds +
                          ceil(log2((double)point->ranks)) * machine->link.latency_seconds;
    point->tokens_per_second = (double)(point->batch * c->max_seq_len) / point->step_seconds;
    return DT_OK;
}

dt_status dt_plan_predict(const dt_plan_machine *machine, const dt_config *config, int64_t batch, int ranks,
                          double threads_per_core, dt_plan_point *point) {
    DT_ASSERT(batch > 0 && ranks > 0 && threads_per_core >= 1.0);
    dt_shape shape;
    dt_layout layout = {0};
    *point = (dt_plan_point){.ranks = ranks,
                             .batch = batch,
                             .micro_batches = dt_step_micro_batches(batch, config->micro_batch_size)};
    DT_TRY(dt_tree_expect_ranks(ranks, point->micro_batches));
    dt_status status = dt_model_file_shape(config, NULL, &shape);
    if (status == DT_OK)
        status = dt_layout_create(&layout, shape);
    if (status == DT_OK)
        status = predict(machine, config, &layout, threads_per_core, point);
    dt_layout_free(&layout);
    return status;
}
