/*
 * `dtrain bench --config F`: how long each section of a step takes, and what it could take; with --report as
 * a picture too. With --scaling, how long the whole step takes on parts of the job; with --algorithms, what
 * the algorithms of the allreduce take.
 */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/suffix.h"
#include "report/report_output.h"
#include "report/roofline.h"
#include "bench/profile.h"
#include "bench/scaling.h"
#include "bench/statistics.h"
#include "report/algorithms_table.h"
#include "report/study_output.h"
#include "report/table.h"
#include "bench/algorithms.h"
#include "comm/agree.h"
#include "train/opening.h"
#include "step/workers.h"
#include "verb/verb.h"

#define DEFAULT_REPETITIONS 10

/* More threads take turns on no core, and make numbers that JSON does not know. */
#define THREADS_PER_CORE_MAX 4096

/* Leaves what is there where the flag is not given. A study needs two times, since one has no confidence
 * interval. */
static dt_status read_repetitions(const dt_verb_flags *f, int64_t *repetitions) {
    return f->repetitions ? dt_verb_count_within(f->scaling ? 2 : 1, DT_REPETITIONS_LARGEST, "repetitions",
                                                 f->repetitions, repetitions)
                          : DT_OK;
}

static dt_status prepare(const dt_world *world, const dt_verb_flags *f, int64_t *repetitions, int *threads) {
    *repetitions = DEFAULT_REPETITIONS;
    DT_TRY(read_repetitions(f, repetitions));
    DT_TRY(dt_workers_count(threads));
    return world->rank == 0
               ? dt_report_output_check_both(
                     f->json, f->algorithms ? DT_REPORT_ALGORITHMS : DT_REPORT_BENCHMARK, f->report)
               : DT_OK;
}

static dt_status run(const dt_world *world, const dt_config *config, const dt_verb_flags *f) {
    int64_t repetitions;
    int threads;
    dt_profile profile = {0};
    dt_status status = dt_agree(world, prepare(world, f, &repetitions, &threads));
    if (status == DT_OK)
        status = dt_opening_placement(world, threads);
    if (status == DT_OK)
        status = dt_profile_run(&profile, world, config, threads, repetitions);
    if (status == DT_OK) {
        dt_table_print(&profile, config);
        if (f->json && world->rank == 0)
            status = dt_report_output_json(f->json, dt_table_json(&profile, config), JSON_REAL_PRECISION(9));
        if (status == DT_OK && f->report && world->rank == 0)
            status = dt_roofline_write(&profile, config, f->report);
        if (status == DT_OK && !profile.losses_hold)
            status =
                dt_fail("the losses of the timed steps are not finite or differ between ranks: this machine "
                        "computes wrongly, or learning_rate is far too high");
        status = dt_agree(world, status);
    }
    dt_profile_free(&profile);
    return status;
}

/* Flags that only mean something together must come together. */
static dt_status check_flags(const dt_verb_flags *f) {
    if (f->scaling == NULL && f->ranks)
        return dt_usage("--ranks: expected --scaling strong, weak or strong,weak with it");
    if (f->algorithms && f->scaling)
        return dt_usage("--algorithms and --scaling are two studies; ask for one of them");
    if (f->algorithms && f->report)
        return dt_usage("--report: --algorithms has a table and --json alone");
    if (f->scaling == NULL && f->report && !dt_has_suffix(f->report, ".svg"))
        return dt_usage(
            "--report: expected FILE.svg, the picture of a step's kernels, found %s; a page needs "
            "--scaling or --merge with it",
            f->report);
    if (f->threads_per_core && !f->algorithms)
        return dt_usage("--threads-per-core: expected --algorithms with it");
    return DT_OK;
}

static dt_status read_threads_per_core(const char *text, double *threads_per_core) {
    char *end;
    *threads_per_core = strtod(text, &end);
    if (end == text || *end != 0 || !(*threads_per_core >= 1.0 && *threads_per_core <= THREADS_PER_CORE_MAX))
        return dt_usage(
            "--threads-per-core: expected the threads that take turns on a core, from 1 to %d, found \"%s\"",
            THREADS_PER_CORE_MAX, text);
    return DT_OK;
}

static dt_status compare(const dt_world *world, const dt_config *config, const dt_verb_flags *f) {
    dt_algorithms result;
    int64_t repetitions;
    int threads;
    double threads_per_core = 0.0;
    DT_TRY(dt_agree(world, prepare(world, f, &repetitions, &threads)));
    DT_TRY(dt_agree(world, f->threads_per_core ? read_threads_per_core(f->threads_per_core, &threads_per_core)
                                               : DT_OK));
    DT_TRY(dt_opening_placement(world, threads));
    DT_TRY(dt_algorithms_run(&result, world, config, threads, repetitions, threads_per_core));
    dt_status status = DT_OK;
    if (world->rank == 0) {
        dt_algorithms_table_print(&result);
        if (f->json)
            status = dt_report_output_json(f->json, dt_algorithms_table_json(&result), 0);
    }
    return dt_agree(world, status);
}

static dt_status study_scaling(const dt_world *world, const dt_config *config, const dt_verb_flags *f) {
    const bool first = world->rank == 0;
    dt_scaling_options options = {.kinds = f->scaling, .ranks = f->ranks};
    dt_study *study = calloc(1, sizeof *study);
    dt_status status = study ? DT_OK : dt_fail("out of memory for a scaling study");
    if (status == DT_OK)
        status = read_repetitions(f, &options.repetitions);
    if (status == DT_OK && first)
        status = dt_report_output_check_both(f->json, DT_REPORT_STUDY, f->report);
    status = dt_agree(world, status);
    if (status == DT_OK)
        status = dt_scaling_run(study, world, config, &options);
    if (status == DT_OK)
        status = dt_agree(world, first ? dt_study_output(study, f->json, f->report) : DT_OK);
    if (study)
        dt_machine_free(&study->machine);
    free(study);
    return status;
}

static dt_status measure(const dt_world *world, const dt_config *config, const dt_verb_flags *f) {
    DT_TRY(dt_agree(world, check_flags(f)));
    if (f->scaling)
        DT_TRY(dt_agree(world, study_scaling(world, config, f)));
    else if (f->algorithms)
        DT_TRY(compare(world, config, f));
    else
        DT_TRY(run(world, config, f));
    return dt_agree(world, world->rank == 0 ? dt_verb_printed("the benchmark") : DT_OK);
}

dt_status dt_verb_bench(const dt_verb *verb, int argc, char **argv) {
    return dt_verb_run(verb, argc, argv, measure);
}
