/* Each rank measures its own side; then every measurement is gathered by all, and summed up alike. */
#include "bench/profile.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "bench/part.h"
#include "bench/parts.h"
#include "plan/harness.h"
#include "comm/agree.h"
#include "math/matmul.h"
#include "train/need.h"
#include "train/run.h"

#define WARM_UP_STEPS 2

/* A part of a step and seconds, up to which nothing is amiss: parts and step are measured one after the
 * other, and a tenth of a millisecond or two belongs to none, which is much of the step of a tiny model. */
#define UNACCOUNTED_MOST         0.1
#define UNACCOUNTED_MOST_SECONDS 3e-4

/* What each timed step leaves behind on each rank. */
typedef struct step_sample {
    double seconds, exposed, loss;
} step_sample;

/* A rank's own numbers beside its times. */
typedef struct rank_facts {
    dt_peak peak;
    double resident_bytes, computed_bytes;
} rank_facts;

/* Everything that is gathered: [ranks] times what one rank has. */
typedef struct samples {
    step_sample *step; /* [ranks, repetitions] */
    rank_facts *facts; /* [ranks] */
    int64_t *calls;    /* [ranks, count] */
    double *seconds;   /* [ranks, count, repetitions] */
    int64_t *counts;   /* [ranks], for the gathering */
    double *sorted;    /* [ranks x repetitions]: scratch of the statistics */
} samples;

static dt_status create_samples(samples *s, const dt_profile *p) {
    const int64_t ranks = p->ranks, n = ranks * p->repetitions;
    s->step = dt_memory_alloc(n, sizeof *s->step, "the timed steps");
    s->facts = dt_memory_alloc(ranks, sizeof *s->facts, "the ranks' ceilings");
    s->calls = dt_memory_alloc(ranks * p->count, sizeof *s->calls, "the parts' calls");
    s->seconds = dt_memory_alloc(n * p->count, sizeof *s->seconds, "the parts' times");
    s->counts = dt_memory_alloc(ranks, sizeof *s->counts, "a count a rank");
    s->sorted = dt_memory_alloc(n, sizeof *s->sorted, "sorted times");
    return s->step && s->facts && s->calls && s->seconds && s->counts && s->sorted ? DT_OK : DT_FAILED;
}

