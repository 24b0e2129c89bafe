/* One walk over the lines; only those that hold a loss are parsed. */
#include "report/run_metrics.h"

#include <jansson.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "train/metrics.h"
#include "train/metrics_lines.h"

#define FIRST_VALUES 256

static dt_status grow(dt_series *series) {
    const int64_t capacity = series->capacity ? 2 * series->capacity : FIRST_VALUES;
    double *step = realloc(series->step, (size_t)capacity * sizeof *step);
    if (step != NULL)
        series->step = step;
    double *value = step ? realloc(series->value, (size_t)capacity * sizeof *value) : NULL;
    if (value == NULL)
        return dt_fail("out of memory for the losses of a run");
    series->value = value;
    series->capacity = capacity;
    return DT_OK;
}

/* A file that runs were joined in by hand may go back in steps: what is there from that step on is replaced.
 */
static dt_status add(dt_series *series, double step, double value) {
    while (series->count > 0 && series->step[series->count - 1] >= step)
        series->count--;
    if (series->count == series->capacity)
        DT_TRY(grow(series));
    series->step[series->count] = step;
    series->value[series->count++] = value;
    return DT_OK;
}

static dt_status take(dt_series *series, const json_t *object, const char *key) {
    const json_t *step = json_object_get(object, "step"), *value = json_object_get(object, key);
    if (!json_is_integer(step) || !json_is_number(value) || !isfinite(json_number_value(value)))
        return DT_OK;
    return add(series, (double)json_integer_value(step), json_number_value(value));
}

static dt_status read_line(void *context, const char *line, size_t length) {
    dt_run_metrics *metrics = context;
    if (memmem(line, length, "loss\":", strlen("loss\":")) == NULL)
        return DT_OK;
    json_t *object = json_loadb(line, length, 0, NULL);
    dt_status status = take(&metrics->train, object, "loss");
    if (status == DT_OK)
        status = take(&metrics->validation, object, "val_loss");
    json_decref(object);
    return status;
}

dt_status dt_run_metrics_read(dt_run_metrics *metrics, const char *name) {
    *metrics = (dt_run_metrics){.name = strdup(name)};
    char *path = dt_file_is_folder(name) ? dt_file_join(name, DT_METRICS_NAME) : strdup(name);
    dt_status status = metrics->name && path ? DT_OK : dt_fail("out of memory for a file's name");
    if (status == DT_OK && !dt_file_exists(path))
        status =
            dt_usage("%s: expected a run's folder or its %s, found no file %s; name the out_dir of a run",
                     name, DT_METRICS_NAME, path);
    if (status == DT_OK)
        status = dt_metrics_walk(path, read_line, metrics);
    if (status == DT_OK && metrics->train.count + metrics->validation.count == 0)
        status = dt_usage("%s: expected lines with losses, found none; has the run taken a step yet?", path);
    free(path);
    return status;
}

static void free_series(dt_series *series) {
    free(series->step);
    free(series->value);
}

void dt_run_metrics_free(dt_run_metrics *metrics) {
    free(metrics->name);
    free_series(&metrics->train);
    free_series(&metrics->validation);
    *metrics = (dt_run_metrics){0};
}
