/* From rates to points of a picture. Colours tell kernels apart, and shapes their passes. */
#include "report/roofline.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/plural.h"
#include "base/version.h"
#include "config/describe.h"
#include "report/axis_marks.h"
#include "report/chart.h"
#include "report/page.h"

/* Units of the picture: the whole, the plot, and the bars beside it. */
#define WIDTH      DT_CHART_WIDE
#define HEIGHT     472.0
#define LEFT       58.0
#define RIGHT      540.0
#define TOP        44.0
#define BOTTOM     342.0
#define BARS_TITLE 660.0
#define BARS_LEFT  830.0
#define BARS_RIGHT (WIDTH - 18.0)

/* The key: from the plot to its first line, and the width of a letter. */
#define KEY_BELOW  64.0
#define KEY_LINE   22.0
#define KEY_LETTER 7.2

/* From one line of notes to the next. */
#define NOTE_LINE 12.0

#define NAME_BYTES 32

/* Kernels beyond that share their colours with others; chart.css has them. */
#define COLOURS 8

/* The passes of a kernel, and their marks around a point; the last also stands for other names. */
static const struct {
    const char *pass, *path;
} marks[] = {{"forward", "m-4.2 0a4.2 4.2 0 1 0 8.4 0a4.2 4.2 0 1 0 -8.4 0z"},
             {"dX", "m-3.8 -3.8h7.6v7.6h-7.6z"},
             {"dW", "m0 -4.8l4.8 8.2h-9.6z"},
             {"backward", "m0 -5.2l5.2 5.2 -5.2 5.2 -5.2 -5.2z"}};

#define MARKS ((int64_t)(sizeof marks / sizeof *marks))

/* Logarithms to base 2 of the two axes' ends. */
typedef struct axes {
    double x_low, x_high, y_low, y_high;
} axes;

/* A section of the profile that multiplies. */
static bool multiplies(const dt_profile_row *r) {
    return r->calls > 0 && r->flop > 0.0 && r->bytes > 0.0 && r->seconds.minimum > 0.0;
}

static bool only_moves(const dt_profile_row *r) {
    return r->calls > 0 && r->flop <= 0.0 && r->bytes > 0.0 && r->seconds.minimum > 0.0;
}

static axes choose_axes(const dt_profile *p) {
    /* The ridge, where the roofs meet, is shown with some of either roof. */
    const double roof = dt_profile_roof(p), ridge = roof / p->peak.copy_bytes;
    axes a = {log2(ridge) - 1.0, log2(ridge) + 1.0, log2(roof) - 1.0, log2(roof)};
    for (int64_t i = 0; i < p->count; i++) {
        const dt_profile_row *r = &p->row[i];
        if (!multiplies(r))
            continue;
        a.x_low = fmin(a.x_low, log2(r->flop / r->bytes));
        a.x_high = fmax(a.x_high, log2(r->flop / r->bytes));
        a.y_low = fmin(a.y_low, log2(r->flop / r->seconds.minimum));
        a.y_high = fmax(a.y_high, log2(r->flop / r->seconds.minimum));
    }
    return (axes){a.x_low - 0.3, a.x_high + 0.3, a.y_low - 0.5, a.y_high + 0.2};
}

static double x_of(const axes *a, double intensity) {
    return LEFT + (RIGHT - LEFT) * (log2(intensity) - a->x_low) / (a->x_high - a->x_low);
}

static double y_of(const axes *a, double rate) {
    return BOTTOM - (BOTTOM - TOP) * (log2(rate) - a->y_low) / (a->y_high - a->y_low);
}

/* "c_fc dW" is the kernel "c_fc" and the pass "dW"; "loss" is a kernel without one. Returns the pass's place
 * among the marks. */
static int64_t split_name(const char *name, char kernel[NAME_BYTES]) {
    const char *space = strrchr(name, ' ');
    snprintf(kernel, NAME_BYTES, "%.*s", (int)(space ? space - name : (long)strlen(name)), name);
    int64_t mark = 0;
    while (space && mark < MARKS - 1 && strcmp(space + 1, marks[mark].pass) != 0)
        mark++;
    return mark;
}

/* Which of the kernels that multiply comes `row` from: 0 for the first in the table. */
static int64_t colour_of(const dt_profile *p, int64_t row) {
    char mine[NAME_BYTES], other[NAME_BYTES], last[NAME_BYTES] = "";
    int64_t colour = -1;
    split_name(p->row[row].name, mine);
    for (int64_t i = 0; i <= row; i++) {
        if (!multiplies(&p->row[i]))
            continue;
        split_name(p->row[i].name, other);
        colour += strcmp(other, last) != 0;
        memcpy(last, other, sizeof last);
    }
    return colour % COLOURS;
}

static void draw_text(FILE *f, const char *class, double x, double y, const char *anchor, const char *text) {
    fprintf(f, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">%s</text>\n", class, x, y, anchor,
            text);
}

