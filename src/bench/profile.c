/* Each rank measures its own side; then every measurement is gathered by all, and summed up alike. */
#include "bench/profile.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "allreduce/buckets.h"
#include "allreduce/cost.h"
#include "base/log.h"
#include "base/memory.h"
#include "plan/timed_kernels.h"
#include "comm/agree.h"
#include "math/matmul.h"
#include "model/flop.h"
#include "plan/harness.h"
#include "train/need.h"
#include "train/settings.h"

#define WARM_UP_STEPS 2

/* A fraction of a step and seconds, up to which nothing is amiss: a tenth of a millisecond or two belongs to
 * no section, which is much of the step of a tiny model. */
#define UNACCOUNTED_MAX         0.1
#define UNACCOUNTED_MAX_SECONDS 3e-4

/* The rows of the step itself, which stand behind those of the kernels. */
static const char *const span_names[DT_SPANS] = {
    [DT_SPAN_BATCH] = "draw batch",
    [DT_SPAN_THREADS] = "wait for threads",
    [DT_SPAN_ADDITIONS] = "tree additions",
    [DT_SPAN_ROUNDING] = "gradient rounding",
    [DT_SPAN_ALLREDUCE] = "allreduce",
    [DT_SPAN_LOSSES] = "gather losses",
    [DT_SPAN_NORM] = "gradient norm",
    [DT_SPAN_CONSENT] = "compare ranks",
    [DT_SPAN_ADAMW] = "adamw",
    [DT_SPAN_WEIGHTS] = "gather weights",
    [DT_SPAN_PACKING] = "pack weights",
};

/* What a pair of steps leaves behind on each rank, the plain one and the one that was timed in sections. */
typedef struct step_sample {
    double plain_seconds, plain_loss;
    double seconds, exposed, loss;
    double alone; /* seconds of the allreduce by itself */
    double other; /* of a step with the other's products */
} step_sample;

/* A rank's own numbers beside its times. */
typedef struct rank_facts {
    dt_peak peak;
    double resident_bytes, computed_bytes;
} rank_facts;

/* Everything that is gathered: [ranks] times what one rank has. */
typedef struct samples {
    step_sample *step;   /* [ranks, repetitions] */
    rank_facts *facts;   /* [ranks] */
    dt_span_total *work; /* [ranks, count]: of the last step; every step has the same */
    double *seconds;     /* [ranks, repetitions, count] */
    int64_t *counts;     /* [ranks], for the gathering */
    double *sorted;      /* [ranks x repetitions]: scratch of the statistics */
} samples;

static dt_status create_samples(samples *s, const dt_profile *p) {
    const int64_t ranks = p->ranks, n = ranks * p->repetitions;
    s->step = dt_memory_alloc(n, sizeof *s->step, "the timed steps");
    s->facts = dt_memory_alloc(ranks, sizeof *s->facts, "the ranks' ceilings");
    s->work = dt_memory_alloc(ranks * p->count, sizeof *s->work, "the sections' work");
    s->seconds = dt_memory_alloc(n * p->count, sizeof *s->seconds, "the sections' times");
    s->counts = dt_memory_alloc(ranks, sizeof *s->counts, "a count a rank");
    s->sorted = dt_memory_alloc(n, sizeof *s->sorted, "sorted times");
    return s->step && s->facts && s->work && s->seconds && s->counts && s->sorted ? DT_OK : DT_FAILED;
}

static void free_samples(samples *s) {
    dt_memory_free(s->step);
    dt_memory_free(s->facts);
    dt_memory_free(s->work);
    dt_memory_free(s->seconds);
    dt_memory_free(s->counts);
    dt_memory_free(s->sorted);
}

/* Completes all[ranks, count], of which this rank has filled its own row. */
static dt_status gather(const dt_world *world, const samples *s, void *all, size_t element_bytes,
                        int64_t count) {
    for (int r = 0; r < world->size; r++)
        s->counts[r] = count;
    return dt_world_gather_all(world, all, (int64_t)element_bytes, s->counts);
}

/* Which row of the spans is row `row` of the profile: kernels come first in a table. */
static int64_t span_of(int64_t row) {
    const int64_t kernels = dt_timed_kernels_rows();
    return row < kernels ? DT_SPANS + row : row - kernels;
}

