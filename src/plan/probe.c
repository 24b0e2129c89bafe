/* The same calls as in step/step.c, one kind at a time. */
#include "plan/probe.h"

#include <inttypes.h>
#include <math.h>
#include <omp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/plural.h"
#include "comm/contract.h"
#include "plan/harness.h"
#include "comm/agree.h"
#include "tokenizer/tokens.h"
#include "model/backward.h"
#include "model/forward.h"
#include "optim/clip.h"

/* How long a round does each kind of work for: the passes of micro-batches about as long as a step does
 * between allreduces, the others for several times the few milliseconds that ranks on one core take turns by.
 */
#define PASSES_SECONDS 0.25
#define OTHERS_SECONDS 0.05

#define SIZING_TRIES 3

/* Rounds of a probe by itself: enough to see a core at its best and at its worst. */
#define ROUNDS 6

/* What is timed. */
enum { FORWARD, BACKWARD, ADD, ADD_ALONE, UPDATE, KINDS };

struct dt_probing {
    const dt_world *world;
    dt_harness harness;
    int64_t micro_batch_sequences;
    const int32_t **windows; /* [teams * micro_batch_sequences] */
    int32_t *ids;            /* what they point to, which overlaps as windows of a stream do */
    float **gradient;        /* [teams + 1], each of layout->elements: one for additions to add to */
    dt_gpt_view *view;       /* [teams] */
    double *partial;
    int64_t repetitions[KINDS]; /* of a round */
    double (*round)[KINDS];     /* [size]: each rank's seconds of one repetition, on average, in a round */
    double slowest[KINDS];      /* of the last round */
    double sum[KINDS];          /* of all rounds */
    int64_t rounds;
};

static dt_micro_batch micro_batch_of(const dt_probing *p, int number) {
    const int64_t first = number * p->micro_batch_sequences;
    return (dt_micro_batch){
        .sequences = p->micro_batch_sequences, .windows = p->windows + first, .first_slot = first, .step = 1};
}

/* The calling thread's team, and the number of its micro-batch: as many as there can be are worked on. */
static int join(const dt_probing *p, dt_team *team) {
    const dt_workers *workers = &p->harness.workers;
    return dt_workers_join(workers, workers->teams, omp_get_thread_num(), team);
}

static void run_forward(dt_probing *p) {
#pragma omp parallel num_threads(p->harness.workers.threads)
    {
        dt_team team;
        const int own = join(p, &team);
        const dt_micro_batch micro_batch = micro_batch_of(p, own);
        dt_forward_run(&p->harness.gpt, &p->harness.weights, &micro_batch,
                       &p->harness.workers.activations[own], &team);
    }
}

/* It uses up what the forward pass left, but takes as long whatever the numbers are, as long as they are
 * finite. */
static void run_backward(dt_probing *p) {
#pragma omp parallel num_threads(p->harness.workers.threads)
    {
        dt_team team;
        const int own = join(p, &team);
        const dt_micro_batch micro_batch = micro_batch_of(p, own);
        dt_backward_run(&p->harness.gpt, &p->harness.weights, &micro_batch, 1e-4F,
                        &p->harness.workers.activations[own], &team, &p->view[own], NULL);
    }
}

static void add(dt_probing *p, int threads) {
    float *restrict into = p->gradient[p->harness.workers.teams];
    const float *restrict from = p->gradient[0];
#pragma omp parallel for simd schedule(static) num_threads(threads)
    for (int64_t i = 0; i < p->harness.layout.elements; i++)
        into[i] += from[i];
}

static void run_add(dt_probing *p) {
    add(p, p->harness.workers.threads);
}

static void run_add_alone(dt_probing *p) {
    add(p, 1);
}

static void run_update(dt_probing *p) {
    dt_state *state = &p->harness.state;
    const dt_adamw adamw = {.learning_rate = 1e-6, .weight_decay = 0.1, .beta1 = 0.9, .beta2 = 0.95};
    uint64_t bits;
    const double norm = dt_clip_norm(p->gradient[0], state->layout->elements, p->partial, &bits);
    dt_adamw options = adamw;
    options.gradient_scale = dt_clip_scale(norm, 1.0);
    dt_adamw_step(state->layout, &options, ++state->step, p->gradient[0], state->parameters, state->exp_avg,
                  state->exp_avg_sq);
    dt_workers_pack(&p->harness.workers, &p->harness.gpt, &p->harness.weights);
}

