/* From lines to the paths of a picture. */
#include "report/chart.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "report/axis.h"
#include "report/axis_marks.h"
#include "report/chart_range.h"
#include "report/page.h"

#define LEFT   58.0
#define TOP    44.0
#define BOTTOM (DT_CHART_HEIGHT - 40.0)

/* Right of the plot: a margin, or the lines' names. */
#define MARGIN       18.0
#define LABEL_LETTER 8.2
#define LABEL_MAX    18 /* characters, beyond which a name is cut */
#define LABEL_LINE   14.0
#define LABELS_MAX   12

/* Of equal lines: a dash of the second of two, and dots, which chart.css has the width of, with rings. */
#define DASH      8.0
#define DOT       5.5
#define RING      4.0
#define RINGS_MAX 4

/* From one tick's text to the next. */
#define TICK_WIDTH   72.0
#define VALUE_HEIGHT 44.0

const char *const dt_chart_scale_names[DT_CHART_SCALES] = {"steps", "tokens", "time"};

/* Where the plot is, and how values become points of it. */
typedef struct frame {
    double right;
    const dt_chart_domain *domain;
    dt_chart_range range;
} frame;

/* Memory for one line more; chart->lines is not raised yet. */
static dt_chart_line *reserve(dt_chart *chart, const dt_chart_line *like, int columns) {
    dt_chart_line *larger = realloc(chart->line, (size_t)(chart->lines + 1) * sizeof *larger);
    if (larger == NULL)
        return NULL;
    chart->line = larger;
    dt_chart_line *line = &larger[chart->lines];
    *line = *like;
    line->column = dt_memory_alloc(columns, sizeof *line->column, "a chart");
    line->smooth = dt_memory_alloc(columns, sizeof *line->smooth, "a chart");
    if (line->column != NULL && line->smooth != NULL)
        return line;
    dt_memory_free(line->column);
    dt_memory_free(line->smooth);
    return NULL;
}

dt_status dt_chart_add(dt_chart *chart, const dt_series *series, const dt_chart_line *like, int columns) {
    const double first = chart->domain->low[DT_CHART_STEPS], last = chart->domain->high[DT_CHART_STEPS];
    DT_ASSERT(columns > 0);
    if (series->count == 0)
        return DT_OK;
    dt_chart_line *line = reserve(chart, like, columns);
    if (line == NULL)
        return dt_fail("out of memory for the chart %s", chart->id);
    dt_thin(series, first, last, line->column, columns);
    line->count = dt_thin_pack(line->column, columns);
    /* A run that has not come as far as others is smoothed by its own span. */
    const double span = series->step[series->count - 1] - series->step[0];
    dt_thin_smooth(line->column, line->count, line->exact ? 0.0 : DT_CHART_SMOOTHING * span, line->smooth);
    chart->lines++;
    return DT_OK;
}

void dt_chart_free(dt_chart *chart) {
    for (int l = 0; l < chart->lines; l++) {
        dt_memory_free(chart->line[l].column);
        dt_memory_free(chart->line[l].smooth);
    }
    free(chart->line);
    *chart = (dt_chart){0};
}

static double between(double value, double low, double high) {
    return high > low ? (value - low) / (high - low) : 0.5;
}

static double x_of(const frame *f, dt_chart_scale scale, double value) {
    return LEFT + (f->right - LEFT) * between(value, f->domain->low[scale], f->domain->high[scale]);
}

/* A value beyond the axis stands on its end. */
static double y_of(const frame *f, double value) {
    const double at = between(value, f->range.low, f->range.high);
    return BOTTOM - (BOTTOM - TOP) * fmin(fmax(at, 0.0), 1.0);
}

/* Names stand at the ends of lines where they are few enough to be read there. */
static bool has_labels(const dt_chart *chart) {
    int labels = 0;
    for (int l = 0; l < chart->lines; l++)
        labels += chart->line[l].label != NULL;
    return labels > 0 && labels <= LABELS_MAX;
}

