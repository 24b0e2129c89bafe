/* Reads, judges, sorts, and measures what all span. */
#include "report/run_set.h"

#include <libgen.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/lock.h"
#include "base/log.h"
#include "report/run_label.h"

/* From this fraction of the last step on the axis begins at 0. */
#define NEAR_ZERO 0.1

static double mean_of_last(const dt_series *series) {
    const int64_t count = (int64_t)ceil(DT_RUN_SET_LAST * (double)series->count);
    double sum = 0.0;
    for (int64_t i = series->count - count; i < series->count; i++)
        sum += series->value[i];
    return count > 0 ? sum / (double)count : NAN;
}

/* A run holds its folder's lock as long as it lives. */
static bool is_live(const dt_run_metrics *metrics) {
    char *copy = strdup(metrics->path);
    const bool live = copy != NULL && dt_lock_expect_free(dirname(copy), metrics->name) != DT_OK;
    free(copy);
    return live;
}

static dt_run_state find_state(const dt_run_metrics *metrics) {
    const json_t *end = dt_run_metrics_end(metrics);
    const char *cause = json_string_value(json_object_get(end, "cause"));
    const char *event = json_string_value(json_object_get(end, "event"));
    if (event != NULL && strcmp(event, "failed") == 0)
        return DT_RUN_FAILED;
    if (end != NULL)
        return cause && strcmp(cause, "max_steps") != 0 ? DT_RUN_STOPPED : DT_RUN_FINISHED;
    return is_live(metrics) ? DT_RUN_RUNNING : DT_RUN_CUT;
}

const char *dt_run_state_text(const dt_run_shown *run, char text[DT_RUN_STATE_BYTES]) {
    static const char *const words[] = {[DT_RUN_RUNNING] = "running",
                                        [DT_RUN_FINISHED] = "finished",
                                        [DT_RUN_STOPPED] = "stopped",
                                        [DT_RUN_FAILED] = "failed",
                                        [DT_RUN_CUT] = "ended without a word"};
    const char *cause = json_string_value(json_object_get(dt_run_metrics_end(&run->metrics), "cause"));
    if (run->state == DT_RUN_STOPPED)
        snprintf(text, DT_RUN_STATE_BYTES, "stopped by %s", cause);
    else
        snprintf(text, DT_RUN_STATE_BYTES, "%s", words[run->state]);
    return text;
}

const char *dt_run_failure(const dt_run_shown *run) {
    const char *cause = json_string_value(json_object_get(dt_run_metrics_end(&run->metrics), "cause"));
    return run->state != DT_RUN_FAILED ? NULL : cause ? cause : "unknown";
}

static void judge(dt_run_shown *run) {
    const dt_series *validation = &run->metrics.series[DT_RUN_VALIDATION];
    const dt_series *bits = &run->metrics.series[DT_RUN_BITS_PER_BYTE];
    const int64_t best = dt_series_min(validation), best_bits = dt_series_min(bits);
    run->train = mean_of_last(&run->metrics.series[DT_RUN_TRAIN]);
    run->bits = best_bits >= 0 ? bits->value[best_bits] : NAN;
    run->validation = best >= 0 ? validation->value[best] : NAN;
    run->best_step = best >= 0 ? (int64_t)validation->step[best] : -1;
    run->state = find_state(&run->metrics);
}

/* What is no number comes last. */
static int compare_numbers(double a, double b) {
    if (isnan(a) || isnan(b))
        return isnan(a) - isnan(b);
    return (a > b) - (a < b);
}

static int compare_losses(const dt_run_shown *x, const dt_run_shown *y, double x_best, double y_best) {
    int order = compare_numbers(x_best, y_best);
    if (order == 0)
        order = compare_numbers(x->train, y->train);
    return order != 0 ? order : strcmp(x->metrics.name, y->metrics.name);
}

static int compare_runs(const void *a, const void *b) {
    const dt_run_shown *x = a, *y = b;
    return compare_losses(x, y, x->validation, y->validation);
}

static int compare_runs_by_bytes(const void *a, const void *b) {
    const dt_run_shown *x = a, *y = b;
    return compare_losses(x, y, x->bits, y->bits);
}

