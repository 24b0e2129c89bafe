/* A part runs where and as often as in a step, but with nothing else between its calls. */
#include "bench/parts.h"

#include <inttypes.h>
#include <omp.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "comm/agree.h"
#include "model/backward.h"
#include "model/forward.h"
#include "optim/adamw.h"
#include "optim/clip.h"
#include "train/run.h"

static dt_status create_gradients(dt_parts *p) {
    const int64_t threads = p->rig->workers.threads;
    p->vectors = p->plan.buffers > threads ? p->plan.buffers : threads;
    p->vectors = p->vectors > 2 ? p->vectors : 2;
    p->gradient = calloc((size_t)p->vectors, sizeof *p->gradient);
    p->view = calloc((size_t)p->vectors, sizeof *p->view);
    if (p->gradient == NULL || p->view == NULL)
        return dt_fail("out of memory for %" PRId64 " gradients", p->vectors);
    for (int64_t v = 0; v < p->vectors; v++) {
        p->gradient[v] = dt_memory_alloc(p->rig->layout.elements, sizeof(float), "a benchmark's gradient");
        if (p->gradient[v] == NULL)
            return DT_FAILED;
        DT_TRY(dt_gpt_view_create(&p->view[v], &p->rig->layout, p->gradient[v]));
    }
    return DT_OK;
}

/* Which leaves this rank has, and the first of them as a leaf of step 1. */
static dt_status create_leaf(dt_parts *p, const dt_config *c, int64_t leaves) {
    int64_t first, end, first_slot, end_slot;
    dt_tree_run(leaves, p->world->rank, p->world->size, &first, &end);
    dt_step_slots(c->batch_size, c->micro_batch_size, p->world->rank, p->world->size, &first_slot, &end_slot);
    DT_TRY(dt_micro_batches_schedule(&p->plan, leaves, first, end, p->rig->workers.threads));
    const int64_t slots = end_slot - first_slot,
                  sequences = slots < c->micro_batch_size ? slots : c->micro_batch_size;
    p->windows = dt_memory_alloc(sequences, sizeof *p->windows, "a benchmark's leaf");
    if (p->windows == NULL)
        return DT_FAILED;
    for (int64_t s = 0; s < sequences; s++)
        p->windows[s] = dt_shard_window(&p->rig->shard, &p->rig->lanes,
                                        dt_lanes_window(&p->rig->lanes, 1, first_slot + s));
    p->leaf = (dt_leaf){.sequences = sequences, .windows = p->windows, .first_slot = first_slot, .step = 1};
    return DT_OK;
}

static dt_status create_table(dt_parts *p) {
    const dt_micro_batches *plan = &p->plan;
    const int64_t leaf_parts = dt_part_leaf_count(), elements = p->rig->layout.elements;
    const int ranks = p->world->size;
    const int64_t step_calls[DT_PART_STEPS] = {
        [DT_PART_TREE] = plan->wave_adds_end[plan->waves - 1], [DT_PART_EXCHANGE] = ranks > 1};
    p->count = leaf_parts + DT_PART_STEPS;
    p->part = dt_memory_alloc(p->count, sizeof *p->part, "the table of parts");
    if (p->part == NULL)
        return DT_FAILED;
    for (int64_t i = 0; i < leaf_parts; i++)
        p->part[i] = dt_part_of_leaf(i, &p->rig->layout.shape, p->leaf.sequences);
    for (int i = 0; i < DT_PART_STEPS; i++)
        p->part[leaf_parts + i] =
            dt_part_of_step((dt_part_step)i, step_calls[i], elements, ranks, plan->cover_count);
    return DT_OK;
}

static dt_status create(dt_parts *p, const dt_config *c, int64_t leaves) {
    DT_TRY(create_leaf(p, c, leaves));
    DT_TRY(create_gradients(p));
    DT_TRY(create_table(p));
    p->partial = dt_memory_alloc(dt_clip_chunks(p->rig->layout.elements), sizeof(double), "partial norms");
    return p->partial ? DT_OK : DT_FAILED;
}

/* Real values in every array: time must not depend on zeros or on what is not a number. */
static void fill(dt_parts *p) {
    const float scale = 1.0f / (float)p->rig->layout.shape.T;
#pragma omp parallel num_threads(p->rig->workers.threads)
    {
        const int thread = omp_get_thread_num();
        dt_activations *a = &p->rig->workers.activations[thread];
        dt_forward_run(&p->rig->gpt, &p->rig->weights, &p->leaf, a);
        (void)dt_backward_run(&p->rig->gpt, &p->rig->weights, &p->leaf, scale, a, &p->view[thread], NULL);
    }
}