static double label_width(const dt_chart *chart) {
    size_t longest = 0;
    for (int l = 0; l < chart->lines; l++)
        if (chart->line[l].label != NULL && strlen(chart->line[l].label) > longest)
            longest = strlen(chart->line[l].label);
    return 14.0 + LABEL_LETTER * (double)(longest < LABEL_MAX ? longest : LABEL_MAX + 3);
}

static frame choose_frame(const dt_chart *chart, double width) {
    return (frame){.right = width - (has_labels(chart) ? label_width(chart) : MARGIN),
                   .domain = chart->domain,
                   .range = dt_chart_range_choose(chart->line, chart->lines, chart->from_zero)};
}

static void draw_scale(const frame *f, dt_chart_scale scale, FILE *file) {
    static const char *const names[DT_CHART_SCALES] = {"step", "tokens", NULL};
    dt_axis_ticks ticks;
    const double width = f->right - LEFT;
    const int max = (int)dt_max(2, dt_min((int64_t)(width / TICK_WIDTH) + 1, 12));
    dt_axis_choose(f->domain->low[scale], f->domain->high[scale], max, scale == DT_CHART_STEPS, &ticks);
    fprintf(file, "<g class=\"scale %s\">\n", dt_chart_scale_names[scale]);
    for (int i = 0; i < ticks.count; i++)
        dt_axis_marks_tick(file, x_of(f, scale, ticks.value[i]), BOTTOM, ticks.text[i]);
    fprintf(file, "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%s</text>\n</g>\n",
            0.5 * (LEFT + f->right), DT_CHART_HEIGHT - 5.0,
            scale == DT_CHART_TIME ? f->domain->time_name : names[scale]);
}

static void draw_values(const frame *f, FILE *file) {
    dt_axis_ticks ticks;
    const int max = (int)((BOTTOM - TOP) / VALUE_HEIGHT) + 1;
    dt_axis_choose(f->range.low, f->range.high, max, false, &ticks);
    for (int i = 0; i < ticks.count; i++)
        dt_axis_marks_value(file, LEFT, f->right, y_of(f, ticks.value[i]), ticks.text[i]);
    dt_axis_marks_line(file, LEFT, f->right, BOTTOM);
}

static void draw_title(const dt_chart *chart, const frame *f, double width, FILE *file) {
    fprintf(file,
            "<text class=\"title\" x=\"12\" y=\"24\">%s<tspan class=\"unit\" dx=\"8\">%s</tspan></text>\n",
            chart->title, chart->unit);
    if (f->range.above > 0)
        fprintf(file,
                "<text class=\"note\" x=\"%.1f\" y=\"24\" text-anchor=\"end\">%d point%s beyond the "
                "axis</text>\n",
                width - MARGIN, f->range.above, f->range.above == 1 ? "" : "s");
}

/* Equal lines would hide one another: how many of them lie below this one, and how many there are. */
typedef struct twins {
    int below, all;
} twins;

static bool is_same_line(const dt_chart_line *a, const dt_chart_line *b) {
    if (a->count != b->count)
        return false;
    for (int i = 0; i < a->count; i++)
        if (a->column[i].step != b->column[i].step || a->smooth[i] != b->smooth[i])
            return false;
    return true;
}

static twins find_twins(const dt_chart *chart, int index) {
    twins found = {0, 0};
    for (int l = 0; l < chart->lines; l++) {
        const bool same = is_same_line(&chart->line[l], &chart->line[index]);
        found.all += same;
        found.below += same && l < index;
    }
    return found;
}

/* The span of each column's values: along the largest, and back along the smallest. */
static void draw_raw(const frame *f, const dt_chart_line *line, int index, FILE *file) {
    fprintf(file, "<path class=\"raw c%d\" data-line=\"%d\" d=\"", line->colour, index);
    for (int i = 0; i < line->count; i++)
        fprintf(file, "%c%.1f %.1f", i == 0 ? 'M' : 'L', x_of(f, DT_CHART_STEPS, line->column[i].step),
                y_of(f, line->column[i].max));
    for (int i = line->count - 1; i >= 0; i--)
        fprintf(file, "L%.1f %.1f", x_of(f, DT_CHART_STEPS, line->column[i].step),
                y_of(f, line->column[i].min));
    fputs("Z\"/>\n", file);
}