static const char *name_of(int64_t row) {
    const int64_t kernels = dt_timed_kernels_rows();
    return row < kernels ? dt_timed_kernels_name(row) : span_names[row - kernels];
}

/* Bytes that this rank sends to others to sum a step's gradients. */
static dt_status count_sent(const dt_world *world, const dt_harness *harness, const dt_config *c,
                            double *bytes) {
    const dt_cost_job job = {.ranks = world->size,
                             .host_ranks = world->host_ranks,
                             .micro_batches = dt_step_micro_batches(c->batch_size, c->micro_batch_size),
                             .algorithm = dt_step_algorithm(harness->step),
                             .dtype = dt_settings_allreduce(c).dtype,
                             .form = harness->state.sharded ? DT_FORM_REDUCE_SCATTER : DT_FORM_ALLREDUCE};
    dt_cost_traffic traffic = {0};
    int64_t *bounds = NULL, buckets;
    dt_status status =
        dt_buckets_cut(harness->layout.elements, c->bucket_bytes, job.form, world->size, &bounds, &buckets);
    if (status == DT_OK)
        status = dt_cost_of_rank(&job, world->rank, bounds, buckets, &traffic);
    free(bounds);
    *bytes = (double)traffic.sent_bytes;
    return status;
}

static const dt_tensor *find_tensor(const void *step, const float *at) {
    return dt_step_tensor_at(step, at);
}

/* A step as training takes it, and one that is timed in its sections. */
static dt_status take_pair(dt_harness *harness, const dt_kernels *plain, const dt_kernels *timed,
                           step_sample *mine) {
    dt_step_result result;
    DT_TRY(dt_harness_step(harness, &result));
    mine->plain_seconds = result.step_seconds;
    mine->plain_loss = result.loss;
    harness->gpt.kernels = timed;
    dt_spans_start(&harness->spans);
    const dt_status status = dt_harness_step(harness, &result);
    dt_spans_stop(&harness->spans);
    harness->gpt.kernels = plain;
    mine->seconds = result.step_seconds;
    mine->exposed = result.allreduce.exposed;
    mine->loss = result.loss;
    return status;
}

/* Every number of this rank's steps, in its place among those of all ranks. */
static dt_status take_steps(const dt_profile *p, const samples *s, dt_harness *harness,
                            const dt_world *world) {
    const dt_kernels *plain = harness->gpt.kernels,
                     *timed = dt_timed_kernels_of(plain, &harness->spans,
                                                  (dt_timed_finder){find_tensor, harness->step});
    dt_span_total *work = s->work + world->rank * p->count;
    for (int64_t step = 0; step < WARM_UP_STEPS; step++) {
        dt_step_result result;
        DT_TRY(dt_harness_step(harness, &result));
    }
    for (int64_t i = 0; i < p->repetitions; i++) {
        const int64_t index = world->rank * p->repetitions + i;
        DT_TRY(take_pair(harness, plain, timed, &s->step[index]));
        for (int64_t row = 0; row < p->count; row++) {
            work[row] = dt_spans_read(&harness->spans, span_of(row));
            s->seconds[index * p->count + row] = work[row].seconds;
        }
    }
    for (int64_t i = 0; i < p->repetitions && p->ranks > 1; i++) {
        DT_TRY(dt_world_barrier(world));
        DT_TRY(dt_step_allreduce_alone(harness->step, &s->step[world->rank * p->repetitions + i].alone));
    }
    return DT_OK;
}

static void sum_up_row(dt_profile *p, const samples *s, int64_t index) {
    dt_profile_row *row = &p->row[index];
    const int64_t n = p->ranks * p->repetitions;
    *row = (dt_profile_row){.name = name_of(index)};
    for (int64_t r = 0; r < p->ranks; r++) {
        const dt_span_total *work = &s->work[r * p->count + index];
        row->calls = work->calls > row->calls ? work->calls : row->calls;
        row->flop += work->flop / p->ranks;
        row->bytes += work->bytes / p->ranks;
    }
    for (int64_t i = 0; i < n; i++)
        s->sorted[i] = s->seconds[i * p->count + index];
    if (row->calls > 0)
        row->seconds = dt_statistics_of(s->sorted, n);
}

