/**
 * What a run's metrics.jsonl tells, for curves and pages: numbers by step, and what happened.
 */
#ifndef DT_REPORT_RUN_METRICS_H
#define DT_REPORT_RUN_METRICS_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "report/series.h"

/** Numbers that a run has by step. */
typedef enum dt_run_number {
    DT_RUN_TRAIN,         /**< loss of a step, in nats per token */
    DT_RUN_VALIDATION,    /**< loss of an evaluation, the same */
    DT_RUN_BITS_PER_BYTE, /**< the same loss over the text's bytes, whatever its tokens are */
    DT_RUN_LEARNING_RATE, /**< of a step */
    DT_RUN_GRADIENT_NORM, /**< before clipping */
    DT_RUN_NOISE_SCALE,   /**< of the gradient, in sequences, where something reports one */
    DT_RUN_STEP_MS,       /**< time of a step */
    DT_RUN_EXPOSED_MS,    /**< of it, communication that is not hidden */
    DT_RUN_UTILISATION,   /**< FLOP of the model, as a fraction of what the processors could do */
    DT_RUN_THROUGHPUT,    /**< tokens per second */
    DT_RUN_TOKENS,        /**< trained on by the end of a step */
    DT_RUN_HOURS,         /**< of training by the end of a step: the sum of the steps' times */
    DT_RUN_SAVE_MS,       /**< how long training stood still for a save */
    DT_RUN_NUMBERS
} dt_run_number;

/** What happened in a run, beside steps, evaluations and saves. */
typedef enum dt_run_event_kind {
    DT_RUN_EVENT_START,
    DT_RUN_EVENT_RESUME,
    DT_RUN_EVENT_SPIKE,
    DT_RUN_EVENT_SKIP,
    DT_RUN_EVENT_OUTPUT_LOST,
    DT_RUN_EVENT_END,
    DT_RUN_EVENT_FAILED,
    DT_RUN_EVENT_KINDS
} dt_run_event_kind;

typedef struct dt_run_event {
    dt_run_event_kind kind;
    int64_t step;
    json_t *line; /**< the whole object */
} dt_run_event;

typedef struct dt_run_sample {
    int64_t step;
    char *text; /**< UTF-8 without a 0 byte */
} dt_run_sample;

typedef struct dt_run_metrics {
    char *name;                       /**< as it was given */
    char *path;                       /**< of the file of metrics */
    dt_series series[DT_RUN_NUMBERS]; /**< those that the run lacks are empty */
    dt_run_event *event;              /**< [events], in the order of the file */
    int64_t events;
    dt_run_sample *sample; /**< [samples], the same */
    int64_t samples;
    int64_t last_step; /**< that a line tells of; 0 where none does */
} dt_run_metrics;

/**
 * Reads the run `name`: its folder, or a file of metrics. Lines that are torn or no JSON, and numbers that
 * are not finite, are left out, and of a step that stands there more than once the last counts. Fails with
 * DT_USAGE where there is no such file. The caller frees it, after failure too. Local.
 */
dt_status dt_run_metrics_read(dt_run_metrics *metrics, const char *name);

/** Fails with DT_USAGE where the run has no loss, of steps or evaluations. Local. */
dt_status dt_run_metrics_expect_losses(const dt_run_metrics *metrics);

/** The last `run` event, an object that stays the run's; NULL where there is none. Local. */
const json_t *dt_run_metrics_start(const dt_run_metrics *metrics);

/** The run's options by its last start, an object that stays the run's; NULL where the file has none. Local.
 */
const json_t *dt_run_metrics_config(const dt_run_metrics *metrics);

/** The event `end` or `failed` that is the run's last word; NULL where it goes on or was killed. Local. */
const json_t *dt_run_metrics_end(const dt_run_metrics *metrics);

/** Frees; all zero is fine. Local. */
void dt_run_metrics_free(dt_run_metrics *metrics);

#endif
