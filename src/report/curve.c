/* Dots are set on a grid, and the grid is printed between its axes. */
#include "report/curve.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "report/thin.h"

#define LABEL_COLUMNS 10 /* of the vertical axis, with its line */
#define AXIS_ROWS     2

/* A cell of Braille has 2 x 4 dots; U+2800 and these bits make the character (Unicode, "Braille Patterns").
 */
#define CELL_WIDTH  2
#define CELL_HEIGHT 4
static const unsigned char dot_bits[CELL_HEIGHT][CELL_WIDTH] = {{1, 8}, {2, 16}, {4, 32}, {64, 128}};

typedef struct picture {
    int columns, rows; /* of characters between the axes */
    int wide, high;    /* of positions that a value can have: dots, or characters */
    double first_step, last_step, min, max;
    unsigned char *dots; /* [rows, columns]: Braille's bits */
    char *letters;       /* [rows, columns]: what stands above the dots; 0: nothing */
} picture;

static void span_steps(picture *p, const dt_series *series, bool *begun) {
    if (series->count == 0)
        return;
    const double first = series->step[0], last = series->step[series->count - 1];
    p->first_step = *begun ? fmin(p->first_step, first) : first;
    p->last_step = *begun ? fmax(p->last_step, last) : last;
    *begun = true;
}

static void span_value(picture *p, double value) {
    p->min = fmin(p->min, value);
    p->max = fmax(p->max, value);
}

static int row_of(const picture *p, double value) {
    return p->high - 1 - dt_thin_position(value, p->min, p->max, p->high);
}

/* Gathers a series into `columns`, [wide]; a column without a step lies on the line between its neighbours.
 */
static void gather(const picture *p, const dt_series *series, dt_thin_column *columns) {
    dt_thin(series, p->first_step, p->last_step, columns, p->wide);
    int before = -1;
    for (int x = 0; x < p->wide; x++) {
        if (columns[x].count == 0)
            continue;
        for (int between = before + 1; before >= 0 && between < x; between++) {
            const double from = columns[before].mean, to = columns[x].mean;
            const double value = from + (to - from) * (between - before) / (x - before);
            columns[between] = (dt_thin_column){.min = value, .max = value, .mean = value, .count = 1};
        }
        before = x;
    }
}

static void set_dot(picture *p, int x, int y) {
    p->dots[y / CELL_HEIGHT * p->columns + x / CELL_WIDTH] |= dot_bits[y % CELL_HEIGHT][x % CELL_WIDTH];
}

/* Of what is drawn: a mean that is steady is not made flat by the one step that was not. */
static void span_columns(picture *p, const dt_thin_column *columns, bool means) {
    for (int x = 0; x < p->wide; x++) {
        if (columns[x].count == 0)
            continue;
        const double mean = columns[x].mean;
        span_value(p, means ? mean : columns[x].min);
        span_value(p, means ? mean : columns[x].max);
    }
}

static void draw_dots(picture *p, const dt_thin_column *columns) {
    for (int x = 0; x < p->wide; x++)
        if (columns[x].count > 0)
            for (int y = row_of(p, columns[x].max); y <= row_of(p, columns[x].min); y++)
                set_dot(p, x, y);
}

/* Where run r stands in column x; -1 where it does not. */
static int row_of_run(const picture *p, const dt_thin_column *columns, int r, int x) {
    const dt_thin_column *column = &columns[(int64_t)r * p->wide + x];
    return column->count > 0 ? row_of(p, column->mean) : -1;
}

/* Runs that stand on one another take turns from column to column, so that equal ones are all seen. */
static void draw_letters(picture *p, const dt_thin_column *columns, int count, char first) {
    for (int x = 0; x < p->wide; x++)
        for (int r = 0; r < count; r++) {
            const int row = row_of_run(p, columns, r, x);
            int here = 0, before = 0;
            for (int other = 0; other < count; other++) {
                const bool same = row_of_run(p, columns, other, x) == row;
                here += same;
                before += same && other < r;
            }
            if (row >= 0 && before == x % here)
                p->letters[row * p->columns + x] = (char)(first + r);
        }
}

static void draw_circles(picture *p, const dt_series *series) {
    for (int64_t i = 0; i < series->count; i++) {
        const int x = dt_thin_position(series->step[i], p->first_step, p->last_step, p->columns);
        const int y = p->rows - 1 - dt_thin_position(series->value[i], p->min, p->max, p->rows);
        p->letters[y * p->columns + x] = 'o';
    }
}

static void print_cell(const picture *p, int cell, FILE *file) {
    const unsigned dots = p->dots[cell];
    if (p->letters[cell] != 0)
        fputc(p->letters[cell], file);
    else if (dots != 0) /* U+2800 + dots in UTF-8 */
        fprintf(file, "\xE2%c%c", (char)(0xA0 | dots >> 6), (char)(0x80 | (dots & 0x3F)));
    else
        fputc(' ', file);
}

