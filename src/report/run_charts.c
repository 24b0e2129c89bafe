/* A table of charts, each with the numbers of its lines. */
#include "report/run_charts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/minmax.h"
#include "report/page.h"

/* Columns of a chart: its width in pixels of a common screen. Beyond BYTES of the page, which are about so
 * many a column, all charts get fewer. */
#define COLUMNS_MAX  640
#define COLUMNS_MIN  40
#define PAGE_BYTES   1600000
#define COLUMN_BYTES 44
#define RAW_BYTES    80

/* Of the curves of tokens and hours over steps. */
#define KNOTS 60

/* Marks of one kind beyond are not told apart. */
#define MARKS_MAX 400

#define LINES_MAX 2

/* A line of a chart of one run; with several runs each has the first one alone. */
typedef struct chart_line {
    dt_run_number number;
    const char *label;
    bool dots, exact;
} chart_line;

static const struct {
    const char *id, *title, *unit;
    bool from_zero;
    bool single, several; /* for one run only, or for several only, whose names it has */
    chart_line line[LINES_MAX];
    int lines;
} table[DT_RUN_CHARTS] = {
    {"loss", "Loss", "nats per token", .single = true,
     .line = {{DT_RUN_TRAIN, "training", false, false}, {DT_RUN_VALIDATION, "validation", true, true}},
     .lines = 2},
    {"bits_per_byte", "Validation loss", "bits per byte of the text", .several = true,
     .line = {{DT_RUN_BITS_PER_BYTE, NULL, true, true}}, .lines = 1},
    {"validation_loss", "Validation loss", "nats per token", .several = true,
     .line = {{DT_RUN_VALIDATION, NULL, true, true}}, .lines = 1},
    {"training_loss", "Training loss", "nats per token", .several = true,
     .line = {{DT_RUN_TRAIN, NULL, false, false}}, .lines = 1},
    {"learning_rate", "Learning rate", "", .from_zero = true,
     .line = {{DT_RUN_LEARNING_RATE, NULL, false, true}}, .lines = 1},
    {"gradient_norm", "Gradient norm", "before clipping",
     .line = {{DT_RUN_GRADIENT_NORM, NULL, false, false}}, .lines = 1},
    {"throughput", "Throughput", "tokens per second", .from_zero = true,
     .line = {{DT_RUN_THROUGHPUT, NULL, false, false}}, .lines = 1},
    {"utilisation", "Model FLOP utilisation", "fraction of the processors' peak", .from_zero = true,
     .line = {{DT_RUN_UTILISATION, NULL, false, false}}, .lines = 1},
    {"step_time", "Step time", "ms", .from_zero = true,
     .line = {{DT_RUN_STEP_MS, "step", false, false}, {DT_RUN_EXPOSED_MS, "exposed", false, false}},
     .lines = 2},
    {"noise_scale", "Gradient noise scale", "sequences", .from_zero = true,
     .line = {{DT_RUN_NOISE_SCALE, NULL, false, false}}, .lines = 1},
};

static int choose_columns(const dt_run_set *set) {
    const int64_t bytes =
        (int64_t)set->count * (DT_RUN_CHARTS - 1) * (set->count > 1 ? COLUMN_BYTES : RAW_BYTES);
    return (int)dt_max(COLUMNS_MIN, dt_min(COLUMNS_MAX, PAGE_BYTES / bytes));
}

/* One rank has no communication, and a line along 0 says nothing. */
static bool is_empty(const dt_series *series) {
    for (int64_t i = 0; i < series->count; i++)
        if (series->value[i] != 0.0)
            return false;
    return true;
}

static dt_status add_run(dt_chart *chart, const dt_run_set *set, int r, int c, int columns) {
    const dt_run_shown *run = &set->run[r];
    const bool several = set->count > 1;
    const int lines = several ? 1 : table[c].lines;
    for (int l = 0; l < lines; l++) {
        const chart_line *row = &table[c].line[l];
        const dt_series *series = &run->metrics.series[row->number];
        const dt_chart_line like = {
            .label = several             ? table[c].several && run->colour < DT_CHART_GREY ? run->label : NULL
                     : series->count > 0 ? row->label
                                         : NULL,
            .run = r,
            .colour = several ? run->colour : l,
            .raw = !several && !row->exact,
            .dots = row->dots,
            .exact = row->exact};
        if (l == 0 || !is_empty(series))
            DT_TRY(dt_chart_add(chart, series, &like, columns));
    }
    return DT_OK;
}

/* The best are drawn last, and so above the others. */
static dt_status create_chart(dt_chart *chart, const dt_run_set *set, int c, int columns) {
    *chart = (dt_chart){.id = table[c].id,
                        .title = table[c].title,
                        .unit = table[c].unit,
                        .from_zero = table[c].from_zero,
                        .domain = &set->domain};
    for (int r = set->count - 1; r >= 0; r--)
        DT_TRY(add_run(chart, set, r, c, columns));
    return DT_OK;
}