static double time_of(dt_probing *p, void (*work)(dt_probing *)) {
    const double start = dt_clock_seconds();
    work(p);
    return dt_clock_seconds() - start;
}

/* What this rank does in a round. Forward and backward passes alternate, as in a step. */
static dt_status run_kinds(dt_probing *p, double seconds[KINDS]) {
    static void (*const run[KINDS])(dt_probing *) = {run_forward, run_backward, run_add, run_add_alone,
                                                     run_update};
    for (int kind = 0; kind < KINDS; kind++)
        seconds[kind] = 0.0;
    DT_TRY(dt_world_barrier(p->world));
    for (int64_t i = 0; i < p->repetitions[FORWARD]; i++) {
        seconds[FORWARD] += time_of(p, run[FORWARD]);
        seconds[BACKWARD] += time_of(p, run[BACKWARD]);
    }
    for (int kind = ADD; kind < KINDS; kind++) {
        DT_TRY(dt_world_barrier(p->world));
        for (int64_t i = 0; i < p->repetitions[kind]; i++)
            seconds[kind] += time_of(p, run[kind]);
    }
    for (int kind = 0; kind < KINDS; kind++)
        seconds[kind] /= (double)p->repetitions[kind];
    return DT_OK;
}

/* A micro-batch is as slow as on the rank whose passes took longest, and any other kind as on its own
 * slowest. */
static void find_slowest(dt_probing *p) {
    memcpy(p->slowest, p->round[0], sizeof p->slowest);
    for (int r = 1; r < p->world->size; r++) {
        const double *own = p->round[r];
        if (own[FORWARD] + own[BACKWARD] > p->slowest[FORWARD] + p->slowest[BACKWARD]) {
            p->slowest[FORWARD] = own[FORWARD];
            p->slowest[BACKWARD] = own[BACKWARD];
        }
        for (int kind = ADD; kind < KINDS; kind++)
            p->slowest[kind] = fmax(p->slowest[kind], own[kind]);
    }
}

static dt_status run_round(dt_probing *p) {
    DT_TRY(run_kinds(p, p->round[p->world->rank]));
    DT_TRY(dt_world_gather_same(p->world, p->round, (int64_t)sizeof *p->round));
    find_slowest(p);
    return DT_OK;
}

dt_status dt_probe_round(dt_probing *p) {
    DT_TRY(run_round(p));
    for (int kind = 0; kind < KINDS; kind++)
        p->sum[kind] += p->slowest[kind];
    p->rounds++;
    return DT_OK;
}

static int64_t repetitions_of(double seconds, double one) {
    return one < seconds ? (int64_t)ceil(seconds / fmax(one, 1e-6)) : 1;
}

/*
 * How many repetitions take as long as a round should; the same on every rank, since all have the slowest
 * rank's times. The first try, of one repetition, also warms caches and touches memory; a single repetition
 * may have waited for its turn on a core, so the next tries tell better.
 */
static dt_status size_rounds(dt_probing *p) {
    for (int kind = 0; kind < KINDS; kind++)
        p->repetitions[kind] = 1;
    for (int try = 0; try < SIZING_TRIES; try++) {
        DT_TRY(run_round(p));
        p->repetitions[FORWARD] = p->repetitions[BACKWARD] =
            repetitions_of(PASSES_SECONDS, p->slowest[FORWARD] + p->slowest[BACKWARD]);
        for (int kind = ADD; kind < KINDS; kind++)
            p->repetitions[kind] = repetitions_of(OTHERS_SECONDS, p->slowest[kind]);
    }
    return DT_OK;
}

/* A batch with a micro-batch for each team of each rank; memory may still allow only fewer at once. */
static dt_status create_harness(dt_probing *p, const dt_config *config, int threads) {
    dt_config own = *config; /* borrows the strings */
    const int64_t asked = config->threads_per_micro_batch;
    const int teams = dt_workers_teams(threads, dt_is_null_int(asked) ? 1 : asked, threads);
    own.batch_size = p->world->size * teams * config->micro_batch_size;
    own.shard_optimizer = false; /* the update is probed whole: a plan is for any number of ranks */
    return dt_harness_create(&p->harness, p->world, &own, threads);
}