static void draw_title(FILE *f, double x, const char *title, const char *unit) {
    fprintf(f,
            "<text class=\"title\" x=\"%.1f\" y=\"24\">%s<tspan class=\"unit\" dx=\"8\">%s</tspan></text>\n",
            x, title, unit);
}

static void draw_roof_line(FILE *f, double x1, double y1, double x2, double y2) {
    fprintf(f, "<path class=\"roof\" d=\"M%.1f %.1fL%.1f %.1f\"/>\n", x1, y1, x2, y2);
}

static void draw_axes(FILE *f, const axes *a) {
    char text[32];
    /* Rates in GFLOP/s at powers of two of a GFLOP/s, which are none of the axis's own, and half again. */
    for (int64_t i = 2 * (int64_t)floor(a->y_low - log2(1e9)); i <= 2 * (int64_t)(a->y_high - log2(1e9)) + 1;
         i++) {
        const double rate = 1e9 * exp2(floor(0.5 * (double)i)) * (i % 2 ? 1.5 : 1.0);
        if (log2(rate) < a->y_low || log2(rate) > a->y_high)
            continue;
        snprintf(text, sizeof text, "%.3g", 1e-9 * rate);
        dt_axis_marks_value(f, LEFT, RIGHT, y_of(a, rate), text);
    }
    dt_axis_marks_line(f, LEFT, RIGHT, BOTTOM);
    for (int64_t i = (int64_t)ceil(a->x_low); (double)i <= a->x_high; i++) {
        const double x = (double)i;
        snprintf(text, sizeof text, x < 0.0 ? "1/%.0f" : "%.0f", exp2(fabs(x)));
        dt_axis_marks_tick(f, x_of(a, exp2(x)), BOTTOM, text);
    }
    draw_text(f, "label", 0.5 * (LEFT + RIGHT), BOTTOM + 36.0, "middle", "FLOP per byte (log scale)");
}

/* A level roof from where memory allows it, and its words beside its end, below those of the roof above it.
 * `*lowest` is where words may be next. */
static void draw_roof(FILE *f, const axes *a, const dt_profile *p, double flops, const char *name,
                      double *lowest) {
    char text[64];
    if (!(flops > 0.0))
        return;
    const double ridge = fmax(flops / p->peak.copy_bytes, exp2(a->x_low));
    const double at = fmax(y_of(a, flops) + 3.5, *lowest);
    draw_roof_line(f, x_of(a, ridge), y_of(a, flops), RIGHT, y_of(a, flops));
    snprintf(text, sizeof text, "%s %.0f", name, 1e-9 * flops);
    draw_text(f, "note", RIGHT + 6.0, at, "start", text);
    *lowest = at + NOTE_LINE;
}

/* Where memory's slope is within the plot. */
static void draw_slope(FILE *f, const axes *a, const dt_profile *p) {
    const double highest = dt_profile_roof(p);
    const double low = fmax(exp2(a->x_low), exp2(a->y_low) / p->peak.copy_bytes),
                 high = fmin(exp2(a->x_high), highest / p->peak.copy_bytes);
    char text[64];
    draw_roof_line(f, x_of(a, low), y_of(a, low * p->peak.copy_bytes), x_of(a, high),
                   y_of(a, high * p->peak.copy_bytes));
    snprintf(text, sizeof text, "memory copy %.1f GB/s", 1e-9 * p->peak.copy_bytes);
    draw_text(f, "note", x_of(a, low) + 16.0, y_of(a, low * p->peak.copy_bytes) - 3.0, "start", text);
}

static void draw_mark(FILE *f, double x, double y, int64_t mark, int64_t colour, const char *title) {
    fprintf(f, "<path class=\"mark c%" PRId64 "\" d=\"M%.1f %.1f%s\"><title>%s</title></path>\n", colour, x,
            y, marks[mark].path, title);
}

static void draw_products(FILE *f, const axes *a, const dt_profile *p) {
    for (int64_t i = 0; i < p->count; i++) {
        const dt_profile_row *r = &p->row[i];
        char kernel[NAME_BYTES], title[128];
        if (!multiplies(r))
            continue;
        const int64_t mark = split_name(r->name, kernel);
        snprintf(title, sizeof title, "%s: %.1f GFLOP/s at %.1f FLOP per byte, %.1f %% of the step", r->name,
                 1e-9 * r->flop / r->seconds.minimum, r->flop / r->bytes,
                 1e2 * r->seconds.median / p->step.median);
        draw_mark(f, x_of(a, r->flop / r->bytes), y_of(a, r->flop / r->seconds.minimum), mark,
                  colour_of(p, i), title);
    }
}

