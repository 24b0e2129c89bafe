/* One walk over the lines; those that hold numbers alone are read fast, and only what is shown of the others
 * is parsed. */
#include "report/run_metrics.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/utf8.h"
#include "report/step_line.h"
#include "train/metrics.h"
#include "train/metrics_lines.h"

#define REPLACEMENT 0xFFFD

static const char *const event_names[DT_RUN_EVENT_KINDS] = {[DT_RUN_EVENT_START] = "run",
                                                            [DT_RUN_EVENT_RESUME] = "run",
                                                            [DT_RUN_EVENT_SPIKE] = "loss_spike",
                                                            [DT_RUN_EVENT_SKIP] = "nonfinite",
                                                            [DT_RUN_EVENT_OUTPUT_LOST] = "output_lost",
                                                            [DT_RUN_EVENT_END] = "end",
                                                            [DT_RUN_EVENT_FAILED] = "failed"};

/* Which number of a line goes where as it is. */
static const struct {
    dt_step_key key;
    dt_run_number number;
} plain[] = {{DT_STEP_KEY_LOSS, DT_RUN_TRAIN},
             {DT_STEP_KEY_VAL_LOSS, DT_RUN_VALIDATION},
             {DT_STEP_KEY_BITS_PER_BYTE, DT_RUN_BITS_PER_BYTE},
             {DT_STEP_KEY_LR, DT_RUN_LEARNING_RATE},
             {DT_STEP_KEY_GRAD_NORM, DT_RUN_GRADIENT_NORM},
             {DT_STEP_KEY_NOISE_SCALE, DT_RUN_NOISE_SCALE},
             {DT_STEP_KEY_STEP_MS, DT_RUN_STEP_MS},
             {DT_STEP_KEY_EXPOSED_MS, DT_RUN_EXPOSED_MS},
             {DT_STEP_KEY_TOKENS_PER_S, DT_RUN_THROUGHPUT},
             {DT_STEP_KEY_UTILISATION, DT_RUN_UTILISATION},
             {DT_STEP_KEY_SAVE_MS, DT_RUN_SAVE_MS}};

/* Adds `amount` per step to what has come together by the step before; steps without a line are taken to be
 * as this one. */
static dt_status accumulate(dt_series *series, double step, double start_step, double start, double amount) {
    while (series->count > 0 && series->step[series->count - 1] >= step)
        series->count--;
    const int64_t last = series->count - 1;
    const double before = last >= 0 ? series->step[last] : start_step;
    const double sum = last >= 0 ? series->value[last] : start;
    return dt_series_add(series, step, sum + (step - before) * amount);
}

static dt_status take_step(dt_run_metrics *metrics, const dt_step_line *line) {
    const double step = (double)line->step, step_ms = line->value[DT_STEP_KEY_STEP_MS];
    const double tokens = rint(line->value[DT_STEP_KEY_TOKENS_PER_S] * step_ms * 1e-3);
    const double all_tokens = line->value[DT_STEP_KEY_TOKENS];
    for (size_t i = 0; i < sizeof plain / sizeof *plain; i++)
        DT_TRY(dt_series_add(&metrics->series[plain[i].number], step, line->value[plain[i].key]));
    metrics->last_step = line->step;
    if (!isfinite(step_ms) || !isfinite(tokens))
        return DT_OK;
    /* A run that began from another's checkpoint has trained on what that one had. */
    const json_t *start = metrics->events > 0 ? metrics->event[0].line : NULL;
    const double start_step = (double)json_integer_value(json_object_get(start, "start_step"));
    /* Lines of version 0.1.0 do not say how many tokens there were up to theirs. */
    DT_TRY(isfinite(all_tokens)
               ? dt_series_add(&metrics->series[DT_RUN_TOKENS], step, all_tokens)
               : accumulate(&metrics->series[DT_RUN_TOKENS], step, start_step, start_step * tokens, tokens));
    return accumulate(&metrics->series[DT_RUN_HOURS], step, start_step, 0.0, step_ms / 3.6e6);
}

/* Room for one more element in an array that doubles. */
static void *with_capacity(void *array, int64_t count, size_t bytes) {
    const bool full = (count & (count - 1)) == 0; /* 0 or a power of two */
    return full ? realloc(array, (size_t)(count ? 2 * count : 1) * bytes) : array;
}

static dt_status take_event(dt_run_metrics *metrics, json_t *object, const char *name) {
    int kind = 0;
    while (kind < DT_RUN_EVENT_KINDS && strcmp(name, event_names[kind]) != 0)
        kind++;
    if (kind == DT_RUN_EVENT_KINDS)
        return DT_OK;
    const bool starts = kind == DT_RUN_EVENT_START;
    if (starts && metrics->events > 0)
        kind = DT_RUN_EVENT_RESUME;
    void *larger = with_capacity(metrics->event, metrics->events, sizeof *metrics->event);
    if (larger == NULL)
        return dt_fail("out of memory for the events of a run");
    metrics->event = larger;
    const int64_t step = json_integer_value(json_object_get(object, starts ? "start_step" : "step"));
    metrics->event[metrics->events++] = (dt_run_event){(dt_run_event_kind)kind, step, json_incref(object)};
    return DT_OK;
}

