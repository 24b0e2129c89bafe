/* The same calls as in train/step.c, one kind at a time. */
#include "bench/probe.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bench/rig.h"
#include "comm/agree.h"
#include "model/backward.h"
#include "model/forward.h"
#include "optim/clip.h"

/* Each part is repeated until both bounds are reached, but no more often than the third says. */
#define LEAST_REPETITIONS 5
#define LEAST_SECONDS     0.5
#define MOST_REPETITIONS  40

typedef struct probing {
    const dt_world *world;
    dt_rig rig;
    dt_gpt_view weights;
    int64_t leaf_sequences;
    const uint8_t **windows; /* [threads * leaf_sequences] */
    float **gradient;        /* [threads + 1], each of layout->elements: one for additions to add to */
    dt_gpt_view *view;       /* [threads] */
    double *partial;
} probing;

static dt_leaf leaf_of(const probing *p, int thread) {
    const int64_t first = thread * p->leaf_sequences;
    return (dt_leaf){
        .sequences = p->leaf_sequences, .windows = p->windows + first, .first_slot = first, .step = 1};
}

static void run_forward(probing *p) {
#pragma omp parallel num_threads(p->rig.workers.threads)
    {
        const dt_leaf leaf = leaf_of(p, omp_get_thread_num());
        dt_forward_run(&p->rig.gpt, &p->weights, &leaf, &p->rig.workers.activations[omp_get_thread_num()]);
    }
}

/* It uses up what the forward pass left, but takes as long whatever the numbers are, as long as they are
 * finite. */
static void run_backward(probing *p) {
#pragma omp parallel num_threads(p->rig.workers.threads)
    {
        const int t = omp_get_thread_num();
        const dt_leaf leaf = leaf_of(p, t);
        dt_backward_run(&p->rig.gpt, &p->weights, &leaf, 1e-4F, &p->rig.workers.activations[t], &p->view[t],
                        NULL);
    }
}

static void add(probing *p, int threads) {
    float *restrict into = p->gradient[p->rig.workers.threads];
    const float *restrict from = p->gradient[0];
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (int64_t i = 0; i < p->rig.layout.elements; i++)
        into[i] += from[i];
}

static void run_add(probing *p) {
    add(p, p->rig.workers.threads);
}

static void run_add_alone(probing *p) {
    add(p, 1);
}

static void run_update(probing *p) {
    dt_state *state = &p->rig.state;
    const dt_adamw adamw = {.learning_rate = 1e-6, .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.95};
    const double norm = dt_clip_norm(p->gradient[0], state->layout->elements, p->partial);
    dt_adamw options = adamw;
    options.gradient_scale = dt_clip_scale(norm, 1.0);
    dt_adamw_step(state->layout, &options, ++state->step, p->gradient[0], state->parameters, state->exp_avg,
                  state->exp_avg_sq);
}

/* The mean seconds of `part`; `before` (may be NULL) is what it needs to have run each time. A step is a sum
 * of many parts, the slow ones too, so it is not the median that tells of it. */
static double mean_of(probing *p, void (*before)(probing *), void (*part)(probing *)) {
    double sum = 0.0;
    int64_t count = 0;
    dt_world_barrier(p->world);
    for (int i = -1; i < MOST_REPETITIONS && (count < LEAST_REPETITIONS || sum < LEAST_SECONDS); i++) {
        if (before)
            before(p);
        const double start = dt_clock_seconds();
        part(p);
        if (i < 0)
            continue; /* the first warms caches and touches memory */
        sum += dt_clock_seconds() - start;
        count++;
    }
    return sum / (double)count;
}

/* A batch with a leaf for each thread of each rank. */
static dt_status create(probing *p, const dt_config *config, int threads) {
    dt_config own = *config; /* borrows the strings */
    own.batch_size = p->world->size * threads * config->micro_batch_size;
    return dt_rig_create(&p->rig, p->world, &own, threads);
}