/* A loss per token says nothing of tokens of another kind. */
static bool tokenizers_differ(const dt_run_set *set) {
    const json_t *first = NULL;
    for (int r = 0; r < set->count; r++) {
        const json_t *tokenizer = json_object_get(dt_run_metrics_config(&set->run[r].metrics), "tokenizer");
        if (first == NULL)
            first = tokenizer;
        else if (tokenizer != NULL && !json_equal(tokenizer, first))
            return true;
    }
    return false;
}

/* Whether the two are evaluated on one text, by what their last starts say of it. Where they read the same
 * kind of tokens the number of these tells a text under another name, and another text under its name. */
static bool is_same_text(const dt_run_metrics *a, const dt_run_metrics *b) {
    const json_t *x = dt_run_metrics_config(a), *y = dt_run_metrics_config(b);
    const json_t *x_apart = json_object_get(x, "validation_data"),
                 *y_apart = json_object_get(y, "validation_data");
    const json_t *x_tokens = json_object_get(dt_run_metrics_start(a), "corpus_tokens");
    const json_t *y_tokens = json_object_get(dt_run_metrics_start(b), "corpus_tokens");
    if (json_is_string(x_apart) || json_is_array(x_apart) || json_is_string(y_apart) ||
        json_is_array(y_apart))
        return json_equal(x_apart, y_apart);
    if (!json_equal(json_object_get(x, "train_ratio"), json_object_get(y, "train_ratio")))
        return false;
    return x_tokens && y_tokens &&
                   json_equal(json_object_get(x, "tokenizer"), json_object_get(y, "tokenizer"))
               ? json_equal(x_tokens, y_tokens)
               : json_equal(json_object_get(x, "data"), json_object_get(y, "data"));
}

static bool texts_differ(const dt_run_set *set) {
    const dt_run_metrics *first = NULL;
    for (int r = 0; r < set->count; r++) {
        const dt_run_metrics *metrics = &set->run[r].metrics;
        if (dt_run_metrics_config(metrics) == NULL)
            continue;
        if (first != NULL && !is_same_text(first, metrics))
            return true;
        first = first ? first : metrics;
    }
    return false;
}

static bool all_have_bits(const dt_run_set *set) {
    bool any = false;
    for (int r = 0; r < set->count; r++) {
        if (!isnan(set->run[r].validation) && isnan(set->run[r].bits))
            return false;
        any |= !isnan(set->run[r].bits);
    }
    return any;
}

static void widen(dt_chart_domain *domain, dt_chart_scale scale, double low, double high) {
    domain->low[scale] = fmin(domain->low[scale], low);
    domain->high[scale] = fmax(domain->high[scale], high);
}

/* The steps of all that a run has numbers for, and the tokens and hours at these. */
static void span_run(dt_chart_domain *domain, const dt_run_metrics *metrics) {
    for (int n = 0; n < DT_RUN_NUMBERS; n++) {
        const dt_series *series = &metrics->series[n];
        if (series->count > 0)
            widen(domain, DT_CHART_STEPS, series->step[0], series->step[series->count - 1]);
    }
    for (int64_t i = 0; i < metrics->events; i++)
        widen(domain, DT_CHART_STEPS, (double)metrics->event[i].step, (double)metrics->event[i].step);
    const dt_series *tokens = &metrics->series[DT_RUN_TOKENS], *hours = &metrics->series[DT_RUN_HOURS];
    if (tokens->count > 0)
        widen(domain, DT_CHART_TOKENS, tokens->value[0], tokens->value[tokens->count - 1]);
    if (hours->count > 0)
        widen(domain, DT_CHART_TIME, 0.0, hours->value[hours->count - 1]);
}