/* The median of one field of the samples of all steps. */
static double median_of(const dt_profile *p, const samples *s, size_t field) {
    const int64_t n = p->ranks * p->repetitions;
    for (int64_t i = 0; i < n; i++)
        memcpy(&s->sorted[i], (const char *)&s->step[i] + field, sizeof(double));
    return dt_statistics_of(s->sorted, n).median;
}

/* Finite, and the same as rank 0's. */
static bool holds(double loss, double first) {
    return isfinite(loss) && memcmp(&loss, &first, sizeof loss) == 0;
}

static void sum_up_steps(dt_profile *p, const samples *s) {
    const int64_t n = p->ranks * p->repetitions;
    p->exposed_seconds = median_of(p, s, offsetof(step_sample, exposed));
    p->plain_seconds = median_of(p, s, offsetof(step_sample, plain_seconds));
    p->alone_seconds = median_of(p, s, offsetof(step_sample, alone));
    p->other_seconds = median_of(p, s, offsetof(step_sample, other));
    for (int64_t i = 0; i < n; i++) {
        s->sorted[i] = 0.0;
        for (int64_t row = 0; row < p->count; row++)
            s->sorted[i] += s->seconds[i * p->count + row];
    }
    p->sum_seconds = dt_statistics_of(s->sorted, n).median;
    p->losses_hold = true;
    for (int64_t i = 0; i < n; i++) {
        const step_sample *first = &s->step[i % p->repetitions];
        s->sorted[i] = s->step[i].seconds;
        p->losses_hold &= holds(s->step[i].loss, first->loss);
        p->losses_hold &= holds(s->step[i].plain_loss, first->plain_loss);
    }
    p->step = dt_statistics_of(s->sorted, n);
    p->loss = s->step[p->repetitions - 1].loss;
}

static void sum_up(dt_profile *p, const samples *s) {
    for (int64_t r = 0; r < p->ranks; r++) {
        const rank_facts *f = &s->facts[r];
        p->peak.fma_flops += f->peak.fma_flops / p->ranks;
        p->peak.bf16_flops += f->peak.bf16_flops / p->ranks;
        p->peak.sgemm_flops += f->peak.sgemm_flops / p->ranks;
        p->peak.copy_bytes += f->peak.copy_bytes / p->ranks;
        if ((int64_t)f->resident_bytes > p->resident_bytes)
            p->resident_bytes = (int64_t)f->resident_bytes;
        if ((int64_t)f->computed_bytes > p->computed_bytes)
            p->computed_bytes = (int64_t)f->computed_bytes;
    }
    sum_up_steps(p, s);
    for (int64_t i = 0; i < p->count; i++)
        sum_up_row(p, s, i);
}

/* For what happens while other ranks wait: they cannot be told, so a failure ends the job. */
static void must(const dt_world *world, dt_status status) {
    if (status == DT_OK)
        return;
    dt_log_error("rank %d on %s cannot go on with the benchmark: %s", world->rank, world->host, dt_error());
    dt_world_abort(world, DT_FAILED);
}

/* Steps with the other's products beside those that were timed: OpenBLAS's, or dtrain's own where the config
 * has OpenBLAS's. */
static dt_status take_other_steps(const dt_profile *p, const samples *s, dt_harness *harness,
                                  const dt_world *world) {
    const dt_kernels *plain = harness->gpt.kernels, *own = dt_kernels_best(plain->compute),
                     *other = plain->linear == own->linear ? dt_kernels_blas() : own;
    step_sample *mine = s->step + world->rank * p->repetitions;
    /* It is looked for on all ranks, whatever one of them finds. */
    const bool there = dt_agree(world, dt_matmul_open()) == DT_OK && plain->compute == DT_DTYPE_FP32;
    dt_step_result result = {.step_seconds = NAN};
    harness->gpt.kernels = there ? other : plain;
    dt_status status = there ? dt_harness_step(harness, &result) : DT_OK; /* to warm up */
    for (int64_t i = 0; status == DT_OK && i < p->repetitions; i++) {
        if (there)
            status = dt_harness_step(harness, &result);
        mine[i].other = result.step_seconds;
    }
    harness->gpt.kernels = plain;
    return status;
}

