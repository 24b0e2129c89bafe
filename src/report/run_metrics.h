/**
 * The losses of a run, as its metrics.jsonl has them, for curves.
 */
#ifndef DT_REPORT_RUN_METRICS_H
#define DT_REPORT_RUN_METRICS_H

#include <stdint.h>

#include "base/status.h"

/** A value per step, steps rising. */
typedef struct dt_series {
    int64_t count, capacity;
    double *step, *value; /**< [count] */
} dt_series;

typedef struct dt_run_metrics {
    char *name;           /**< as it was given */
    dt_series train;      /**< losses of steps, in nats per token */
    dt_series validation; /**< losses of evaluations, the same */
} dt_run_metrics;

/**
 * Reads the run `name`: its folder, or a file of metrics. Lines that are torn or no JSON, and losses that are
 * not finite, are left out, and of a step that stands there more than once the last counts. Fails with
 * DT_USAGE where there is no such file, or no loss in it. The caller frees it, after failure too. Local.
 */
dt_status dt_run_metrics_read(dt_run_metrics *metrics, const char *name);

/** Frees; all zero is fine. Local. */
void dt_run_metrics_free(dt_run_metrics *metrics);

#endif
