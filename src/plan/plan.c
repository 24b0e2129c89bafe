/* The formulas of the header; what they are fed with is counted by allreduce/cost and measured by
 * bench/probe. */
#include "base/assert.h"
#include "infer/model_file.h"
#include "plan/plan.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "allreduce/buckets.h"
#include "allreduce/cost.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "plan/passes.h"
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

int dt_plan_threads(const dt_plan_machine *machine) {
    return machine->threads > 0 ? machine->threads : machine->probe.threads;
}

/* Ranks on each host of a job of `ranks`. */
static int host_ranks(const dt_plan_machine *machine, int ranks) {
    return machine->same_host || machine->host_ranks > ranks ? ranks : machine->host_ranks;
}

/* Counts and times what travels in the options' form beside a pass of `pass_seconds`: the sum of the gradient
 * beside the backward pass, or the new weights beside the forward pass. Adds to `point`. */
static dt_status predict_form(const dt_plan_machine *machine, const dt_layout *layout, int64_t bucket_bytes,
                              dt_allreduce_options options, double threads_per_core, double pass_seconds,
                              dt_plan_point *point) {
    const dt_cost_job job = {.ranks = point->ranks,
                             .host_ranks = host_ranks(machine, point->ranks),
                             .micro_batches = point->micro_batches,
                             .algorithm = options.algorithm,
                             .dtype = options.dtype,
                             .form = options.form};
    const dt_cost_machine costs = {.link = machine->link,
                                   .inside = machine->inside,
                                   .add_seconds = machine->probe.add_alone_seconds,
                                   .threads_per_core = threads_per_core};
    int64_t *bounds, buckets;
    DT_TRY(dt_buckets_cut(layout->elements, bucket_bytes, options.form, point->ranks, &bounds, &buckets));
    dt_cost_traffic *busiest = dt_memory_alloc(buckets, sizeof *busiest, "the traffic of the buckets");
    dt_status status = busiest ? DT_OK : DT_FAILED;
    if (status == DT_OK)
        status = dt_cost_busiest(&job, bounds, buckets, busiest, NULL);
    if (status == DT_OK) {
        const dt_cost_time time = dt_cost_time_of(&costs, pass_seconds, bounds, buckets, busiest);
        point->allreduce_seconds += time.total_seconds;
        point->exposed_seconds += time.exposed_seconds;
        point->seen_seconds += time.seen_seconds;
        point->algorithm = dt_cost_algorithm(&job);
        for (int64_t b = 0; b < buckets; b++) {
            point->sent_messages += busiest[b].messages;
            point->sent_bytes += busiest[b].sent_bytes;
        }
    }
    dt_memory_free(busiest);
    free(bounds);
    return status;
}

static bool is_sharded(const dt_config *c, int ranks) {
    return c->shard_optimizer && ranks > 1;
}

/* What ranks send each other in a step: beside passes of these seconds. */
static dt_status predict_traffic(const dt_plan_machine *machine, const dt_config *c, const dt_layout *layout,
                                 double threads_per_core, double forward_seconds, double backward_seconds,
                                 dt_plan_point *point) {
    dt_allreduce_options options = dt_settings_allreduce(c);
    if (point->ranks == 1)
        return DT_OK;
    if (is_sharded(c, point->ranks))
        options.form = DT_FORM_REDUCE_SCATTER;
    /* The library's sums are made one after another when they are asked for: nothing hides them. */
    DT_TRY(predict_form(machine, layout, c->bucket_bytes, options, threads_per_core,
                        c->allreduce == DT_ALGORITHM_LIBRARY ? 0.0 : backward_seconds, point));
    if (!is_sharded(c, point->ranks))
        return DT_OK;
    options.form = DT_FORM_ALLGATHER;
    options.dtype = DT_DTYPE_FP32;
    return predict_form(machine, layout, c->bucket_bytes, options, threads_per_core, forward_seconds, point);
}

/* Norm and AdamW, of all elements or of a rank's pieces, whose norms the ranks exchange. */
static double update_seconds(const dt_plan_machine *machine, const dt_config *c, int ranks) {
    const double whole = machine->probe.update_seconds;
    return is_sharded(c, ranks) ? whole / ranks + ceil(log2((double)ranks)) * machine->link.latency_seconds
                                : whole;
}

static dt_status predict(const dt_plan_machine *machine, const dt_config *c, const dt_layout *layout,
                         double threads_per_core, dt_plan_point *point) {
    const dt_probe *probe = &machine->probe;
    const int threads = dt_plan_threads(machine);
    const int64_t own_micro_batches = (point->micro_batches + point->ranks - 1) / point->ranks;
    const int64_t u = c->micro_batch_size;
    /* A batch smaller than a micro-batch makes one small micro-batch; the probe's are whole. */
    const double whole = point->batch < u ? (double)point->batch / (double)u : 1.0;
    const int64_t adds = count_adds(point->micro_batches, point->ranks);
    dt_passes passes;
    DT_TRY(dt_plan_memory_of(layout, c, point->batch, point->ranks, host_ranks(machine, point->ranks),
                             threads, machine->node_bytes, &point->memory));
    point->memory_bytes = dt_need_total(&point->memory.max);
    DT_TRY(dt_passes_of(&passes, probe, c, &layout->shape, threads, point->memory.team_threads,
                        own_micro_batches));
    DT_TRY(predict_traffic(machine, c, layout, threads_per_core,
                           threads_per_core * whole * passes.first_forward_seconds,
                           threads_per_core * whole * passes.last_backward_seconds, point));
    /* All threads share additions and AdamW. */
    const double fewer = (double)probe->threads / threads;
    point->compute_seconds =
        threads_per_core *
        (whole * passes.seconds + fewer * (double)adds * (double)layout->elements * probe->add_seconds);
    point->update_seconds = threads_per_core * fewer * update_seconds(machine, c, point->ranks);
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