static void choose_domain(dt_run_set *set) {
    dt_chart_domain *d = &set->domain;
    for (int s = 0; s < DT_CHART_SCALES; s++) {
        d->low[s] = HUGE_VAL;
        d->high[s] = -HUGE_VAL;
    }
    for (int r = 0; r < set->count; r++)
        span_run(d, &set->run[r].metrics);
    for (int s = 0; s < DT_CHART_SCALES; s++) {
        if (!(d->high[s] >= d->low[s]))
            d->low[s] = d->high[s] = 0.0;
        if (d->low[s] > 0.0 && d->low[s] <= NEAR_ZERO * d->high[s])
            d->low[s] = 0.0;
    }
    const double hours = d->high[DT_CHART_TIME];
    d->time_unit = hours >= 2.0 ? 1.0 : hours >= 2.0 / 60.0 ? 1.0 / 60.0 : 1.0 / 3600.0;
    d->time_name = hours >= 2.0 ? "hours" : hours >= 2.0 / 60.0 ? "minutes" : "seconds";
    d->low[DT_CHART_TIME] /= d->time_unit;
    d->high[DT_CHART_TIME] /= d->time_unit;
}

static dt_status label_runs(dt_run_set *set) {
    /* One more, since of none calloc may return NULL. */
    const char **paths = calloc((size_t)set->count + 1, sizeof *paths);
    char **labels = calloc((size_t)set->count + 1, sizeof *labels);
    dt_status status = paths && labels ? DT_OK : dt_fail("out of memory for the runs' names");
    for (int r = 0; status == DT_OK && r < set->count; r++)
        paths[r] = set->run[r].metrics.path;
    if (status == DT_OK)
        status = dt_run_label_create(paths, set->count, labels);
    for (int r = 0; labels != NULL && r < set->count; r++)
        set->run[r].label = labels[r];
    free(labels);
    free(paths);
    return status;
}

/* One more run; what cannot be read is told and left out where `passes` says so. */
static dt_status add(dt_run_set *set, const char *name, bool passes) {
    dt_run_shown *run = &set->run[set->count++];
    const dt_status status = dt_run_metrics_read(&run->metrics, name);
    if (status == DT_OK) {
        judge(run);
        return DT_OK;
    }
    if (!passes)
        return status;
    dt_log_warn("%s; this run is left out", dt_error());
    dt_run_metrics_free(&run->metrics);
    set->count--;
    return DT_OK;
}

dt_status dt_run_set_read(dt_run_set *set, const char *const *names, int count, bool passes) {
    *set = (dt_run_set){.run = calloc((size_t)count, sizeof *set->run)};
    if (set->run == NULL)
        return dt_fail("out of memory for %d runs", count);
    for (int i = 0; i < count; i++)
        DT_TRY(add(set, names[i], passes));
    set->by_bytes = tokenizers_differ(set) && all_have_bits(set);
    set->texts_differ = texts_differ(set);
    qsort(set->run, (size_t)set->count, sizeof *set->run,
          set->by_bytes ? compare_runs_by_bytes : compare_runs);
    for (int r = 0; r < set->count; r++)
        set->run[r].colour = r < DT_CHART_COLOURS ? r : DT_CHART_GREY;
    choose_domain(set);
    return label_runs(set);
}

static bool has_lines(const dt_run_metrics *metrics) {
    int64_t numbers = 0;
    for (int n = 0; n < DT_RUN_NUMBERS; n++)
        numbers += metrics->series[n].count;
    return numbers + metrics->events + metrics->samples > 0;
}

dt_status dt_run_set_expect_lines(const dt_run_set *set) {
    for (int r = 0; r < set->count; r++) {
        const dt_run_metrics *metrics = &set->run[r].metrics;
        struct stat info;
        if (!has_lines(metrics) && stat(metrics->path, &info) == 0 && info.st_size > 0)
            return dt_usage("%s: expected the lines of a run, found none; name a run's folder or its "
                            "metrics.jsonl",
                            metrics->path);
    }
    return DT_OK;
}

bool dt_run_set_is_live(const dt_run_set *set) {
    for (int r = 0; r < set->count; r++)
        if (set->run[r].state == DT_RUN_RUNNING)
            return true;
    return false;
}

void dt_run_set_free(dt_run_set *set) {
    for (int r = 0; r < set->count; r++) {
        dt_run_metrics_free(&set->run[r].metrics);
        free(set->run[r].label);
    }
    free(set->run);
    *set = (dt_run_set){0};
}