/* What happened in the run, one of a kind and a column. */
static int find_marks(const dt_run_set *set, dt_chart_mark *marks) {
    static const char kinds[DT_RUN_EVENT_KINDS] = {
        [DT_RUN_EVENT_RESUME] = 'r', [DT_RUN_EVENT_SPIKE] = 's', [DT_RUN_EVENT_SKIP] = 'n'};
    const dt_run_metrics *metrics = &set->run[0].metrics;
    const double span = set->domain.high[DT_CHART_STEPS] - set->domain.low[DT_CHART_STEPS];
    double last[DT_RUN_EVENT_KINDS];
    int count = 0;
    for (int k = 0; k < DT_RUN_EVENT_KINDS; k++)
        last[k] = -HUGE_VAL;
    for (int64_t i = 0; i < metrics->events && count < MARKS_MAX; i++) {
        const dt_run_event *event = &metrics->event[i];
        const double step = (double)event->step;
        if (kinds[event->kind] == 0 || step - last[event->kind] < span / MARKS_MAX)
            continue;
        last[event->kind] = step;
        marks[count++] = (dt_chart_mark){step, kinds[event->kind], 0};
    }
    return count;
}

dt_status dt_run_charts_create(dt_run_charts *charts, const dt_run_set *set) {
    const bool several = set->count > 1;
    const int columns = choose_columns(set);
    *charts = (dt_run_charts){.mark = calloc(MARKS_MAX, sizeof *charts->mark)};
    if (charts->mark == NULL)
        return dt_fail("out of memory for charts");
    for (int c = 0; c < DT_RUN_CHARTS; c++) {
        if ((several ? table[c].single : table[c].several) ||
            (table[c].line[0].number == DT_RUN_BITS_PER_BYTE && !set->by_bytes))
            continue;
        dt_chart *chart = &charts->chart[charts->count];
        const dt_status status = create_chart(chart, set, c, columns);
        charts->count += chart->lines > 0;
        if (chart->lines == 0)
            dt_chart_free(chart);
        DT_TRY(status);
    }
    if (!several && charts->count > 0) {
        charts->chart[0].mark = charts->mark;
        charts->chart[0].marks = find_marks(set, charts->mark);
    }
    return DT_OK;
}

const dt_chart *dt_run_charts_find(const dt_run_charts *charts, const char *name) {
    char names[256] = "";
    for (int c = 0; c < charts->count; c++) {
        const size_t used = strlen(names);
        if (strcmp(charts->chart[c].id, name) == 0)
            return &charts->chart[c];
        snprintf(names + used, sizeof names - used, "%s%s", c ? ", " : "", charts->chart[c].id);
    }
    (void)dt_usage("--chart: expected one of %s, found %s",
                   *names ? names : "no chart, since there are no losses yet", name);
    return NULL;
}

/* A member of a run's object: what it has by each knot, in units of the page. */
static void put_knots(FILE *file, const char *key, const dt_series *series, double unit, bool steps) {
    const double first = series->count ? series->step[0] : 0.0;
    const double last = series->count ? series->step[series->count - 1] : 0.0;
    const int knots = (int)dt_min(KNOTS, series->count);
    fprintf(file, ",\"%s\":[", key);
    for (int k = 0; k < knots; k++) {
        const double step = knots > 1 ? first + (last - first) * k / (knots - 1) : first;
        fprintf(file, "%s%.8g", k ? "," : "", steps ? step : dt_series_at(series, step) / unit);
    }
    fputc(']', file);
}

static void put_run(const dt_run_set *set, const dt_run_shown *run, FILE *file) {
    const dt_series *tokens = &run->metrics.series[DT_RUN_TOKENS],
                    *hours = &run->metrics.series[DT_RUN_HOURS];
    fputs("{\"name\":", file);
    dt_page_json_text(file, run->label);
    put_knots(file, "steps", tokens, 1.0, true);
    put_knots(file, "tokens", tokens, 1.0, false);
    put_knots(file, "time", hours, set->domain.time_unit, false);
    fputc('}', file);
}

void dt_run_charts_data(const dt_run_charts *charts, const dt_run_set *set, FILE *file) {
    const dt_chart_domain *d = &set->domain;
    fprintf(file, "{\"smoothing\":%g,\n\"domain\":{\"tokens_name\":\"tokens\",\"time_name\":\"%s\"",
            DT_CHART_SMOOTHING, d->time_name);
    for (int s = 0; s < DT_CHART_SCALES; s++)
        fprintf(file, ",\"%s\":[%.9g,%.9g]", dt_chart_scale_names[s], d->low[s], d->high[s]);
    fputs("},\n\"runs\":[", file);
    for (int r = 0; r < set->count; r++) {
        fputs(r ? ",\n" : "", file);
        put_run(set, &set->run[r], file);
    }
    fputs("],\n\"charts\":[", file);
    for (int c = 0; c < charts->count; c++) {
        fputs(c ? ",\n" : "", file);
        dt_chart_data(&charts->chart[c], file);
    }
    fputs("]}\n", file);
}

void dt_run_charts_free(dt_run_charts *charts) {
    for (int c = 0; c < charts->count; c++)
        dt_chart_free(&charts->chart[c]);
    free(charts->mark);
    *charts = (dt_run_charts){0};
}