dt_status dt_parts_create(dt_parts *parts, const dt_world *world, dt_harness *rig, const dt_config *config) {
    const int64_t leaves = dt_step_leaves(config->batch_size, config->micro_batch_size);
    *parts = (dt_parts){.rig = rig, .world = world};
    DT_TRY(dt_agree(world, create(parts, config, leaves)));
    const dt_allreduce_options options = dt_run_exchange(config);
    DT_TRY(dt_agree(world, dt_overlap_create(&parts->overlap, world, &parts->plan, parts->gradient, leaves,
                                             rig->layout.elements, config->bucket_bytes, &options)));
    fill(parts);
    return DT_OK;
}

void dt_parts_free(dt_parts *p) {
    for (int64_t v = 0; p->gradient && p->view && v < p->vectors; v++) {
        dt_gpt_view_free(&p->view[v]);
        dt_memory_free(p->gradient[v]);
    }
    free(p->gradient);
    free(p->view);
    dt_overlap_free(p->overlap);
    dt_micro_batches_free(&p->plan);
    dt_memory_free(p->windows);
    dt_memory_free(p->part);
    dt_memory_free(p->partial);
    *p = (dt_parts){0};
}

int64_t dt_parts_calls(const dt_parts *p, int64_t index) {
    return p->part[index].calls * (p->part[index].of_leaf ? p->plan.waves : 1);
}

double dt_parts_work(const dt_parts *p, int64_t index, double of_call) {
    return p->part[index].of_leaf ? of_call * p->rig->workers.threads : of_call;
}

/* All calls of one step, every thread on a leaf of its own. */
static void run_leaf_part(dt_parts *p, int64_t index) {
    const int64_t calls = dt_parts_calls(p, index), layers = p->rig->layout.shape.n_layers;
#pragma omp parallel num_threads(p->rig->workers.threads)
    {
        const int thread = omp_get_thread_num();
        dt_part_leaf at = {.gpt = &p->rig->gpt,
                           .leaf = &p->leaf,
                           .activations = &p->rig->workers.activations[thread],
                           .weights = &p->rig->weights.view,
                           .gradient = &p->view[thread]};
        for (int64_t call = 0; call < calls; call++) {
            at.layer = call % layers;
            dt_part_run(index, &at);
        }
    }
}

/* As step/step.c adds. */
static void run_tree(dt_parts *p, int64_t additions) {
    const int64_t elements = p->rig->layout.elements;
    float *restrict into = p->gradient[0];
    const float *restrict from = p->gradient[1];
#pragma omp parallel num_threads(p->rig->workers.threads)
    for (int64_t addition = 0; addition < additions; addition++) {
#pragma omp for simd schedule(static)
        for (int64_t i = 0; i < elements; i++)
            into[i] += from[i];
    }
}

static void run_adamw(dt_parts *p) {
    dt_state *state = &p->rig->state;
    const dt_adamw options = {
        .learning_rate = 1e-6, .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.95, .gradient_scale = 1.0};
    dt_adamw_step(state->layout, &options, ++state->step, p->gradient[0], state->parameters, state->exp_avg,
                  state->exp_avg_sq);
}

static dt_status time_part(dt_parts *p, int64_t index, double *seconds) {
    const int64_t which = index - dt_part_leaf_count();
    const double start = dt_clock_seconds();
    uint64_t bits;
    if (p->part[index].of_leaf)
        run_leaf_part(p, index);
    else if (which == DT_PART_TREE)
        run_tree(p, p->part[index].calls);
    else if (which == DT_PART_EXCHANGE)
        return p->part[index].calls > 0 ? dt_overlap_alone(p->overlap, seconds) : DT_OK;
    else if (which == DT_PART_NORM)
        (void)dt_clip_norm(p->gradient[0], p->rig->layout.elements, p->partial, &bits);
    else
        run_adamw(p);
    *seconds = dt_clock_seconds() - start;
    return DT_OK;
}

/* Sums of sums would grow out of the range of floats from repetition to repetition. */
static void reset_gradients(dt_parts *p) {
    for (int64_t v = 0; v < p->vectors; v++)
        for (int64_t i = 0; i < p->rig->layout.elements; i++)
            p->gradient[v][i] = 1e-3f;
}

dt_status dt_parts_measure(dt_parts *p, int64_t repetitions, double *seconds) {
    for (int64_t index = 0; index < p->count; index++)
        for (int64_t repetition = -1; repetition < repetitions; repetition++) {
            if (!p->part[index].of_leaf)
                reset_gradients(p);
            double elapsed = 0.0;
            dt_world_barrier(p->world);
            DT_TRY(time_part(p, index, &elapsed));
            if (repetition >= 0)
                seconds[index * repetitions + repetition] = elapsed;
        }
    return DT_OK;
}