/* What a rank needs by itself, beside the rig. */
static dt_status create_own(probing *p, const dt_config *config, int threads) {
    const int64_t u = config->micro_batch_size, T = config->max_seq_len;
    const dt_layout *layout = &p->rig.layout;
    DT_TRY(dt_gpt_view_create(&p->weights, layout, p->rig.state.parameters));
    p->leaf_sequences = u;
    p->windows = calloc((size_t)(threads * u), sizeof *p->windows);
    p->gradient = calloc((size_t)threads + 1, sizeof *p->gradient);
    p->view = calloc((size_t)threads, sizeof *p->view);
    p->partial = dt_memory_alloc(dt_clip_chunks(layout->elements), sizeof *p->partial, "partial norms");
    if (!p->windows || !p->gradient || !p->view || !p->partial)
        return dt_fail("out of memory for a probe of %d threads", threads);
    for (int64_t s = 0; s < threads * u; s++)
        p->windows[s] = p->rig.shard.tokens + s * T;
    for (int t = 0; t <= threads; t++) {
        p->gradient[t] = dt_memory_alloc(layout->elements, sizeof(float), "a probe's gradient");
        if (p->gradient[t] == NULL)
            return DT_FAILED;
        if (t < threads)
            DT_TRY(dt_gpt_view_create(&p->view[t], layout, p->gradient[t]));
    }
    return DT_OK;
}

static void drop(probing *p, int threads) {
    for (int t = 0; p->gradient && t <= threads; t++)
        dt_memory_free(p->gradient[t]);
    for (int t = 0; p->view && t < threads; t++)
        dt_gpt_view_free(&p->view[t]);
    free(p->gradient);
    free(p->view);
    free(p->windows);
    dt_memory_free(p->partial);
    dt_gpt_view_free(&p->weights);
    dt_rig_free(&p->rig);
}

static void measure(probing *p, dt_probe *probe) {
    const double floats = (double)p->rig.layout.elements;
    probe->forward_seconds = mean_of(p, NULL, run_forward);
    probe->backward_seconds = mean_of(p, run_forward, run_backward);
    probe->add_seconds = mean_of(p, NULL, run_add) / floats;
    probe->add_alone_seconds = mean_of(p, NULL, run_add_alone) / floats;
    probe->update_seconds = mean_of(p, NULL, run_update);
}

/* Every number becomes the slowest rank's. */
static dt_status find_slowest(const dt_world *world, dt_probe *probe) {
    dt_probe *all = dt_memory_alloc(world->size, sizeof *all, "the ranks' probes");
    dt_status status = dt_agree(world, all ? DT_OK : DT_FAILED);
    if (status == DT_OK) {
        all[world->rank] = *probe;
        status = dt_world_gather_same(world, all, (int64_t)sizeof *all);
    }
    for (int r = 0; status == DT_OK && r < world->size; r++) {
        probe->forward_seconds = fmax(probe->forward_seconds, all[r].forward_seconds);
        probe->backward_seconds = fmax(probe->backward_seconds, all[r].backward_seconds);
        probe->add_seconds = fmax(probe->add_seconds, all[r].add_seconds);
        probe->add_alone_seconds = fmax(probe->add_alone_seconds, all[r].add_alone_seconds);
        probe->update_seconds = fmax(probe->update_seconds, all[r].update_seconds);
    }
    dt_memory_free(all);
    return status;
}

dt_status dt_probe_run(dt_probe *probe, const dt_world *world, const dt_config *config, int threads) {
    probing p = {.world = world};
    *probe = (dt_probe){.threads = threads};
    dt_status status = create(&p, config, threads);
    if (status == DT_OK)
        status = dt_agree(world, create_own(&p, config, threads));
    if (status == DT_OK) {
        measure(&p, probe);
        status = find_slowest(world, probe);
    }
    drop(&p, threads);
    return status;
}