static void free_samples(samples *s) {
    dt_memory_free(s->step);
    dt_memory_free(s->facts);
    dt_memory_free(s->calls);
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

static dt_status take_steps(dt_harness *rig, int64_t repetitions, step_sample *mine) {
    for (int64_t step = -WARM_UP_STEPS; step < repetitions; step++) {
        dt_step_result result;
        DT_TRY(dt_harness_step(rig, &result));
        if (step >= 0)
            mine[step] = (step_sample){result.step_seconds, result.exchange.exposed, result.loss};
    }
    return DT_OK;
}

static void sum_up_row(dt_profile *p, const samples *s, const dt_parts *parts, int64_t index) {
    dt_profile_row *row = &p->row[index];
    const dt_part *part = &parts->part[index];
    int64_t all_calls = 0;
    *row = (dt_profile_row){.name = part->name};
    for (int64_t r = 0; r < p->ranks; r++) {
        const int64_t calls = s->calls[r * p->count + index];
        row->calls = calls > row->calls ? calls : row->calls;
        all_calls += calls;
        memcpy(s->sorted + r * p->repetitions, s->seconds + (r * p->count + index) * p->repetitions,
               (size_t)p->repetitions * sizeof *s->sorted);
    }
    if (all_calls == 0)
        return;
    row->seconds = dt_statistics_of(s->sorted, p->ranks * p->repetitions);
    /* Ranks may differ by a leaf: the rate is that of the mean number of calls. */
    const double calls_a_second = (double)all_calls / (double)p->ranks / row->seconds.median;
    row->flops = dt_parts_work(parts, index, part->flop) * calls_a_second;
    row->bytes_rate = dt_parts_work(parts, index, part->bytes) * calls_a_second;
}

static void sum_up_steps(dt_profile *p, const samples *s) {
    const int64_t n = p->ranks * p->repetitions;
    for (int64_t i = 0; i < n; i++)
        s->sorted[i] = s->step[i].exposed;
    p->exposed_seconds = dt_statistics_of(s->sorted, n).median;
    p->losses_hold = true;
    for (int64_t i = 0; i < n; i++) {
        const step_sample *same_step = &s->step[i % p->repetitions];
        s->sorted[i] = s->step[i].seconds;
        p->losses_hold &= isfinite(s->step[i].loss) &&
                          memcmp(&s->step[i].loss, &same_step->loss, sizeof same_step->loss) == 0;
    }
    p->step = dt_statistics_of(s->sorted, n);
    p->loss = s->step[p->repetitions - 1].loss;
}

static void sum_up(dt_profile *p, const samples *s, const dt_parts *parts) {
    for (int64_t r = 0; r < p->ranks; r++) {
        const rank_facts *f = &s->facts[r];
        p->peak.fma_flops += f->peak.fma_flops / p->ranks;
        p->peak.sgemm_flops += f->peak.sgemm_flops / p->ranks;
        p->peak.copy_bytes += f->peak.copy_bytes / p->ranks;
        if ((int64_t)f->resident_bytes > p->resident_bytes)
            p->resident_bytes = (int64_t)f->resident_bytes;
        if ((int64_t)f->computed_bytes > p->computed_bytes)
            p->computed_bytes = (int64_t)f->computed_bytes;
    }
    sum_up_steps(p, s);
    for (int64_t i = 0; i < p->count; i++) {
        sum_up_row(p, s, parts, i);
        p->sum_seconds += p->row[i].seconds.median;
    }
    const double alone = p->row[dt_part_leaf_count() + DT_PART_EXCHANGE].seconds.median;
    if (p->ranks > 1 && alone > p->exposed_seconds)
        p->hidden_seconds = alone - p->exposed_seconds;
}

/* For what happens while other ranks wait: they cannot be told, so a failure ends the job. */
static void must(const dt_world *world, dt_status status) {
    if (status == DT_OK)
        return;
    dt_log_error("rank %d on %s cannot go on with the benchmark: %s", world->rank, world->host, dt_error());
    dt_world_abort(world, DT_FAILED);
}

/* All measurements of this rank, each in its place among those of all ranks. */
static dt_status measure(dt_profile *p, samples *s, dt_parts *parts, dt_harness *rig, const dt_world *world,
                         const dt_config *config) {
    const int64_t rank = world->rank, repetitions = p->repetitions;
    rank_facts *facts = &s->facts[rank];
    must(world, take_steps(rig, repetitions, s->step + rank * repetitions));
    facts->resident_bytes = (double)dt_memory_resident_bytes();
    const dt_allreduce_options exchange = dt_run_exchange(config);
    facts->computed_bytes = (double)dt_need_bytes(&rig->layout, config, world, &exchange,
                                                  rig->workers.threads, rig->shard.tokens_count);
    dt_world_barrier(world);
    DT_TRY(dt_agree(world,
                    dt_peak_measure(&facts->peak, p->threads, &rig->layout.shape, config->micro_batch_size)));
    DT_TRY(dt_parts_create(parts, world, rig, config));
    for (int64_t i = 0; i < p->count; i++)
        s->calls[rank * p->count + i] = dt_parts_calls(parts, i);
    must(world, dt_parts_measure(parts, repetitions, s->seconds + rank * p->count * repetitions));
    must(world, gather(world, s, s->step, sizeof *s->step, repetitions));
    must(world, gather(world, s, s->facts, sizeof *s->facts, 1));
    must(world, gather(world, s, s->calls, sizeof *s->calls, p->count));
    must(world, gather(world, s, s->seconds, sizeof *s->seconds, p->count * repetitions));
    return DT_OK;
}

static dt_status create(dt_profile *p, samples *s) {
    p->row = dt_memory_alloc(p->count, sizeof *p->row, "the rows of the table");
    return p->row ? create_samples(s, p) : DT_FAILED;
}

dt_status dt_profile_run(dt_profile *p, const dt_world *world, const dt_config *config, int threads,
                         int64_t repetitions) {
    dt_harness rig;
    dt_parts parts = {0};
    samples s = {0};
    *p = (dt_profile){.ranks = world->size,
                      .threads = threads,
                      .hosts = world->hosts,
                      .repetitions = repetitions,
                      .tokens = config->batch_size * config->max_seq_len,
                      .count = dt_part_leaf_count() + DT_PART_STEPS};
    dt_status status = dt_harness_create(&rig, world, config, threads);
    if (status == DT_OK)
        status = dt_agree(world, create(p, &s));
    if (status == DT_OK)
        status = measure(p, &s, &parts, &rig, world, config);
    if (status == DT_OK) {
        p->kernels = rig.gpt.kernels->name;
        p->core = dt_matmul_core();
        p->parameters = rig.layout.parameters;
        p->model_flop = dt_part_model_flop(&rig.layout, config->batch_size);
        sum_up(p, &s, &parts);
    }
    free_samples(&s);
    dt_parts_free(&parts);
    dt_harness_free(&rig);
    return status;
}

void dt_profile_free(dt_profile *p) {
    dt_memory_free(p->row);
    *p = (dt_profile){0};
}

double dt_profile_unaccounted(const dt_profile *p) {
    return p->step.median - (p->sum_seconds - p->hidden_seconds);
}

bool dt_profile_warning(const dt_profile *p, char *text, size_t text_bytes) {
    const double share = dt_profile_unaccounted(p) / p->step.median;
    if (share > UNACCOUNTED_MOST)
        snprintf(
            text, text_bytes,
            "%.0f %% of the step is in none of its parts: threads or ranks waited for each other or for a core "
            "that others used; give each thread a core of its own, and measure when nothing else runs",
            1e2 * share);
    else
        snprintf(
            text, text_bytes,
            "the parts by themselves take %.0f %% longer than the step: the machine was slower while they were "
            "measured; measure when nothing else runs",
            -1e2 * share);
    return fabs(share) > UNACCOUNTED_MOST && fabs(dt_profile_unaccounted(p)) > UNACCOUNTED_MOST_SECONDS;
}

double dt_profile_model_utilisation(const dt_profile *p) {
    return p->model_flop / p->step.median / (p->peak.fma_flops * p->ranks);
}
