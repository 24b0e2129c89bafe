/**
 * What a person reads of a run under way: a line every log_cadence steps, and the closing. What comes before
 * is train/opening.h's.
 *
 * Only rank 0 speaks (base/log.h). On a terminal a line that redraws itself stands below the others and says
 * how far the run is. All functions are local.
 */
#ifndef DT_TRAIN_CONSOLE_H
#define DT_TRAIN_CONSOLE_H

#include <stdbool.h>
#include <stdint.h>

#include "train/run.h"

/** What the lines of a run are made from; all zero before the first step. */
typedef struct dt_console {
    double start_seconds;       /**< when the first step began */
    double redrawn_seconds;     /**< when the redrawn line was drawn last */
    int64_t steps;              /**< taken in this run */
    double step_seconds;        /**< of all of them together, without what happened between */
    int64_t told_steps;         /**< of these, those that the lines so far cover */
    double told_seconds;        /**< theirs */
    double loss;                /**< of the last one */
    int64_t nonfinite_in_a_row; /**< steps up to the last one */
    int64_t skipped;            /**< steps whose numbers were not finite */
} dt_console;

/** One finished step: its line, where it gets one, and the redrawn one. */
void dt_console_step(dt_console *console, const dt_run *run, const dt_step_result *result);

/** Whether what was computed last with the weights as they are was not finite: the last step, or the last
 * evaluation. */
bool dt_console_is_doubtful(const dt_console *console, const dt_run *run);

/** The last lines: final losses, speed (of the steps alone, and by the clock), and how to go on. `stopped`:
 * why the run ends before max_steps (train/stop.h), 0 if it does not. */
void dt_console_closing(const dt_console *console, const dt_run *run, int stopped);

#endif
