/* A dot a run; a line joins the best run of each value. Values that are all numbers have their distances,
 * where they are above 0 and far apart those of their logarithms; others stand side by side. */
#include "report/option_charts.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "report/axis.h"
#include "report/axis_marks.h"
#include "report/chart.h"
#include "report/option_keys.h"
#include "report/page.h"

#define RUNS_MIN   3
#define CHARTS_MAX 6
/* Of other values than numbers: with more their names would touch. */
#define NAMES_MAX 5

#define WIDTH  DT_CHART_SMALL
#define LEFT   58.0
#define RIGHT  (WIDTH - 30.0)
#define TOP    44.0
#define BOTTOM (DT_CHART_HEIGHT - 40.0)
#define INSET  24.0 /* of the first and the last value from the plot's ends */

#define LOGARITHMIC_FROM 8.0 /* times the smallest value */
#define TICK_DISTANCE    44.0
#define TICKS_Y          6

/* A run with a loss and a value. */
typedef struct dot {
    const dt_run_shown *run;
    int index;       /* of the run */
    double loss, at; /* at: the value where it is a number, or its place among the others */
    char *value;
} dot;

typedef struct option_chart {
    const char *key;
    dot *dot; /* [count], by their values, the best of each first */
    int count;
    bool logarithmic;
    double x_low, x_high, y_low, y_high;
} option_chart;

static double loss_of(const dt_run_set *set, const dt_run_shown *run) {
    return set->by_bytes ? run->bits : !isnan(set->run[0].validation) ? run->validation : run->train;
}

static int compare_dots(const void *a, const void *b) {
    const dot *x = a, *y = b;
    if (x->at != y->at)
        return (x->at > y->at) - (x->at < y->at);
    const int order = strcmp(x->value, y->value);
    return order != 0 ? order : (x->loss > y->loss) - (x->loss < y->loss);
}

static bool is_number(const char *text, double *number) {
    char *end;
    *number = strtod(text, &end);
    return end != text && *end == 0 && isfinite(*number);
}

/* Takes the runs that have both; where all values are numbers `at` is theirs. Returns whether they are. */
static bool take_dots(option_chart *c, const dt_run_set *set) {
    bool numbers = true;
    for (int r = 0; r < set->count; r++) {
        const double loss = loss_of(set, &set->run[r]);
        char *value = isnan(loss) ? NULL : dt_option_keys_value(&set->run[r], c->key);
        if (value == NULL)
            continue;
        dot *d = &c->dot[c->count++];
        *d = (dot){&set->run[r], r, loss, 0.0, value};
        numbers = is_number(value, &d->at) && numbers;
    }
    for (int i = 0; !numbers && i < c->count; i++)
        c->dot[i].at = 0.0;
    qsort(c->dot, (size_t)c->count, sizeof *c->dot, compare_dots);
    return numbers;
}

/* Places for values that are no numbers. Returns how many values there are. */
static int count_values(option_chart *c, bool numbers) {
    int values = 0;
    for (int i = 0; i < c->count; i++) {
        values += i == 0 || strcmp(c->dot[i].value, c->dot[i - 1].value) != 0;
        if (!numbers)
            c->dot[i].at = values;
    }
    return values;
}

static void choose_ranges(option_chart *c, bool numbers) {
    c->x_low = c->dot[0].at;
    c->x_high = c->dot[c->count - 1].at;
    c->logarithmic = numbers && c->x_low > 0.0 && c->x_high >= LOGARITHMIC_FROM * c->x_low;
    c->y_low = HUGE_VAL;
    c->y_high = -HUGE_VAL;
    for (int i = 0; i < c->count; i++) {
        c->y_low = fmin(c->y_low, c->dot[i].loss);
        c->y_high = fmax(c->y_high, c->dot[i].loss);
    }
    const double air = c->y_high > c->y_low ? 0.06 * (c->y_high - c->y_low) : 0.1;
    c->y_low -= air;
    c->y_high += air;
}

static double x_of(const option_chart *c, double value) {
    const double at = c->logarithmic ? log(value / c->x_low) : value - c->x_low;
    const double all = c->logarithmic ? log(c->x_high / c->x_low) : c->x_high - c->x_low;
    return LEFT + INSET + (RIGHT - LEFT - 2.0 * INSET) * (all > 0.0 ? at / all : 0.5);
}