/* Of equal lines the lowest is whole, and those above leave it more and more room between their dashes. */
static void draw_line(const frame *f, const dt_chart_line *line, int index, twins equal, FILE *file) {
    fprintf(file, "<path class=\"%s c%d\" data-line=\"%d\"", line->dots ? "joined" : "line", line->colour,
            index);
    if (equal.below > 0)
        fprintf(file, " stroke-dasharray=\"%.0f %.0f\"", DASH * (equal.all - equal.below),
                DASH * equal.below);
    fputs(" d=\"", file);
    for (int i = 0; i < line->count; i++)
        fprintf(file, "%c%.1f %.1f", i == 0 ? 'M' : 'L', x_of(f, DT_CHART_STEPS, line->column[i].step),
                y_of(f, line->smooth[i]));
    fputs("\"/>\n", file);
}

/* Dots are strokes of no length with round ends: one path, however many they are. A line of one point is a
 * dot too. Those of equal lines are rings around one another, as far as there is room. */
static void draw_dots(const frame *f, const dt_chart_line *line, int index, twins equal, FILE *file) {
    const int above = (int)dt_min(equal.all - equal.below - 1, RINGS_MAX);
    if (!line->dots && line->count > 1)
        return;
    fprintf(file, "<path class=\"dots c%d\" data-line=\"%d\"", line->colour, index);
    if (above > 0)
        fprintf(file, " style=\"stroke-width:%.1f\"", DOT + RING * above);
    fputs(" d=\"", file);
    for (int i = 0; i < line->count; i++)
        fprintf(file, "M%.1f %.1fh0", x_of(f, DT_CHART_STEPS, line->column[i].step),
                y_of(f, line->column[i].mean));
    fputs("\"/>\n", file);
}

static void draw_marks(const dt_chart *chart, const frame *f, FILE *file) {
    for (int i = 0; i < chart->marks; i++) {
        const dt_chart_mark *mark = &chart->mark[i];
        fprintf(file, "<g class=\"mark\" data-run=\"%d\" data-step=\"%.0f\" transform=\"translate(%.1f 0)\">",
                mark->run, mark->step, x_of(f, DT_CHART_STEPS, mark->step));
        if (mark->kind == 'r')
            fprintf(file, "<path class=\"resume\" d=\"M0 %.1fV%.1f\"><title>resumed after step %.0f</title>",
                    TOP, BOTTOM, mark->step);
        else if (mark->kind == 's')
            fprintf(file,
                    "<path class=\"spike\" d=\"M0 %.1fl4 -8h-8z\"><title>loss spike at step %.0f</title>",
                    TOP, mark->step);
        else
            fprintf(
                file,
                "<path class=\"skip\" d=\"M-3.5 %.1fl7 7m0 -7l-7 7\"><title>step %.0f was skipped</title>",
                BOTTOM - 9.0, mark->step);
        fputs("</path></g>\n", file);
    }
}

/* A name at the end of its line. */
typedef struct label {
    const dt_chart_line *line;
    double y;
} label;

static int compare_labels(const void *a, const void *b) {
    const double x = ((const label *)a)->y, y = ((const label *)b)->y;
    return (x > y) - (x < y);
}

/* Names keep a line's distance, and stay beside the plot. */
static void spread_labels(label *labels, int count) {
    for (int i = 1; i < count; i++)
        labels[i].y = fmax(labels[i].y, labels[i - 1].y + LABEL_LINE);
    for (int i = count - 1; i >= 0; i--) {
        const double limit = i == count - 1 ? BOTTOM : labels[i + 1].y - LABEL_LINE;
        labels[i].y = fmin(labels[i].y, limit);
    }
}

/* Names of a sweep's runs often differ at their ends: a long one is cut in its middle. */
static void put_label(FILE *file, const char *text) {
    const size_t length = strlen(text);
    if (length <= LABEL_MAX) {
        dt_page_text(file, text);
        return;
    }
    const char *end = text + length - LABEL_MAX / 2;
    while (((unsigned char)*end & 0xC0) == 0x80)
        end++; /* within a character */
    dt_page_text_start(file, text, LABEL_MAX / 2);
    dt_page_text(file, end);
}

