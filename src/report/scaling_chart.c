/* From ranks and values to points of a page; what they mean is page.c's. */
#include "report/scaling_chart.h"

#include <math.h>

/* The plot's corners and the whole, in units of the figure. */
#define WIDTH  330.0
#define HEIGHT 236.0
#define LEFT   44.0
#define RIGHT  318.0
#define TOP    30.0
#define BOTTOM 196.0

/* Lines of a grid; with more their numbers would touch. */
#define LINES_MAX 8

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
    return LEFT + 12.0 + (RIGHT - LEFT - 24.0) * log2(ranks) / a->x_high;
}

static double y_of(const dt_scaling_chart *c, const axes *a, double value) {
    const double at = c->rising ? log2(drawable(value)) : drawable(value);
    return BOTTOM - (BOTTOM - TOP) * (at - a->y_low) / (a->y_high - a->y_low);
}

static void draw_ranks_axis(const dt_scaling_chart *c, const axes *a, FILE *f) {
    double last = -100.0;
    for (int i = 0; i < c->count; i++) {
        const double x = x_of(a, c->measured[i].ranks);
        fprintf(f, "<line class=\"tick\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", x, BOTTOM, x,
                BOTTOM + 4.0);
        if (x - last < 20.0)
            continue; /* numbers would touch */
        last = x;
        fprintf(f, "<text class=\"number\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.0f</text>\n", x,
                BOTTOM + 16.0, c->measured[i].ranks);
    }
    fprintf(f,
            "<text class=\"label\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">ranks (log scale)</text>\n",
            0.5 * (LEFT + RIGHT), BOTTOM + 34.0);
}

static void draw_grid_line(const dt_scaling_chart *c, const axes *a, double value, const char *text,
                           FILE *f) {
    const double y = y_of(c, a, value);
    fprintf(f, "<line class=\"grid\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>\n", LEFT, y, RIGHT, y);
    fprintf(f, "<text class=\"number\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"end\">%s</text>\n", LEFT - 6.0,
            y + 3.5, text);
}

/* 1, 2 or 5 times a power of ten: the smallest that cuts the range into LINES_MAX sections or fewer. */
static double round_step(double range) {
    const double min = range / LINES_MAX, power = pow(10.0, floor(log10(min)));
    return power * (min <= power ? 1.0 : min <= 2.0 * power ? 2.0 : min <= 5.0 * power ? 5.0 : 10.0);
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
    const double step = c->rising ? ceil(range / LINES_MAX) : round_step(range);
    const double first = c->rising ? a->y_low : 0.0;
    for (int line = 0; line <= LINES_MAX && first + line * step <= a->y_high * (1.0 + 1e-9); line++) {
        const double at = first + line * step, value = c->rising ? exp2(at) : at;
        print_value(value, text, sizeof text);
        draw_grid_line(c, a, value, text, f);
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
                "<circle class=\"dot\" cx=\"%.1f\" cy=\"%.1f\" r=\"3.4\"><title>%.0f ranks: "
                "%.3g</title></circle>\n",
                x_of(a, mark->ranks), y_of(c, a, mark->value), mark->ranks, mark->value);
    }
}

void dt_scaling_chart_draw(const dt_scaling_chart *c, FILE *f) {
    const axes a = choose_axes(c);
    fprintf(f, "<svg class=\"chart\" viewBox=\"0 0 %.0f %.0f\" role=\"img\" aria-label=\"%s\">\n", WIDTH,
            HEIGHT, c->title);
    fprintf(f, "<text class=\"title\" x=\"%.1f\" y=\"14\">%s</text>\n", LEFT, c->title);
    draw_crowded(c, &a, f);
    draw_values_axis(c, &a, f);
    fprintf(f, "<rect class=\"frame\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>\n", LEFT, TOP,
            RIGHT - LEFT, BOTTOM - TOP);
    draw_ranks_axis(c, &a, f);
    fprintf(f,
            "<text class=\"label\" x=\"12\" y=\"%.1f\" text-anchor=\"middle\" transform=\"rotate(-90 12 "
            "%.1f)\">%s</text>\n",
            0.5 * (TOP + BOTTOM), 0.5 * (TOP + BOTTOM), c->unit);
    draw_ideal(c, &a, f);
    draw_predicted(c, &a, f);
    draw_measured(c, &a, f);
    fprintf(f, "</svg>\n");
}

void dt_scaling_chart_style(FILE *f) {
    fputs("svg text{font-family:Helvetica,Arial,'Liberation Sans',sans-serif;font-size:10.5px;fill:#333}\n"
          "svg .title{font-size:12px;font-weight:600;fill:#111}svg .label,svg .note{fill:#555}svg "
          ".note{font-size:9.5px}\n"
          "svg .grid{stroke:#e4e4e4;stroke-width:.8}svg .frame{fill:none;stroke:#888;stroke-width:.8}\n"
          "svg .tick{stroke:#888;stroke-width:.8}svg .crowded{fill:#f3f0ea}\n"
          "svg .ideal{stroke:#777;stroke-width:1.1;stroke-dasharray:5 3}\n"
          "svg .predicted{fill:none;stroke:#c2571a;stroke-width:1.3;stroke-dasharray:1.5 "
          "2.5;stroke-linecap:round}\n"
          "svg .diamond{fill:#fff;stroke:#c2571a;stroke-width:1.2}\n"
          "svg .measured{fill:none;stroke:#0b5fa5;stroke-width:1.8;stroke-linejoin:round}\n"
          "svg .bar{fill:none;stroke:#0b5fa5;stroke-width:1.1}svg .dot{fill:#0b5fa5}\n",
          f);
}

void dt_scaling_chart_key(FILE *f) {
    fputs("<svg class=\"key\" viewBox=\"0 0 660 18\" role=\"img\" aria-label=\"key of the series\">\n"
          "<line class=\"measured\" x1=\"44\" y1=\"9\" x2=\"72\" y2=\"9\"/><circle class=\"dot\" cx=\"58\" "
          "cy=\"9\" "
          "r=\"3.4\"/><text x=\"79\" y=\"12.5\">measured, with 95 % confidence interval</text>\n"
          "<line class=\"predicted\" x1=\"308\" y1=\"9\" x2=\"336\" y2=\"9\"/><path class=\"diamond\" "
          "d=\"M322 5l4 4 -4 4 "
          "-4 -4z\"/><text x=\"343\" y=\"12.5\">predicted by the plan</text>\n"
          "<line class=\"ideal\" x1=\"476\" y1=\"9\" x2=\"504\" y2=\"9\"/><text x=\"511\" "
          "y=\"12.5\">ideal</text>\n"
          "</svg>\n",
          f);
}
