/**
 * What a person reads of a run: the opening, a line a step, what happened beside, the closing.
 *
 * Only rank 0 speaks (base/log.h); on a terminal the steps' line redraws itself.
 */
#ifndef DT_TRAIN_OPENING_H
#define DT_TRAIN_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include <jansson.h>

#include "base/status.h"
#include "train/run.h"

/** What the lines of a run are made from; all zero before the first step. */
typedef struct dt_report {
    double start_seconds;       /**< when the first step began */
    double redrawn_seconds;     /**< when the redrawn line was drawn last */
    int64_t steps;              /**< taken in this run */
    double step_seconds;        /**< of all of them together, without what happened between */
    double loss;                /**< of the last one */
    int64_t nonfinite_in_a_row; /**< steps up to the last one */
    int64_t skipped;            /**< steps whose numbers were not finite */
} dt_report;

/** Warns where ranks and threads do not suit the cores of this host. Local. */
void dt_opening_placement(const dt_world *world, int threads);

/** The names of the job's hosts, each once, as a new JSON array; to be freed also on failure. Collective. */
dt_status dt_opening_hosts(const dt_world *world, json_t **hosts);

/**
 * Prints hosts, ranks, threads, kernels, model, memory and corpus, and writes the "run" event to
 * metrics.jsonl. Collective, for the hosts' names.
 */
dt_status dt_opening_opening(dt_run *run);

/** One finished step: its line, or the redrawn one. Local. */
void dt_opening_step(dt_report *report, const dt_run *run, const dt_step_result *result);

/** Says that the checkpoint a run was to go on from leaves nothing to do. Local. */
void dt_opening_idle(const dt_run *run);

/** Whether what was computed last with the weights as they are was not finite: the last step, or the last
 * evaluation. Local. */
bool dt_opening_is_doubtful(const dt_report *report, const dt_run *run);

/** The last lines: final losses, speed (of the steps alone, and by the clock), and how to go on. `stopped`:
 * why the run ends before max_steps (train/stop.h), 0 if it does not. Local. */
void dt_opening_closing(const dt_report *report, const dt_run *run, int stopped);

#endif