/* All measurements of this rank, each in its place among those of all ranks. */
static dt_status measure(dt_profile *p, samples *s, dt_harness *harness, const dt_world *world,
                         const dt_config *config) {
    rank_facts *facts = &s->facts[world->rank];
    double sent_bytes;
    DT_TRY(dt_agree(world, count_sent(world, harness, config, &sent_bytes)));
    must(world, take_steps(p, s, harness, world));
    s->work[world->rank * p->count + dt_timed_kernels_rows() + DT_SPAN_ALLREDUCE].bytes = sent_bytes;
    facts->resident_bytes = (double)dt_memory_resident_bytes();
    must(world, take_other_steps(p, s, harness, world));
    dt_need need;
    must(world,
         dt_need_of(&(dt_need_job){.layout = &harness->layout,
                                   .config = config,
                                   .rank = world->rank,
                                   .size = world->size,
                                   .host_ranks = world->host_ranks,
                                   .threads = harness->workers.threads,
                                   .team_threads = harness->team_threads,
                                   .corpus_bytes = harness->shard.tokens_count * harness->shard.token_bytes},
                    &need));
    facts->computed_bytes = (double)dt_need_total(&need);
    must(world, dt_world_barrier(world));
    DT_TRY(dt_agree(
        world, dt_peak_measure(&facts->peak, p->threads, &harness->layout.shape, config->micro_batch_size)));
    must(world, gather(world, s, s->step, sizeof *s->step, p->repetitions));
    must(world, gather(world, s, s->facts, sizeof *s->facts, 1));
    must(world, gather(world, s, s->work, sizeof *s->work, p->count));
    must(world, gather(world, s, s->seconds, sizeof *s->seconds, p->count * p->repetitions));
    return DT_OK;
}

static dt_status create(dt_profile *p, samples *s, dt_harness *harness) {
    DT_TRY(dt_spans_create(&harness->spans, p->count, harness->workers.threads));
    p->row = dt_memory_alloc(p->count, sizeof *p->row, "the rows of the table");
    return p->row ? create_samples(s, p) : DT_FAILED;
}

dt_status dt_profile_run(dt_profile *p, const dt_world *world, const dt_config *config, int threads,
                         int64_t repetitions) {
    dt_harness harness;
    samples s = {0};
    *p = (dt_profile){.ranks = world->size,
                      .threads = threads,
                      .hosts = world->hosts,
                      .repetitions = repetitions,
                      .tokens = config->batch_size * config->max_seq_len,
                      .count = dt_timed_kernels_rows() + DT_SPANS};
    dt_status status = dt_harness_create(&harness, world, config, threads);
    if (status == DT_OK)
        status = dt_agree(world, create(p, &s, &harness));
    if (status == DT_OK)
        status = measure(p, &s, &harness, world, config);
    if (status == DT_OK) {
        p->kernels = harness.gpt.kernels->name;
        p->compute = harness.gpt.kernels->compute;
        p->products = (dt_products)config->products;
        p->core = dt_matmul_core();
        p->parameters = harness.layout.parameters;
        p->model_flop = dt_flop_step(&harness.layout, config->batch_size);
        sum_up(p, &s);
    }
    free_samples(&s);
    dt_harness_free(&harness);
    return status;
}

void dt_profile_free(dt_profile *p) {
    dt_memory_free(p->row);
    *p = (dt_profile){0};
}

double dt_profile_unaccounted(const dt_profile *p) {
    return p->step.median - p->sum_seconds;
}

double dt_profile_hidden(const dt_profile *p) {
    return fmax(p->alone_seconds - p->exposed_seconds, 0.0);
}

bool dt_profile_warning(const dt_profile *p, char *text, size_t text_bytes) {
    const double unaccounted = dt_profile_unaccounted(p), fraction = unaccounted / p->step.median;
    snprintf(
        text, text_bytes,
        "%.0f %% of the step is in none of its sections: the host gave this job's cores to others meanwhile; "
        "give each thread a core of its own, and measure when nothing else runs",
        1e2 * fraction);
    return fraction > UNACCOUNTED_MAX && unaccounted > UNACCOUNTED_MAX_SECONDS;
}

double dt_profile_roof(const dt_profile *p) {
    return p->compute == DT_DTYPE_BF16 ? fmax(p->peak.bf16_flops, p->peak.fma_flops) : p->peak.fma_flops;
}

double dt_profile_model_utilisation(const dt_profile *p) {
    return p->model_flop / p->step.median / (dt_profile_roof(p) * p->ranks);
}
