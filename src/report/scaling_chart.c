/* From ranks and values to points of a page; what they mean is page.c's. */
#include "report/scaling_chart.h"

#include <math.h>

#include "report/axis.h"
#include "report/axis_marks.h"
#include "report/chart.h"
#include "report/page.h"

/* The plot's corners in units of the figure, whose size is that of a small chart. */
#define WIDTH  DT_CHART_SMALL
#define HEIGHT DT_CHART_HEIGHT
#define LEFT   58.0
#define RIGHT  (WIDTH - 18.0)
#define TOP    44.0
#define BOTTOM (HEIGHT - 40.0)

/* Lines of a grid; with more their numbers would touch. */
#define LINES_MAX 8

/* From one number of the ranks' axis to the next. */
#define NUMBER_DISTANCE 34.0

/* What lies beyond is drawn at the bound: no measurement is there, but a file can say so. */
#define VALUE_MIN 1e-30
#define VALUE_MAX 1e30

/* Ranges of the two axes; logarithms to base 2 where the axis is logarithmic. */
typedef struct axes {
    double x_high;
    double y_low, y_high;
} axes;

/* Any value as one that has a place on both kinds of axis. */
static double drawable(double value) {
    return value > VALUE_MIN ? fmin(value, VALUE_MAX) : VALUE_MIN; /* what is not a number is not larger */
}

static axes choose_axes(const dt_scaling_chart *c) {
    axes a = {1.0, 0.0, c->rising ? 1.0 : 110.0};
    for (int i = 0; i < c->count; i++) {
        const dt_scaling_chart_mark *mark = &c->measured[i];
        const double value = drawable(mark->value), predicted = drawable(c->predicted[i]);
        const double bar = mark->half_width > 0.0 ? mark->half_width : 0.0;
        /* A bar longer than its value would squeeze all else; it is cut off at the frame. */
        const double max = fmax(value + fmin(bar, value), predicted), min = fmin(value, predicted);
        a.x_high = fmax(a.x_high, log2(mark->ranks));
        if (c->rising) {
            a.y_high = fmax(a.y_high, fmax(ceil(log2(max)), log2(mark->ranks)));
            a.y_low = fmin(a.y_low, floor(log2(min)));
        } else
            a.y_high = fmax(a.y_high, 20.0 * ceil((max + 5.0) / 20.0));
    }
    return a;
}

static double x_of(const axes *a, double ranks) {
    /* A little room on both sides keeps marks off the frame. */
    return LEFT + 16.0 + (RIGHT - LEFT - 32.0) * log2(ranks) / a->x_high;
}

static double y_of(const dt_scaling_chart *c, const axes *a, double value) {
    const double at = c->rising ? log2(drawable(value)) : drawable(value);
    return BOTTOM - (BOTTOM - TOP) * (at - a->y_low) / (a->y_high - a->y_low);
}

static void draw_ranks_axis(const dt_scaling_chart *c, const axes *a, FILE *f) {
    char text[DT_AXIS_TEXT_BYTES];
    double last = -100.0;
    for (int i = 0; i < c->count; i++) {
        const double x = x_of(a, c->measured[i].ranks);
        const bool touches = x - last < NUMBER_DISTANCE;
        snprintf(text, sizeof text, "%.0f", c->measured[i].ranks);
        dt_axis_marks_tick(f, x, BOTTOM, touches ? "" : text);
        last = touches ? last : x;
    }
    fprintf(f,
            "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">ranks (log scale)</text>\n",
            0.5 * (LEFT + RIGHT), HEIGHT - 5.0);
}

/* A number short enough for its place beside the axis. */
static void print_value(double value, char *text, size_t text_bytes) {
    if (value > 0.0 && value < 1.0)
        snprintf(text, text_bytes, value > 1e-5 ? "1/%.0f" : "1/%.0e", 1.0 / value);
    else
        snprintf(text, text_bytes, value < 1e5 ? "%.0f" : "%.2g", value);
}

static void draw_values_axis(const dt_scaling_chart *c, const axes *a, FILE *f) {
    char text[32];
    const double range = a->y_high - a->y_low;
    const double step = c->rising ? ceil(range / LINES_MAX) : dt_axis_step(range, LINES_MAX);
    const double first = c->rising ? a->y_low : 0.0;
    for (int line = 0; line <= LINES_MAX && first + line * step <= a->y_high * (1.0 + 1e-9); line++) {
        const double at = first + line * step, value = c->rising ? exp2(at) : at;
        print_value(value, text, sizeof text);
        dt_axis_marks_value(f, LEFT, RIGHT, y_of(c, a, value), text);
    }
}

/* Where threads took turns on cores, no speed-up can be expected: the ground says so. */
static void draw_crowded(const dt_scaling_chart *c, const axes *a, FILE *f) {
    double before = 1.0;
    if (c->crowded_from <= 0.0)
        return;
    for (int i = 0; i < c->count; i++)
        if (c->measured[i].ranks < c->crowded_from)
            before = fmax(before, c->measured[i].ranks);
    const double from = c->crowded_from <= 1.0 ? LEFT : 0.5 * (x_of(a, before) + x_of(a, c->crowded_from));
    fprintf(f, "<rect class=\"crowded\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", from, TOP,
            RIGHT - from, BOTTOM - TOP);
    fprintf(f,
            "<text class=\"note\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">more threads than cores</text>\n",
            RIGHT, TOP - 6.0);
}

