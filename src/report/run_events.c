/* A row of strokes for each kind, and a table of sentences. */
#include "report/run_events.h"

#include <inttypes.h>
#include <math.h>
#include <stdlib.h>

#include "base/plural.h"
#include "base/units.h"
#include "report/axis.h"
#include "report/axis_marks.h"
#include "report/page.h"

/* The picture: its width, that of the rows' names, and of a row. */
#define WIDTH  DT_CHART_WIDE
#define LEFT   150.0
#define RIGHT  (WIDTH - 18.0)
#define TOP    14.0
#define ROW    26.0
#define BOTTOM 44.0

/* Strokes of a row, each of one unit of the picture. */
#define STROKES_MAX 1000

/* Rows of the table: the last ones. */
#define EVENTS_SHOWN 100

/* A row: of events of two kinds, or of a series. */
typedef struct event_row {
    const char *name;
    dt_run_event_kind kind, other;
    dt_run_number number; /* DT_RUN_NUMBERS: of events */
} event_row;

static const event_row rows[] = {
    {"starts", DT_RUN_EVENT_START, DT_RUN_EVENT_RESUME, DT_RUN_NUMBERS},
    {"stops", DT_RUN_EVENT_END, DT_RUN_EVENT_FAILED, DT_RUN_NUMBERS},
    {"loss spikes", DT_RUN_EVENT_SPIKE, DT_RUN_EVENT_SPIKE, DT_RUN_NUMBERS},
    {"skipped steps", DT_RUN_EVENT_SKIP, DT_RUN_EVENT_SKIP, DT_RUN_NUMBERS},
    {"evaluations", DT_RUN_EVENT_KINDS, DT_RUN_EVENT_KINDS, DT_RUN_VALIDATION},
    {"saves", DT_RUN_EVENT_KINDS, DT_RUN_EVENT_KINDS, DT_RUN_SAVE_MS},
};

#define ROWS ((int)(sizeof rows / sizeof *rows))

static bool is_of(const dt_run_event *event, const event_row *row) {
    return event->kind == row->kind || event->kind == row->other;
}

static int64_t count_of(const dt_run_metrics *metrics, const event_row *row) {
    int64_t count = 0;
    if (row->number != DT_RUN_NUMBERS)
        return metrics->series[row->number].count;
    for (int64_t i = 0; i < metrics->events; i++)
        count += is_of(&metrics->event[i], row);
    return count;
}

/* One stroke, unless there is one where it would stand. */
static void put_stroke(const dt_chart_domain *d, double step, double *last, double y, FILE *file) {
    const double low = d->low[DT_CHART_STEPS], span = d->high[DT_CHART_STEPS] - low;
    const double x = LEFT + (RIGHT - LEFT) * (span > 0.0 ? (step - low) / span : 0.5);
    if (x - *last < (RIGHT - LEFT) / STROKES_MAX)
        return;
    *last = x;
    fprintf(file,
            "<g data-run=\"0\" data-step=\"%.0f\" transform=\"translate(%.1f 0)\"><path class=\"happened\" "
            "d=\"M0 %.1fv14\"/></g>",
            step, x, y - 7.0);
}

static void put_strokes(const dt_run_set *set, const event_row *row, double y, FILE *file) {
    const dt_run_metrics *metrics = &set->run[0].metrics;
    double last = -HUGE_VAL;
    if (row->number != DT_RUN_NUMBERS) {
        for (int64_t i = 0; i < metrics->series[row->number].count; i++)
            put_stroke(&set->domain, metrics->series[row->number].step[i], &last, y, file);
        return;
    }
    for (int64_t i = 0; i < metrics->events; i++)
        if (is_of(&metrics->event[i], row))
            put_stroke(&set->domain, (double)metrics->event[i].step, &last, y, file);
}

static void put_scale(const dt_chart_domain *d, dt_chart_scale scale, double y, FILE *file) {
    dt_axis_ticks ticks;
    const double low = d->low[scale], span = d->high[scale] - low;
    dt_axis_choose(low, d->high[scale], 11, scale == DT_CHART_STEPS, &ticks);
    fprintf(file, "<g class=\"scale %s\">", dt_chart_scale_names[scale]);
    for (int i = 0; i < ticks.count; i++) {
        const double x = LEFT + (RIGHT - LEFT) * (span > 0.0 ? (ticks.value[i] - low) / span : 0.5);
        dt_axis_marks_tick(file, x, y, ticks.text[i]);
    }
    fprintf(file, "<text class=\"label\" x=\"12\" y=\"%.1f\">%s</text></g>\n", y + 18.0,
            scale == DT_CHART_TIME ? d->time_name : dt_chart_scale_names[scale]);
}

