/**
 * metrics.jsonl: what a run measured, one JSON object a line, for programs to read.
 *
 *     {"event":"run","format_version":1,"run_id":..,"git_commit":..,"config_hash":..,"seed":..,"ranks":..,"threads":..,"hosts":[..],..,"config":{..}}
 *     {"step":N,"loss":..,"lr":..,"grad_norm":..,"step_ms":..,"comm_ms":..,"exposed_ms":..,"tokens_per_s":..,"tokens":..,"mfu":..}
 *     {"step":N,"val_loss":..,"val_bits_per_byte":..}
 *     {"step":N,"sample":".."}
 *     {"event":"loss_spike","step":N,"mean":..,"std":..,"z":..}
 *     {"event":"output_lost","step":N,"stream":"standard output","cause":".."}
 *     {"event":"nonfinite","step":N,"first":"..","in_a_row":..}
 *     {"step":N,"save_ms":..,"write_ms":..}
 *     {"event":"end","step":N,"cause":"max_steps"}
 *     {"event":"failed","step":N,"cause":"step 5: expected a finite loss and gradient, found .."}
 *
 * The numbers of steps, evaluations and saves have nine significant digits (%.9g), enough to tell any two
 * floats apart; those of other events up to 17. Each line is written
 * whole, by one write(); two threads may write lines. Lines go to the file that has the name: when it was
 * moved away or removed, as a rotation of logs does, a new one is made and the log says so. A run that
 * resumes mends what is there first (train/metrics_mend.h), then appends. An open file is locked (flock), so
 * that two runs never write to one, by whatever links their names lead to it. Rank 0 alone; all functions
 * are local.
 */
#ifndef DT_TRAIN_METRICS_H
#define DT_TRAIN_METRICS_H

#include <jansson.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/status.h"
#include "train/tensorboard.h"

#define DT_METRICS_NAME "metrics.jsonl"

/** The format of the file, which each run's first line states: goes up when a reader of the one before would
 * misread it, not for a field more. A line without it is of version 0.1.0, whose format is 1 as well. */
#define DT_METRICS_VERSION 1

/** The most that a step's line takes, its newline included; docs/formats.md says it too, and a test that it
 * does.
 */
#define DT_METRICS_STEP_BYTES 263

typedef struct dt_metrics {
    int descriptor; /**< -1 when closed */
    char *path;
    dt_lock *home;               /**< the caller's, of the file's folder, which may be moved; or NULL */
    dt_tensorboard *tensorboard; /**< the caller's, gets each line that was written too; or NULL */
} dt_metrics;

/** What a step's line says, in its order. Times are in milliseconds. */
typedef struct dt_metrics_values {
    int64_t step;
    double loss, lr, grad_norm;
    double step_ms, comm_ms, exposed_ms;
    double tokens_per_s;
    int64_t tokens; /**< trained on up to this step, from step 1 of the run */
    double mfu;     /**< train/utilisation.h */
} dt_metrics_values;

/** Fails with DT_USAGE where dt_metrics_open could not append to what stands at `path`; nothing there is
 * fine. */
dt_status dt_metrics_expect(const char *path);

/** Fails with DT_USAGE where another run has the file of that name open, which then has another name too. */
dt_status dt_metrics_expect_unused(const char *path);

/** Opens `path`, a regular file or nothing yet, to append. `home` (may be NULL) must outlive it. */
dt_status dt_metrics_open(dt_metrics *metrics, const char *path, dt_lock *home);

/** Writes one step's line. */
dt_status dt_metrics_step(dt_metrics *metrics, const dt_metrics_values *values);

/** Writes {"step":N,"val_loss":..,"val_bits_per_byte":..}, without the latter where it is not finite, as
 * DT_NULL_REAL is. */
dt_status dt_metrics_evaluation(dt_metrics *metrics, int64_t step, double val_loss, double bits_per_byte);

/** Writes {"step":N,"save_ms":..,"write_ms":..}: how long training stood still for a save, and the save took.
 */
dt_status dt_metrics_save(dt_metrics *metrics, int64_t step, double save_ms, double write_ms);

/** Writes any object as one line; takes the reference to `object`, also on failure. NULL is a failure (out of
 * memory). */
dt_status dt_metrics_object(dt_metrics *metrics, json_t *object);

/** Makes what was written durable. */
dt_status dt_metrics_sync(dt_metrics *metrics);

/** Makes the file durable and closes it; one that was never opened (all zero, descriptor -1) is fine. */
dt_status dt_metrics_close(dt_metrics *metrics);

#endif