/* What a rank needs by itself, beside the harness. */
static dt_status create_own(dt_probing *p, const dt_config *config) {
    const int64_t teams = p->harness.workers.teams;
    const int64_t u = config->micro_batch_size, T = config->max_seq_len;
    const dt_layout *layout = &p->harness.layout;
    p->micro_batch_sequences = u;
    p->windows = calloc((size_t)(teams * u), sizeof *p->windows);
    p->ids = calloc((size_t)(teams * u * T + 1), sizeof *p->ids);
    p->gradient = calloc((size_t)teams + 1, sizeof *p->gradient);
    p->view = calloc((size_t)teams, sizeof *p->view);
    p->round = calloc((size_t)p->world->size, sizeof *p->round);
    p->partial = dt_memory_alloc(dt_clip_chunks(layout->elements), sizeof *p->partial, "partial norms");
    if (!p->windows || !p->ids || !p->gradient || !p->view || !p->round || !p->partial)
        return dt_fail("out of memory for a probe of %d thread%s", p->harness.workers.threads,
                       dt_plural_s(p->harness.workers.threads));
    dt_tokens_widen(p->ids, p->harness.shard.tokens, p->harness.shard.token_bytes, teams * u * T + 1);
    for (int64_t s = 0; s < teams * u; s++)
        p->windows[s] = p->ids + s * T;
    for (int64_t t = 0; t <= teams; t++) {
        p->gradient[t] = dt_memory_alloc(layout->elements, sizeof(float), "a probe's gradient");
        if (p->gradient[t] == NULL)
            return DT_FAILED;
        if (t < teams)
            DT_TRY(dt_gpt_view_create(&p->view[t], layout, p->gradient[t]));
    }
    return DT_OK;
}

dt_status dt_probe_create(dt_probing **created, const dt_world *world, const dt_config *config, int threads) {
    DT_COLLECTIVE(world, DT_SAME_INT(config->batch_size), DT_SAME_INT(threads));
    dt_probing *p = calloc(1, sizeof *p);
    *created = p;
    DT_TRY(dt_agree(world, p ? DT_OK : dt_fail("out of memory for a probe")));
    p->world = world;
    DT_TRY(create_harness(p, config, threads));
    DT_TRY(dt_agree(world, create_own(p, config)));
    return size_rounds(p);
}

dt_probe dt_probe_read(const dt_probing *p, double threads_per_core) {
    double mean[KINDS];
    const double floats = (double)p->harness.layout.elements;
    /* Where one thread of each rank works, only ranks take turns. */
    const double threads_per_core_alone = fmax(threads_per_core / p->harness.workers.threads, 1.0);
    for (int kind = 0; kind < KINDS; kind++)
        mean[kind] = p->sum[kind] / (double)p->rounds /
                     (kind == ADD_ALONE ? threads_per_core_alone : threads_per_core);
    return (dt_probe){.threads = p->harness.workers.threads,
                      .teams = p->harness.workers.teams,
                      .forward_seconds = mean[FORWARD],
                      .backward_seconds = mean[BACKWARD],
                      .add_seconds = mean[ADD] / floats,
                      .add_alone_seconds = mean[ADD_ALONE] / floats,
                      .update_seconds = mean[UPDATE]};
}

void dt_probe_free(dt_probing *p) {
    if (p == NULL)
        return;
    const int teams = p->harness.workers.teams;
    for (int t = 0; p->gradient && t <= teams; t++)
        dt_memory_free(p->gradient[t]);
    for (int t = 0; p->view && t < teams; t++)
        dt_gpt_view_free(&p->view[t]);
    free(p->gradient);
    free(p->view);
    free(p->windows);
    free(p->ids);
    free(p->round);
    dt_memory_free(p->partial);
    dt_harness_free(&p->harness);
    free(p);
}

dt_status dt_probe_run(dt_probe *probe, const dt_world *world, const dt_config *config, int threads,
                       double threads_per_core) {
    dt_probing *probing;
    dt_status status = dt_probe_create(&probing, world, config, threads);
    for (int i = 0; i < ROUNDS && status == DT_OK; i++)
        status = dt_probe_round(probing);
    if (status == DT_OK)
        *probe = dt_probe_read(probing, threads_per_core);
    dt_probe_free(probing);
    return status;
}