static void draw_labels(const dt_chart *chart, const frame *f, FILE *file) {
    label labels[LABELS_MAX];
    int count = 0;
    if (!has_labels(chart))
        return;
    for (int l = 0; l < chart->lines; l++) {
        const dt_chart_line *line = &chart->line[l];
        const int last = line->count - 1;
        if (line->label != NULL)
            labels[count++] = (label){line, y_of(f, line->smooth[last])};
    }
    qsort(labels, (size_t)count, sizeof *labels, compare_labels);
    spread_labels(labels, count);
    for (int i = 0; i < count; i++) {
        fprintf(file, "<text class=\"name c%d\" data-run=\"%d\" x=\"%.1f\" y=\"%.1f\">",
                labels[i].line->colour, labels[i].line->run, f->right + 8.0, labels[i].y + 4.0);
        put_label(file, labels[i].line->label);
        fputs("</text>\n", file);
    }
}

void dt_chart_draw_inside(const dt_chart *chart, double width, FILE *file) {
    const frame f = choose_frame(chart, width);
    draw_title(chart, &f, width, file);
    draw_values(&f, file);
    for (int s = 0; s < DT_CHART_SCALES; s++)
        draw_scale(&f, (dt_chart_scale)s, file);
    for (int l = 0; l < chart->lines; l++)
        if (chart->line[l].raw)
            draw_raw(&f, &chart->line[l], l, file);
    for (int l = 0; l < chart->lines; l++)
        draw_line(&f, &chart->line[l], l, find_twins(chart, l), file);
    for (int l = 0; l < chart->lines; l++)
        draw_dots(&f, &chart->line[l], l, find_twins(chart, l), file);
    draw_marks(chart, &f, file);
    draw_labels(chart, &f, file);
}

void dt_chart_draw(const dt_chart *chart, double width, FILE *file) {
    const frame f = choose_frame(chart, width);
    fprintf(file,
            "<svg class=\"chart %s\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\" "
            "data-chart=\"%s\" data-plot=\"%.1f %.1f %.1f %.1f\" data-values=\"%.9g %.9g\">\n",
            width > DT_CHART_SMALL ? "wide" : "small", width, DT_CHART_HEIGHT, chart->title, chart->id, LEFT,
            f.right, TOP, BOTTOM, f.range.low, f.range.high);
    dt_chart_draw_inside(chart, width, file);
    fputs("</svg>\n", file);
}

/* A member of a line's object: numbers of its columns. */
static void put_numbers(FILE *file, const char *key, const dt_chart_line *line, size_t offset, int digits) {
    fprintf(file, ",\"%s\":[", key);
    for (int i = 0; i < line->count; i++)
        fprintf(file, "%s%.*g", i ? "," : "", digits,
                *(const double *)(const void *)((const char *)&line->column[i] + offset));
    fputc(']', file);
}

void dt_chart_data(const dt_chart *chart, FILE *file) {
    fprintf(file, "{\"id\":\"%s\",\"title\":\"%s\",\"unit\":\"%s\",\"lines\":[", chart->id, chart->title,
            chart->unit);
    for (int l = 0; l < chart->lines; l++) {
        const dt_chart_line *line = &chart->line[l];
        fprintf(file, "%s\n{\"run\":%d,\"colour\":%d,\"exact\":%s,\"label\":", l ? "," : "", line->run,
                line->colour, line->exact ? "true" : "false");
        dt_page_json_text(file, line->label ? line->label : "");
        put_numbers(file, "step", line, offsetof(dt_thin_column, step), 8);
        put_numbers(file, "mean", line, offsetof(dt_thin_column, mean), 6);
        if (line->raw) {
            put_numbers(file, "min", line, offsetof(dt_thin_column, min), 5);
            put_numbers(file, "max", line, offsetof(dt_thin_column, max), 5);
        }
        fputc('}', file);
    }
    fputs("]}", file);
}