static void draw_ideal(const dt_scaling_chart *c, const axes *a, FILE *f) {
    const double max = exp2(a->x_high);
    fprintf(f, "<line class=\"ideal\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x_of(a, 1.0),
            y_of(c, a, c->rising ? 1.0 : 100.0), x_of(a, max), y_of(c, a, c->rising ? max : 100.0));
}

static void draw_predicted(const dt_scaling_chart *c, const axes *a, FILE *f) {
    fprintf(f, "<polyline class=\"predicted\" points=\"");
    for (int i = 0; i < c->count; i++)
        fprintf(f, "%.1f,%.1f ", x_of(a, c->measured[i].ranks), y_of(c, a, c->predicted[i]));
    fprintf(f, "\"/>\n");
    for (int i = 0; i < c->count; i++) {
        const double x = x_of(a, c->measured[i].ranks), y = y_of(c, a, c->predicted[i]);
        fprintf(f, "<path class=\"diamond\" d=\"M%.1f %.1f l4 4 -4 4 -4 -4z\"/>\n", x, y - 4.0);
    }
}

static void draw_error_bar(const dt_scaling_chart *c, const axes *a, const dt_scaling_chart_mark *mark,
                           FILE *f) {
    /* An interval that reaches 0 has no place on a logarithmic axis: it is drawn to the axis's end. */
    const double min = c->rising ? exp2(a->y_low) : 0.0, x = x_of(a, mark->ranks);
    const double low = y_of(c, a, fmax(mark->value - mark->half_width, min));
    const double high = fmax(y_of(c, a, mark->value + mark->half_width), TOP);
    fprintf(f, "<path class=\"bar\" d=\"M%.1f %.1fV%.1fM%.1f %.1fh7M%.1f %.1fh7\"/>\n", x, low, high, x - 3.5,
            low, x - 3.5, high);
}

static void draw_measured(const dt_scaling_chart *c, const axes *a, FILE *f) {
    fprintf(f, "<polyline class=\"measured\" points=\"");
    for (int i = 0; i < c->count; i++)
        fprintf(f, "%.1f,%.1f ", x_of(a, c->measured[i].ranks), y_of(c, a, c->measured[i].value));
    fprintf(f, "\"/>\n");
    for (int i = 0; i < c->count; i++) {
        const dt_scaling_chart_mark *mark = &c->measured[i];
        if (mark->half_width > 0.0)
            draw_error_bar(c, a, mark, f);
        fprintf(f,
                "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"4\"><title>%.0f ranks: "
                "%.3g</title></circle>\n",
                x_of(a, mark->ranks), y_of(c, a, mark->value), mark->ranks, mark->value);
    }
}

static void draw_inside(const dt_scaling_chart *c, FILE *f) {
    const axes a = choose_axes(c);
    fprintf(f, "<text class=\"title\" x=\"12\" y=\"24\">%s<tspan class=\"unit\" dx=\"8\">%s</tspan></text>\n",
            c->title, c->unit);
    draw_crowded(c, &a, f);
    draw_values_axis(c, &a, f);
    dt_axis_marks_line(f, LEFT, RIGHT, BOTTOM);
    draw_ranks_axis(c, &a, f);
    draw_ideal(c, &a, f);
    draw_predicted(c, &a, f);
    draw_measured(c, &a, f);
}

void dt_scaling_chart_draw(const dt_scaling_chart *c, FILE *f) {
    fprintf(f, "<svg class=\"chart\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", WIDTH,
            HEIGHT, c->title);
    draw_inside(c, f);
    fputs("</svg>\n", f);
}

void dt_scaling_chart_draw_at(const dt_scaling_chart *c, double x, double y, FILE *f) {
    fprintf(f, "<g transform=\"translate(%.0f %.0f)\">\n", x, y);
    draw_inside(c, f);
    fputs("</g>\n", f);
}

/* A sign of each series, 28 wide and 12 high, and its name. */
static const struct {
    const char *sign, *name;
    double width; /* with the sign and the distance to the next one */
} series[] = {
    {"<path class=\"measured\" d=\"M0 6h28\"/><circle class=\"dot\" cx=\"14\" cy=\"6\" r=\"4\"/>",
     "measured, with 95&#160;% confidence interval", 330.0},
    {"<path class=\"predicted\" d=\"M0 6h28\"/><path class=\"diamond\" d=\"M14 2l4 4 -4 4 -4 -4z\"/>",
     "predicted by the plan", 200.0},
    {"<path class=\"ideal\" d=\"M0 6h28\"/>", "ideal", 100.0}};

#define SERIES ((int)(sizeof series / sizeof *series))

void dt_scaling_chart_key(FILE *f) {
    fputs("<div class=\"key\">\n", f);
    for (int i = 0; i < SERIES; i++)
        fprintf(f, "<span><svg viewBox=\"0 0 28 12\" aria-hidden=\"true\">%s</svg>%s</span>\n",
                series[i].sign, series[i].name);
    fputs("</div>\n", f);
}

void dt_scaling_chart_key_at(double x, double y, FILE *f) {
    for (int i = 0; i < SERIES; i++) {
        fprintf(
            f,
            "<g transform=\"translate(%.0f %.0f)\">%s<text class=\"label\" x=\"36\" y=\"10\">%s</text></g>\n",
            x, y, series[i].sign, series[i].name);
        x += series[i].width;
    }
}
