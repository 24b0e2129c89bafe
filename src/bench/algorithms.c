/* One harness per algorithm, and their steps in turn. */
#include "bench/algorithms.h"

#include <math.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "comm/contract.h"
#include "plan/machine.h"
#include "plan/plan.h"
#include "plan/probe.h"
#include "plan/harness.h"
#include "bench/statistics.h"
#include "comm/agree.h"
#include "step/overlap.h"

/* Connections, caches and clock rates settle within a few steps. */
#define WARMUPS 3

/* One algorithm, or one of its dtypes, and what was measured of it. */
typedef struct trial {
    const char *name;
    int64_t algorithm, dtype;
    bool wanted;
    dt_harness harness;
    double *step, *exposed, *skew, *alone; /* [repetitions], seconds */
    dt_plan_point plan;
} trial;

/* Less that can hide than a millisecond, or this part of a step, or of the allreduce, says nothing about how
 * well it does: the times and the plan are not that exact. */
#define MIN_FIT_SECONDS   1e-3
#define MIN_FIT_STEP      0.02
#define MIN_FIT_ALLREDUCE 0.1

typedef struct comparison {
    const dt_world *world;
    const dt_config *config;
    int threads;
    int64_t repetitions;
    double threads_per_core;
    dt_machine machine;
    dt_plan_machine measured;
    dt_probing *probing;
    double *seen; /* [size]: what each rank saw of a step's allreduce */
    trial trial[DT_ALGORITHMS_MAX];
} comparison;

/* The config of a trial; it borrows the strings. */
static dt_config config_of(const comparison *c, const trial *t) {
    dt_config config = *c->config;
    config.allreduce = t->algorithm;
    config.gradient_dtype = t->dtype;
    return config;
}

static dt_status create_trial(comparison *c, trial *t) {
    const char *what = "the measured times";
    const dt_config config = config_of(c, t);
    t->step = dt_memory_alloc(c->repetitions, sizeof *t->step, what);
    t->exposed = dt_memory_alloc(c->repetitions, sizeof *t->exposed, what);
    t->skew = dt_memory_alloc(c->repetitions, sizeof *t->skew, what);
    t->alone = dt_memory_alloc(c->repetitions, sizeof *t->alone, what);
    DT_TRY(dt_agree(c->world, t->step && t->exposed && t->skew && t->alone ? DT_OK : DT_FAILED));
    return dt_harness_create(&t->harness, c->world, &config, c->threads);
}

static dt_status create(comparison *c) {
    const bool layered = c->world->size > c->world->hosts;
    const trial trials[DT_ALGORITHMS_MAX] = {
        {.name = "flat", .algorithm = DT_ALGORITHM_FLAT, .wanted = true},
        {.name = "hierarchical", .algorithm = DT_ALGORITHM_HIERARCHICAL, .wanted = layered},
        {.name = "bf16", .algorithm = DT_ALGORITHM_AUTO, .dtype = DT_DTYPE_BF16, .wanted = true},
        {.name = "library", .algorithm = DT_ALGORITHM_LIBRARY, .wanted = true}};
    for (int i = 0; i < DT_ALGORITHMS_MAX; i++)
        c->trial[i] = trials[i];
    c->seen = dt_memory_alloc(c->world->size, sizeof *c->seen, "the ranks' times");
    DT_TRY(dt_agree(c->world, c->seen ? DT_OK : DT_FAILED));
    for (int i = 0; i < DT_ALGORITHMS_MAX; i++) {
        trial *t = &c->trial[i];
        const dt_status status = t->wanted ? create_trial(c, t) : DT_OK;
        if (status != DT_USAGE || t->algorithm != DT_ALGORITHM_HIERARCHICAL)
            DT_TRY(status);
        else {
            dt_log_line("%s is left out: %s", t->name, dt_error());
            dt_harness_free(&t->harness);
            t->wanted = false;
        }
    }
    return DT_OK;
}

static void free_trials(comparison *c) {
    for (int i = 0; i < DT_ALGORITHMS_MAX; i++) {
        trial *t = &c->trial[i];
        dt_memory_free(t->step);
        dt_memory_free(t->exposed);
        dt_memory_free(t->skew);
        dt_memory_free(t->alone);
        dt_harness_free(&t->harness);
    }
    dt_memory_free(c->seen);
    dt_probe_free(c->probing);
    dt_machine_free(&c->machine);
}

/* A rank that cannot go on while others wait for it: its line, and the end of the job. */
static void must(const comparison *c, dt_status status) {
    if (status == DT_OK)
        return;
    dt_log_error("rank %d on %s cannot go on with the benchmark: %s", c->world->rank, c->world->host,
                 dt_error());
    dt_world_abort(c->world, DT_FAILED);
}

/*
 * What was exposed of a step's allreduce, and what of that was skew, waiting for ranks that came later. The
 * rank that came last waited for nobody: what it saw is the allreduce's own, and what others saw beyond it is
 * skew.
 */
static void split_exposed(comparison *c, double own, double *exposed, double *skew) {
    double max;
    c->seen[c->world->rank] = own;
    must(c, dt_world_gather_same(c->world, c->seen, (int64_t)sizeof *c->seen));
    *exposed = max = c->seen[0];
    for (int r = 1; r < c->world->size; r++) {
        *exposed = fmin(*exposed, c->seen[r]);
        max = fmax(max, c->seen[r]);
    }
    *skew = max - *exposed;
}