/* Below the plot: the kernels by their colours, then the passes by their shapes. */
static void draw_key(FILE *f, const dt_profile *p) {
    const double line = BOTTOM + KEY_BELOW;
    char kernel[NAME_BYTES], last[NAME_BYTES] = "";
    double x = LEFT;
    for (int64_t i = 0; i < p->count; i++) {
        if (!multiplies(&p->row[i]))
            continue;
        split_name(p->row[i].name, kernel);
        if (strcmp(kernel, last) == 0)
            continue;
        memcpy(last, kernel, sizeof last);
        fprintf(f,
                "<rect class=\"mark c%" PRId64
                "\" x=\"%.1f\" y=\"%.1f\" width=\"10\" height=\"10\" rx=\"2\"/>\n",
                colour_of(p, i), x, line - 9.0);
        draw_text(f, "label", x + 15.0, line, "start", kernel);
        x += 32.0 + KEY_LETTER * (double)strlen(kernel);
    }
    x = LEFT;
    for (int64_t m = 0; m < MARKS; m++) {
        draw_mark(f, x + 5.0, line + KEY_LINE - 4.0, m, COLOURS, marks[m].pass);
        draw_text(f, "label", x + 15.0, line + KEY_LINE, "start", marks[m].pass);
        x += 32.0 + KEY_LETTER * (double)strlen(marks[m].pass);
    }
}

/* Beside the plot: what kernels move that do not multiply, against what memcpy does. */
static void draw_bars(FILE *f, const dt_profile *p) {
    double longest = p->peak.copy_bytes;
    int64_t bars = 0, bar = 0;
    char copied[32];
    for (int64_t i = 0; i < p->count; i++)
        if (only_moves(&p->row[i])) {
            longest = fmax(longest, p->row[i].bytes / p->row[i].seconds.minimum);
            bars++;
        }
    const double scale = (BARS_RIGHT - BARS_LEFT) / longest, copy = BARS_LEFT + scale * p->peak.copy_bytes;
    const double height = fmin((BOTTOM - TOP) / (double)(bars > 0 ? bars : 1), 26.0);
    draw_title(f, BARS_TITLE, "What else moves memory", "GB/s per rank");
    for (int64_t i = 0; i < p->count; i++) {
        const dt_profile_row *r = &p->row[i];
        char text[32];
        if (!only_moves(r))
            continue;
        const double rate = r->bytes / r->seconds.minimum, y = TOP + height * (double)bar++;
        draw_text(f, "number", BARS_LEFT - 8.0, y + 0.5 * height + 4.0, "end", r->name);
        fprintf(
            f,
            "<rect class=\"moved\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"><title>%s: %.1f GB/s, "
            "%.2f %% of the step</title></rect>\n",
            BARS_LEFT, y + 3.0, scale * rate, height - 6.0, r->name, 1e-9 * rate,
            1e2 * r->seconds.median / p->step.median);
        snprintf(text, sizeof text, "%.1f", 1e-9 * rate);
        draw_text(f, "inside", BARS_LEFT + 6.0, y + 0.5 * height + 4.0, "start", text);
    }
    draw_roof_line(f, copy, TOP - 4.0, copy, TOP + height * (double)bars);
    snprintf(copied, sizeof copied, "memory copy %.1f", 1e-9 * p->peak.copy_bytes);
    draw_text(f, "note", copy, TOP + height * (double)bars + 14.0, "middle", copied);
}

/* What is drawn. */
typedef struct subject {
    const dt_profile *profile;
    const dt_config *config;
} subject;

static void draw_caption(FILE *f, const subject *s) {
    char text[384], model[DT_DESCRIBE_BYTES];
    const dt_profile *p = s->profile;
    dt_describe_model(s->config, model);
    snprintf(text, sizeof text,
             "%s, kernels %s, %d rank%s x %d thread%s; %s, micro-batches of %" PRId64 "; dtrain %s",
             dt_dtype_names[p->compute], p->kernels, p->ranks, dt_plural_s(p->ranks), p->threads,
             dt_plural_s(p->threads), model, s->config->micro_batch_size, dt_version_commit());
    draw_text(f, "note", 12.0, HEIGHT - 10.0, "start", text);
}

static void draw(FILE *f, const void *context) {
    const subject *s = context;
    const dt_profile *p = s->profile;
    const axes a = choose_axes(p);
    double lowest = 0.0;
    dt_page_open_svg(f, "Roofline of a training step", WIDTH, HEIGHT);
    draw_title(f, 12.0, "Each kernel of a training step below the machine's roof",
               "GFLOP/s per rank, log scale");
    draw_axes(f, &a);
    draw_slope(f, &a, p);
    if (p->compute == DT_DTYPE_BF16)
        draw_roof(f, &a, p, p->peak.bf16_flops, "bf16", &lowest);
    draw_roof(f, &a, p, p->peak.fma_flops, "FMA", &lowest);
    draw_roof(f, &a, p, p->peak.sgemm_flops, "sgemm", &lowest);
    draw_products(f, &a, p);
    draw_key(f, p);
    draw_bars(f, p);
    draw_caption(f, s);
    dt_page_close_svg(f);
}

dt_status dt_roofline_write(const dt_profile *profile, const dt_config *config, const char *path) {
    const subject s = {profile, config};
    return dt_page_write(path, draw, &s, NULL);
}
