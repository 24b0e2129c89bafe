/**
 * metrics.jsonl: what a run measured, one JSON object a line, for programs to read.
 *
 *     {"event":"run","run_id":..,"git_commit":..,"config_hash":..,"seed":..,"ranks":..,"threads":..,"hosts":[..],..}
 *     {"step":N,"loss":..,"lr":..,"grad_norm":..,"step_ms":..,"comm_ms":..,"exposed_ms":..,"tokens_per_s":..}
 *     {"step":N,"val_loss":..}
 *     {"step":N,"sample":".."}
 *     {"event":"loss_spike","step":N,"mean":..,"std":..,"z":..}
 *     {"event":"nonfinite","step":N,"first":"..","in_a_row":..}
 *     {"step":N,"save_ms":..,"write_ms":..}
 *
 * The numbers of steps, evaluations and saves have nine significant digits (%.9g), enough to tell any two
 * floats apart; those of other events up to 17. Each line is written
 * whole, by one write(); two threads may write lines. A run that resumes at step s drops the lines of later
 * steps and a torn last line, then appends: no step stands twice. Rank 0 alone; all functions are local.
 */
#ifndef DT_TRAIN_METRICS_H
#define DT_TRAIN_METRICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** The most that a step's line takes, its newline included; docs/formats.md says it too, and a test that it
 * does.
 */
#define DT_METRICS_STEP_BYTES 211

typedef struct dt_metrics {
    int descriptor; /**< -1 when closed */
    char *path;
} dt_metrics;

/**
 * Opens `path` to append. `resume_step` is the step that the run goes on from, 0 for one that starts at the
 * first: lines with a larger "step" are dropped, and a torn last line (the file is rewritten beside itself
 * and renamed).
 */
dt_status dt_metrics_open(dt_metrics *metrics, const char *path, int64_t resume_step);

/** Whether a line of the file has both {"step": step} and `key`: whether that was done before a run stopped.
 */
dt_status dt_metrics_holds(const char *path, int64_t step, const char *key, bool *holds);

/** Hands the loss of every step's line to `take`, in the order of the file; a loss that was not finite is
 * left out. */
dt_status dt_metrics_losses(const char *path, void (*take)(void *context, double loss), void *context);

/** Writes one step's line. `grad_norm`, milliseconds and rates as in the example above. */
dt_status dt_metrics_step(const dt_metrics *metrics, int64_t step, double loss, double lr, double grad_norm,
                          double step_ms, double comm_ms, double exposed_ms, double tokens_per_s);

/** Writes {"step":N,"val_loss":..}. */
dt_status dt_metrics_evaluation(const dt_metrics *metrics, int64_t step, double val_loss);

/** Writes {"step":N,"save_ms":..,"write_ms":..}: how long training stood still for a save, and the save took.
 */
dt_status dt_metrics_save(const dt_metrics *metrics, int64_t step, double save_ms, double write_ms);

/** Writes any object as one line; takes the reference to `object`, also on failure. NULL is a failure (out of
 * memory). */
dt_status dt_metrics_object(const dt_metrics *metrics, json_t *object);

/** Makes what was written durable; fails, too, when somebody has removed the file. */
dt_status dt_metrics_sync(const dt_metrics *metrics);

/** Makes the file durable and closes it; one that was never opened (all zero, descriptor -1) is fine. */
dt_status dt_metrics_close(dt_metrics *metrics);

#endif