static dt_status take_sample(dt_run_metrics *metrics, const json_t *object, const json_t *text) {
    void *larger = with_capacity(metrics->sample, metrics->samples, sizeof *metrics->sample);
    char *copy = larger ? strdup(json_string_value(text)) : NULL;
    if (larger != NULL)
        metrics->sample = larger;
    if (copy == NULL)
        return dt_fail("out of memory for the samples of a run");
    metrics->sample[metrics->samples++] =
        (dt_run_sample){json_integer_value(json_object_get(object, "step")), copy};
    return DT_OK;
}

/* Hooks may report a noise scale; all else of theirs is for programs. */
static dt_status take_hook(dt_run_metrics *metrics, const json_t *object) {
    const json_t *noise = json_object_get(object, "noise_scale");
    return json_is_number(noise) ? dt_series_add(&metrics->series[DT_RUN_NOISE_SCALE],
                                                 (double)json_integer_value(json_object_get(object, "step")),
                                                 json_number_value(noise))
                                 : DT_OK;
}

/* An object that another program has written may have blanks, or numbers that need more care. */
static dt_status take_numbers(dt_run_metrics *metrics, const json_t *object) {
    dt_step_line line;
    char *text = json_is_integer(json_object_get(object, "step")) ? json_dumps(object, JSON_COMPACT) : NULL;
    const bool numbers = text != NULL && dt_step_line_read(text, strlen(text), &line);
    free(text);
    return numbers ? take_step(metrics, &line) : DT_OK;
}

static dt_status take_object(dt_run_metrics *metrics, json_t *object) {
    const json_t *event = json_object_get(object, "event"), *sample = json_object_get(object, "sample");
    if (json_is_string(event))
        return take_event(metrics, object, json_string_value(event));
    if (json_is_string(sample))
        return take_sample(metrics, object, sample);
    return json_object_get(object, "hook") ? take_hook(metrics, object) : take_numbers(metrics, object);
}

/* The object of a line, NULL where it is none. Bytes that are no UTF-8 become U+FFFD, so that a text with
 * some of them does not take the whole line along. */
static json_t *parse(const char *line, size_t length) {
    json_t *object = json_loadb(line, length, JSON_ALLOW_NUL, NULL);
    char *mended = object == NULL ? malloc(3 * length + 1) : NULL;
    size_t used = 0;
    for (size_t at = 0; mended != NULL && at < length;) {
        bool well_formed;
        const size_t bytes =
            (size_t)dt_utf8_subpart((const uint8_t *)line + at, (int64_t)(length - at), &well_formed);
        if (well_formed)
            memcpy(mended + used, line + at, bytes);
        used += well_formed ? bytes : (size_t)dt_utf8_write(mended + used, REPLACEMENT);
        at += bytes;
    }
    if (mended != NULL)
        object = json_loadb(mended, used, JSON_ALLOW_NUL, NULL);
    free(mended);
    return object;
}

static dt_status read_line(void *context, const char *line, size_t length) {
    dt_run_metrics *metrics = context;
    dt_step_line values;
    if (dt_step_line_read(line, length, &values))
        return take_step(metrics, &values);
    if (memmem(line, length, "\"hook\":", 7) && !memmem(line, length, "\"noise_scale\":", 14))
        return DT_OK;
    json_t *object = parse(line, length);
    const dt_status status = take_object(metrics, object);
    json_decref(object);
    return status;
}

dt_status dt_run_metrics_read(dt_run_metrics *metrics, const char *name) {
    const bool folder = dt_file_is_folder(name);
    *metrics = (dt_run_metrics){.name = strdup(name),
                                .path = folder ? dt_file_join(name, DT_METRICS_NAME) : strdup(name)};
    if (metrics->name == NULL || metrics->path == NULL)
        return dt_fail("out of memory for a file's name");
    if (!dt_file_exists(metrics->path))
        return dt_usage("%s: expected a run's folder, its %s or a folder of runs, found no file %s", name,
                        DT_METRICS_NAME, metrics->path);
    return dt_metrics_walk(metrics->path, read_line, metrics);
}

dt_status dt_run_metrics_expect_losses(const dt_run_metrics *metrics) {
    if (metrics->series[DT_RUN_TRAIN].count + metrics->series[DT_RUN_VALIDATION].count > 0)
        return DT_OK;
    return dt_usage("%s: expected lines with losses, found none; has the run taken a step yet?",
                    metrics->path);
}

const json_t *dt_run_metrics_start(const dt_run_metrics *metrics) {
    for (int64_t i = metrics->events - 1; i >= 0; i--)
        if (metrics->event[i].kind <= DT_RUN_EVENT_RESUME)
            return metrics->event[i].line;
    return NULL;
}

const json_t *dt_run_metrics_config(const dt_run_metrics *metrics) {
    const json_t *config = json_object_get(dt_run_metrics_start(metrics), "config");
    return json_is_object(config) ? config : NULL;
}

const json_t *dt_run_metrics_end(const dt_run_metrics *metrics) {
    const dt_run_event *last = metrics->events > 0 ? &metrics->event[metrics->events - 1] : NULL;
    return last && last->kind >= DT_RUN_EVENT_END ? last->line : NULL;
}

void dt_run_metrics_free(dt_run_metrics *metrics) {
    free(metrics->name);
    free(metrics->path);
    for (int n = 0; n < DT_RUN_NUMBERS; n++)
        dt_series_free(&metrics->series[n]);
    for (int64_t i = 0; i < metrics->events; i++)
        json_decref(metrics->event[i].line);
    for (int64_t i = 0; i < metrics->samples; i++)
        free(metrics->sample[i].text);
    free(metrics->event);
    free(metrics->sample);
    *metrics = (dt_run_metrics){0};
}