static void put_picture(const dt_run_set *set, FILE *file) {
    const dt_run_metrics *metrics = &set->run[0].metrics;
    int shown = 0;
    for (int k = 0; k < ROWS; k++)
        shown += count_of(metrics, &rows[k]) > 0;
    const double bottom = TOP + ROW * shown;
    fprintf(file,
            "<div class=\"card scroll\"><svg class=\"chart events\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" "
            "aria-label=\"events\" data-chart=\"events\" data-plot=\"%.1f %.1f %.1f %.1f\">\n",
            WIDTH, bottom + BOTTOM, LEFT, RIGHT, TOP, bottom);
    for (int k = 0, at = 0; k < ROWS; k++) {
        const int64_t count = count_of(metrics, &rows[k]);
        if (count == 0)
            continue;
        const double y = TOP + ROW * (at++ + 0.5);
        fprintf(file,
                "<text x=\"12\" y=\"%.1f\">%s <tspan class=\"number\">%s</tspan></text><path class=\"grid\" "
                "d=\"M%.1f %.1fH%.1f\"/>",
                y + 4.0, rows[k].name, dt_units_count((double)count).text, LEFT, y, RIGHT);
        put_strokes(set, &rows[k], y, file);
        fputc('\n', file);
    }
    dt_axis_marks_line(file, LEFT, RIGHT, bottom);
    for (int s = 0; s < DT_CHART_SCALES; s++)
        put_scale(&set->domain, (dt_chart_scale)s, bottom, file);
    fputs("</svg></div>\n", file);
}

static double number(const json_t *line, const char *key) {
    return json_number_value(json_object_get(line, key));
}

static void put_string(const json_t *line, const char *key, FILE *file) {
    const char *text = json_string_value(json_object_get(line, key));
    dt_page_text(file, text ? text : "unknown");
}

static void put_sentence(const dt_run_event *event, FILE *file) {
    const json_t *line = event->line;
    switch (event->kind) {
    case DT_RUN_EVENT_START:
    case DT_RUN_EVENT_RESUME:
        fprintf(file, "%s at ", event->kind == DT_RUN_EVENT_START ? "started" : "resumed");
        put_string(line, "time", file);
        fprintf(file, " on %.0f rank%s", number(line, "ranks"), dt_plural_s((int64_t)number(line, "ranks")));
        break;
    case DT_RUN_EVENT_SPIKE:
        fprintf(file, "loss spike: %.1f standard deviations above %.4f, the mean before it",
                number(line, "z"), number(line, "mean"));
        break;
    case DT_RUN_EVENT_SKIP:
        fprintf(file, "step skipped, number %.0f in a row; not finite: ", number(line, "in_a_row"));
        put_string(line, "first", file);
        break;
    case DT_RUN_EVENT_OUTPUT_LOST:
        put_string(line, "stream", file);
        fputs(" could no longer be written: ", file);
        put_string(line, "cause", file);
        break;
    case DT_RUN_EVENT_FAILED:
        fputs("failed: ", file);
        put_string(line, "cause", file);
        break;
    default:
        fputs("ended by ", file);
        put_string(line, "cause", file);
    }
}

static void put_table(const dt_run_metrics *metrics, FILE *file) {
    const int64_t first = metrics->events > EVENTS_SHOWN ? metrics->events - EVENTS_SHOWN : 0;
    if (metrics->events == 0)
        return;
    fprintf(file,
            "<details><summary>%s%" PRId64 " event%s in words</summary>\n<div "
            "class=\"scroll\"><table><thead><tr><th class=\"n\">step</th><th>what "
            "happened</th></tr></thead>\n<tbody>\n",
            first > 0 ? "The last " : "", metrics->events - first, dt_plural_s(metrics->events - first));
    for (int64_t i = first; i < metrics->events; i++) {
        fprintf(file, "<tr><td class=\"n\">%" PRId64 "</td><td>", metrics->event[i].step);
        put_sentence(&metrics->event[i], file);
        fputs("</td></tr>\n", file);
    }
    fputs("</tbody></table></div></details>\n", file);
}

void dt_run_events_put(const dt_run_set *set, FILE *file) {
    int64_t count = 0;
    for (int k = 0; k < ROWS; k++)
        count += count_of(&set->run[0].metrics, &rows[k]);
    if (count == 0)
        return;
    fputs("<h2>Events</h2>\n", file);
    put_picture(set, file);
    put_table(&set->run[0].metrics, file);
}