/* One step of a trial, the allreduce by itself, and a round of the probe, so that what that says of the cores
 * holds for the time of the steps. Steps before the first, of index 0, are not kept. */
static void measure_trial(comparison *c, trial *t, int64_t index) {
    dt_step_result result;
    double alone, exposed, skew;
    must(c, dt_world_barrier(c->world));
    must(c, dt_harness_step(&t->harness, &result));
    must(c, dt_world_barrier(c->world));
    must(c, dt_step_allreduce_alone(t->harness.step, &alone));
    split_exposed(c, result.allreduce.exposed, &exposed, &skew);
    if (index < 0)
        return;
    must(c, dt_probe_round(c->probing));
    t->step[index] = result.step_seconds;
    t->exposed[index] = exposed;
    t->skew[index] = skew;
    t->alone[index] = alone;
}

static void measure(comparison *c) {
    for (int64_t i = -WARMUPS; i < c->repetitions; i++)
        for (int k = 0; k < DT_ALGORITHMS_MAX; k++)
            if (c->trial[k].wanted)
                measure_trial(c, &c->trial[k], i);
    c->measured.probe = dt_probe_read(c->probing, c->threads_per_core);
}

static dt_status predict(comparison *c) {
    for (int i = 0; i < DT_ALGORITHMS_MAX; i++) {
        trial *t = &c->trial[i];
        dt_config config = config_of(c, t);
        if (!t->wanted)
            continue;
        /* What auto has become may be for want of memory, which a plan knows nothing of. */
        if (dt_step_algorithm(t->harness.step) == DT_ALGORITHM_FLAT)
            config.allreduce = DT_ALGORITHM_FLAT;
        DT_TRY(dt_plan_predict(&c->measured, &config, config.batch_size, c->world->size, c->threads_per_core,
                               &t->plan));
    }
    return DT_OK;
}

/* The medians of one algorithm's times, and the fraction that was hidden of what the plan says can be: NaN
 * where that is too little. */
static dt_algorithms_row sum_up(const comparison *c, const trial *t) {
    dt_algorithms_row row = {.name = t->name,
                             .step_seconds = dt_statistics_of(t->step, c->repetitions).median,
                             .exposed_seconds = dt_statistics_of(t->exposed, c->repetitions).median,
                             .skew_seconds = dt_statistics_of(t->skew, c->repetitions).median,
                             .alone_seconds = dt_statistics_of(t->alone, c->repetitions).median,
                             .hidden = NAN,
                             .plan = t->plan};
    const double fits = row.alone_seconds - t->plan.seen_seconds;
    const bool tells = fits >= fmax(MIN_FIT_SECONDS, fmax(MIN_FIT_STEP * row.step_seconds,
                                                          MIN_FIT_ALLREDUCE * row.alone_seconds));
    if (tells && t->algorithm != DT_ALGORITHM_LIBRARY)
        row.hidden = (row.alone_seconds - row.exposed_seconds) / fits;
    return row;
}

static void read_out(const comparison *c, dt_algorithms *result) {
    *result = (dt_algorithms){.ranks = c->world->size,
                              .hosts = c->world->hosts,
                              .threads = c->threads,
                              .threads_per_core = c->threads_per_core,
                              .repetitions = c->repetitions,
                              .bucket_bytes = c->config->bucket_bytes,
                              .measured = c->measured};
    for (int i = 0; i < DT_ALGORITHMS_MAX; i++)
        if (c->trial[i].wanted)
            result->row[result->count++] = sum_up(c, &c->trial[i]);
}

static dt_status compare(comparison *c, double threads_per_core, dt_algorithms *result) {
    DT_TRY(dt_machine_look(&c->machine, c->world, c->config, c->threads));
    c->threads_per_core = threads_per_core > 0.0
                              ? threads_per_core
                              : dt_machine_threads_per_core(&c->machine, c->world->host_ranks);
    DT_TRY(dt_machine_measure_links(c->world, NULL, &c->measured));
    DT_TRY(dt_probe_create(&c->probing, c->world, c->config, c->threads));
    DT_TRY(create(c));
    measure(c);
    DT_TRY(dt_agree(c->world, c->world->rank == 0 ? predict(c) : DT_OK));
    read_out(c, result);
    return DT_OK;
}

dt_status dt_algorithms_run(dt_algorithms *result, const dt_world *world, const dt_config *config,
                            int threads, int64_t repetitions, double threads_per_core) {
    DT_COLLECTIVE(world, DT_SAME_INT(threads), DT_SAME_INT(repetitions), DT_SAME_REAL(threads_per_core));
    comparison *c = dt_memory_alloc(1, sizeof *c, "the comparison");
    dt_status status = dt_agree(world, c ? DT_OK : DT_FAILED);
    if (status == DT_OK && world->size == 1)
        status = dt_usage(
            "--algorithms: expected two ranks or more, since one has nobody to exchange with, found 1; "
            "launch with mpirun -np 2");
    if (status == DT_OK) {
        *c = (comparison){.world = world, .config = config, .threads = threads, .repetitions = repetitions};
        status = compare(c, threads_per_core, result);
    }
    if (c)
        free_trials(c);
    dt_memory_free(c);
    return status;
}
