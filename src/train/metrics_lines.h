/**
 * Reads a metrics.jsonl that is there already: line by line, since the file of a long run need not fit in
 * memory. Local.
 */
#ifndef DT_TRAIN_METRICS_LINES_H
#define DT_TRAIN_METRICS_LINES_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "checkpoint/checkpoint.h"

/** Called with each line; `length` bytes with its newline, which a torn last line lacks. */
typedef dt_status dt_metrics_handler(void *context, const char *line, size_t length);

/** Hands every line of `path` to `handle`, in the order of the file, until that fails. */
dt_status dt_metrics_walk(const char *path, dt_metrics_handler *handle, void *context);

/** Whether a line of the file has both {"step": step} and `key`: whether that was done before a run stopped.
 */
dt_status dt_metrics_holds(const char *path, int64_t step, const char *key, bool *holds);

/** Hands the loss of every step's line to `take`, in the order of the file; a loss that was not finite is
 * left out. */
dt_status dt_metrics_losses(const char *path, void (*take)(void *context, double loss), void *context);

/** A run as its `run` event names it. */
typedef struct dt_metrics_run {
    char run_id[DT_RUN_ID_BYTES], parent_run_id[DT_RUN_ID_BYTES]; /**< "" for none */
    int64_t start_step;
} dt_metrics_run;

/** The run that wrote the file last, by its last `run` event; all zero where no run has. */
dt_status dt_metrics_last_run(const char *path, dt_metrics_run *run);

/** The last `run` event itself, as a new reference; NULL where there is none. */
dt_status dt_metrics_last_start(const char *path, json_t **start);

/** The step of the last save that the file tells of, or -1. */
dt_status dt_metrics_last_save(const char *path, int64_t *step);

#endif