static void print_label(const picture *p, int row, FILE *file) {
    char label[32] = "";
    const double height = p->max - p->min;
    if (row == 0 || row == p->rows - 1 || row == p->rows / 2)
        snprintf(label, sizeof label, "%.4g", height > 0.0 ? p->max - height * row / (p->rows - 1) : p->max);
    fprintf(file, "%*s |", LABEL_COLUMNS - 2, label);
}

static void print_picture(const picture *p, FILE *file) {
    char first[32], last[32];
    for (int row = 0; row < p->rows; row++) {
        int end = p->columns;
        while (end > 0 && p->letters[row * p->columns + end - 1] == 0 &&
               p->dots[row * p->columns + end - 1] == 0)
            end--;
        print_label(p, row, file);
        for (int x = 0; x < end; x++)
            print_cell(p, row * p->columns + x, file);
        fputc('\n', file);
    }
    fprintf(file, "%*s+", LABEL_COLUMNS - 1, "");
    for (int x = 0; x < p->columns; x++)
        fputc('-', file);
    snprintf(first, sizeof first, "step %.0f", p->first_step);
    snprintf(last, sizeof last, "%.0f", p->last_step);
    fprintf(file, "\n%*s%s%*s\n", LABEL_COLUMNS, "", first, p->columns - (int)strlen(first), last);
}

static void print_legend(const dt_run_metrics *run, const char *sign, FILE *file) {
    const dt_series *train = &run->series[DT_RUN_TRAIN], *validation = &run->series[DT_RUN_VALIDATION];
    fprintf(file, "%s%s%s", sign, *sign ? "  " : "", run->name);
    if (train->count > 0)
        fprintf(file, ": loss %.4f at step %.0f", train->value[train->count - 1],
                train->step[train->count - 1]);
    if (validation->count > 0)
        fprintf(file, "%s val_loss %.4f at step %.0f%s", train->count > 0 ? "," : ":",
                validation->value[validation->count - 1], validation->step[validation->count - 1],
                *sign ? "" : " (o)");
    fputc('\n', file);
}

/* A run that was only evaluated shows that. */
static const dt_series *series_of(const dt_run_metrics *run) {
    const dt_series *train = &run->series[DT_RUN_TRAIN];
    return train->count > 0 ? train : &run->series[DT_RUN_VALIDATION];
}

/* Each run's columns, [count, wide], and the span of all that will be drawn. */
static void gather_runs(picture *p, const dt_run_metrics *runs, int count, dt_thin_column *columns,
                        bool means) {
    p->min = HUGE_VAL;
    p->max = -HUGE_VAL;
    for (int r = 0; r < count; r++) {
        gather(p, series_of(&runs[r]), columns + (int64_t)r * p->wide);
        span_columns(p, columns + (int64_t)r * p->wide, means);
    }
    for (int64_t i = 0; count == 1 && i < runs->series[DT_RUN_VALIDATION].count; i++)
        span_value(p, runs->series[DT_RUN_VALIDATION].value[i]);
}

static void draw_runs(picture *p, const dt_run_metrics *runs, int count, const dt_thin_column *columns,
                      bool braille) {
    if (braille)
        draw_dots(p, columns);
    else
        draw_letters(p, columns, count, count == 1 ? '*' : 'a');
    if (count == 1)
        draw_circles(p, &runs->series[DT_RUN_VALIDATION]);
}

dt_status dt_curve_draw(const dt_run_metrics *runs, int count, const dt_curve_options *options, FILE *file) {
    DT_ASSERT(count >= 1 && count <= DT_CURVE_RUNS);
    DT_ASSERT(options->columns >= DT_CURVE_COLUMNS && options->rows >= DT_CURVE_ROWS);
    const bool braille = options->unicode && count == 1;
    picture p = {.columns = options->columns - LABEL_COLUMNS,
                 .rows = (int)dt_max(2, options->rows - AXIS_ROWS - count)};
    bool begun = false;
    p.wide = p.columns * (braille ? CELL_WIDTH : 1);
    p.high = p.rows * (braille ? CELL_HEIGHT : 1);
    for (int r = 0; r < count; r++) {
        span_steps(&p, series_of(&runs[r]), &begun);
        span_steps(&p, &runs[r].series[DT_RUN_VALIDATION], &begun);
    }
    p.dots = dt_memory_alloc((int64_t)p.rows * p.columns, 1, "the curve");
    p.letters = dt_memory_alloc((int64_t)p.rows * p.columns, 1, "the curve");
    dt_thin_column *columns = dt_memory_alloc((int64_t)count * p.wide, sizeof *columns, "the curve");
    const dt_status status = p.dots && p.letters && columns ? DT_OK : DT_FAILED;
    if (status == DT_OK) {
        gather_runs(&p, runs, count, columns, !braille);
        draw_runs(&p, runs, count, columns, braille);
        print_picture(&p, file);
        for (int r = 0; r < count; r++)
            print_legend(&runs[r], count == 1 ? "" : (const char[]){(char)('a' + r), 0}, file);
    }
    dt_memory_free(p.dots);
    dt_memory_free(p.letters);
    dt_memory_free(columns);
    return status;
}