static double y_of(const option_chart *c, double loss) {
    return BOTTOM - (BOTTOM - TOP) * (loss - c->y_low) / (c->y_high - c->y_low);
}

static void put_axes(const option_chart *c, FILE *file) {
    dt_axis_ticks ticks;
    double last = -HUGE_VAL;
    dt_axis_choose(c->y_low, c->y_high, TICKS_Y, false, &ticks);
    for (int i = 0; i < ticks.count; i++)
        dt_axis_marks_value(file, LEFT, RIGHT, y_of(c, ticks.value[i]), ticks.text[i]);
    dt_axis_marks_line(file, LEFT, RIGHT, BOTTOM);
    for (int i = 0; i < c->count; i++) {
        const double x = x_of(c, c->dot[i].at);
        if (x - last < TICK_DISTANCE)
            continue;
        last = x;
        dt_axis_marks_tick(file, x, BOTTOM, c->dot[i].value);
    }
}

static void put_dots(const option_chart *c, FILE *file) {
    fputs("<path class=\"joined c8\" d=\"", file);
    for (int i = 0; i < c->count; i++)
        if (i == 0 || strcmp(c->dot[i].value, c->dot[i - 1].value) != 0)
            fprintf(file, "%c%.1f %.1f", i ? 'L' : 'M', x_of(c, c->dot[i].at), y_of(c, c->dot[i].loss));
    fputs("\"/>\n", file);
    for (int i = c->count - 1; i >= 0; i--) {
        const dot *d = &c->dot[i];
        fprintf(file, "<path class=\"dots spot c%d\" data-run=\"%d\" d=\"M%.1f %.1fh0\"><title>",
                d->run->colour, d->index, x_of(c, d->at), y_of(c, d->loss));
        dt_page_text(file, d->run->label);
        fprintf(file, ": %.4f</title></path>\n", d->loss);
    }
}

static void put_chart(const dt_run_set *set, const option_chart *c, FILE *file) {
    const char *loss = set->by_bytes                    ? "best validation loss, bits per byte"
                       : !isnan(set->run[0].validation) ? "best validation loss"
                                                        : "training loss";
    fputs("<div class=\"card\">\n<svg class=\"chart small\" role=\"img\" aria-label=\"", file);
    dt_page_text(file, c->key);
    fprintf(file, "\" viewBox=\"0 0 %.0f %.0f\" data-chart=\"option\" data-plot=\"%.1f %.1f %.1f %.1f\">\n",
            WIDTH, DT_CHART_HEIGHT, LEFT, RIGHT, TOP, BOTTOM);
    fputs("<text class=\"title\" x=\"12\" y=\"24\">", file);
    dt_page_text(file, c->key);
    fprintf(file, "<tspan class=\"unit\" dx=\"8\">%s%s</tspan></text>\n", loss,
            c->logarithmic ? ", log scale" : "");
    put_axes(c, file);
    put_dots(c, file);
    fputs("</svg>\n</div>\n", file);
}

/* The chart of an option, unless it says nothing. Returns whether there is one. */
static bool put_option(const dt_run_set *set, const char *key, bool first, FILE *file) {
    option_chart c = {.key = key, .dot = calloc((size_t)set->count, sizeof *c.dot)};
    if (c.dot == NULL)
        return false;
    const bool numbers = take_dots(&c, set);
    const int values = count_values(&c, numbers);
    const bool shown = values > 1 && (numbers || values <= NAMES_MAX);
    if (shown && first)
        fputs(
            "<h2>Loss by option</h2>\n<p class=\"caption\">A dot for each run; the line joins the best of each "
            "value.</p>\n<div class=\"charts\">\n",
            file);
    if (shown) {
        choose_ranges(&c, numbers);
        put_chart(set, &c, file);
    }
    for (int i = 0; i < c.count; i++)
        free(c.dot[i].value);
    free(c.dot);
    return shown;
}

void dt_option_charts_put(const dt_run_set *set, FILE *file) {
    const char *keys[DT_OPTION_KEYS_MAX];
    const int count = set->count < RUNS_MIN ? 0 : dt_option_keys_find(set, keys);
    int shown = 0;
    for (int k = 0; k < count && shown < CHARTS_MAX; k++)
        shown += put_option(set, keys[k], shown == 0, file);
    if (shown > 0)
        fputs("</div>\n", file);
}
