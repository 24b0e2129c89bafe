/* Splits the job, measures a point on the ranks that work, and joins again, point after point. */
#include "bench/scaling.h"

#include <inttypes.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/plural.h"
#include "comm/contract.h"
#include "infer/model_file.h"
#include "plan/harness.h"
#include "bench/study.h"
#include "comm/agree.h"
#include "train/run.h"
#include "step/workers.h"

/* Connections, caches and clock rates settle within a few steps; a dozen more give an interval of a few per
 * cent. */
#define WARMUPS     3
#define REPETITIONS 12

typedef struct kinds {
    bool strong, weak;
} kinds;

static dt_status read_kinds(const char *text, kinds *wanted) {
    *wanted = (kinds){strcmp(text, "strong") == 0, strcmp(text, "weak") == 0};
    if (strcmp(text, "strong,weak") == 0 || strcmp(text, "weak,strong") == 0)
        *wanted = (kinds){true, true};
    return wanted->strong || wanted->weak
               ? DT_OK
               : dt_usage("--scaling: expected strong, weak or strong,weak, found \"%s\"", text);
}

static dt_status read_options(const dt_world *world, const dt_scaling_options *options, kinds *wanted,
                              dt_ranks *ranks) {
    DT_TRY(read_kinds(options->kinds, wanted));
    if (options->ranks)
        DT_TRY(dt_ranks_parse(ranks, options->ranks, world->size, "the size of the job; mpirun -np sets it"));
    else
        dt_ranks_doubling(ranks, world->size);
    return DT_OK;
}

/* A rank that cannot go on while others wait for it: its line, and the end of the job. */
static _Noreturn void give_up(const dt_world *world) {
    dt_log_error("rank %d on %s cannot go on with the study: %s", world->rank, world->host, dt_error());
    dt_world_abort(world, DT_FAILED);
}

/* Times the steps of a harness; on every rank, though rank 0's times are the ones that count. */
static dt_status time_steps(const dt_world *subset, dt_harness *harness, int64_t repetitions,
                            dt_study_point *point) {
    dt_step_result result;
    double *seconds = dt_memory_alloc(repetitions, sizeof *seconds, "the measured times");
    DT_TRY(dt_agree(subset, seconds ? DT_OK : DT_FAILED));
    for (int64_t i = -WARMUPS; i < repetitions; i++) {
        if (dt_harness_step(harness, &result) != DT_OK)
            give_up(subset);
        if (i < 0)
            continue;
        seconds[i] = result.step_seconds;
        point->allreduce_seconds += result.allreduce.total / (double)repetitions;
        point->exposed_seconds += result.allreduce.exposed / (double)repetitions;
    }
    point->step = dt_statistics_of(seconds, repetitions);
    dt_memory_free(seconds);
    return DT_OK;
}

/* Measures one point on the ranks of `subset`. */
static dt_status measure(const dt_world *subset, const dt_study *study, dt_study_point *point) {
    dt_config config = *study->config; /* borrows the strings */
    dt_harness harness;
    config.batch_size = point->batch;
    dt_status status = dt_harness_create(&harness, subset, &config, study->machine.threads);
    if (status == DT_OK)
        status = time_steps(subset, &harness, study->repetitions, point);
    dt_harness_free(&harness);
    return status;
}

/* One point; what stands in its way is noted and no failure of the study. */
static dt_status run_point(const dt_world *world, dt_study *study, dt_study_point *point) {
    const int64_t micro_batches = dt_step_micro_batches(point->batch, study->config->micro_batch_size);
    dt_world subset;
    if (point->ranks > micro_batches) {
        snprintf(point->reason, sizeof point->reason,
                 "more ranks than the batch's %" PRId64 " %s; raise batch_size or lower micro_batch_size",
                 micro_batches, dt_plural(micro_batches, "micro-batch", "micro-batches"));
        return DT_OK;
    }
    DT_TRY(dt_world_split(world, point->ranks, &subset));
    if (subset.mpi) {
        point->threads_per_core = dt_machine_threads_per_core(&study->machine, subset.host_ranks);
        if (measure(&subset, study, point) != DT_OK && world->rank == 0)
            snprintf(point->reason, sizeof point->reason, "%.*s", (int)sizeof point->reason - 1, dt_error());
    }
    DT_TRY(dt_world_rejoin(world, &subset));
    if (world->rank != 0 || point->reason[0] != 0)
        return DT_OK;
    return dt_plan_predict(&study->measured, study->config, point->batch, point->ranks,
                           point->threads_per_core, &point->plan);
}

static dt_status run_kind(const dt_world *world, dt_study *study, const dt_ranks *ranks, bool weak) {
    for (int i = 0; i < ranks->count; i++) {
        dt_study_point *point = &study->point[study->count++];
        *point = (dt_study_point){.weak = weak, .ranks = ranks->number[i], .threads_per_core = 1.0};
        point->batch = study->config->batch_size * (weak ? point->ranks : 1);
        dt_log_redraw("%s scaling on %d of %d rank%s", weak ? "weak" : "strong", point->ranks, world->size,
                      dt_plural_s(world->size));
        DT_TRY(dt_agree(world, run_point(world, study, point)));
    }
    return DT_OK;
}

static dt_status run_study(const dt_world *world, dt_study *study, const kinds *wanted,
                           const dt_ranks *ranks) {
    dt_shape shape;
    dt_layout layout = {0};
    dt_status status = dt_model_file_shape(study->config, NULL, &shape);
    if (status == DT_OK)
        status = dt_layout_create(&layout, shape);
    study->parameters = layout.parameters;
    dt_layout_free(&layout);
    DT_TRY(dt_agree(world, status));
    DT_TRY(dt_machine_look(&study->machine, world, study->config, study->machine.threads));
    const double threads_per_core = dt_machine_threads_per_core(&study->machine, world->host_ranks);
    DT_TRY(dt_machine_measure(world, study->config, study->machine.threads, threads_per_core, NULL,
                              &study->measured));
    if (wanted->strong)
        DT_TRY(run_kind(world, study, ranks, false));
    return wanted->weak ? run_kind(world, study, ranks, true) : DT_OK;
}

dt_status dt_scaling_run(dt_study *study, const dt_world *world, const dt_config *config,
                         const dt_scaling_options *options) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(options->kinds), DT_SAME_TEXT(options->ranks),
                  DT_SAME_INT(options->repetitions));
    kinds wanted = {0};
    dt_ranks ranks = {0};
    *study = (dt_study){.config = config,
                        .warmups = WARMUPS,
                        .repetitions = options->repetitions > 0 ? options->repetitions : REPETITIONS};
    dt_status status = read_options(world, options, &wanted, &ranks);
    if (status == DT_OK)
        status = dt_workers_count(&study->machine.threads);
    DT_TRY(dt_agree(world, status));
    return run_study(world, study, &wanted, &ranks);
}
