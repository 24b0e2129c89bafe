/* Columns are sorted; where the largest are far above the others the axis ends a little above these. */
#include "report/chart_range.h"

#include <math.h>
#include <stdlib.h>

/* So many of the columns are never left out, and the rest only where the axis would have to be longer by this
 * factor. */
#define KEPT   0.98
#define FACTOR 3.0

/* Air above and below the lines, as a fraction of what they span. */
#define AIR 0.05

static int compare(const void *a, const void *b) {
    const double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest and the smallest value that a column shows. */
static double top_of(const dt_chart_line *line, int i) {
    return line->raw ? line->column[i].max : line->smooth[i];
}

static double bottom_of(const dt_chart_line *line, int i) {
    return line->raw ? line->column[i].min : line->smooth[i];
}

/* Of all columns' tops, sorted: where the axis ends. */
static double choose_high(const double *tops, int count, double low) {
    const double kept = tops[(int)(KEPT * (count - 1))], high = tops[count - 1];
    return high - low > FACTOR * (kept - low) && kept > low ? low + 1.25 * (kept - low) : high;
}

/* The smallest and the largest of what lines show. */
static dt_chart_range span(const dt_chart_line *lines, int count, double *tops, int columns) {
    dt_chart_range range = {.low = HUGE_VAL};
    int at = 0;
    for (int l = 0; l < count; l++)
        for (int i = 0; i < lines[l].count; i++) {
            tops[at++] = top_of(&lines[l], i);
            range.low = fmin(range.low, bottom_of(&lines[l], i));
        }
    qsort(tops, (size_t)columns, sizeof *tops, compare);
    range.high = choose_high(tops, columns, range.low);
    for (int i = columns - 1; i >= 0 && tops[i] > range.high; i--)
        range.above++;
    return range;
}

dt_chart_range dt_chart_range_choose(const dt_chart_line *lines, int count, bool from_zero) {
    dt_chart_range range = {0.0, 1.0, 0};
    int columns = 0;
    for (int l = 0; l < count; l++)
        columns += lines[l].count;
    double *tops = malloc((size_t)(columns + 1) * sizeof *tops);
    if (columns > 0 && tops != NULL)
        range = span(lines, count, tops, columns);
    free(tops);
    if (from_zero)
        range.low = fmin(range.low, 0.0);
    const double height = range.high - range.low, all = fmax(fabs(range.high), fabs(range.low));
    const double air = height > 1e-6 * all && height > 1e-30 ? AIR * height : all > 1e-30 ? 0.1 * all : 1.0;
    range.high += air;
    if (!from_zero || range.low < 0.0)
        range.low -= air;
    return range;
}
