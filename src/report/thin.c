/* Sums by column, then averages over neighbours. report.js smooths by the same formula. */
#include "report/thin.h"

#include <math.h>
#include <string.h>

#include "base/assert.h"
#include "base/minmax.h"

#define REACH 3.0  /* widths, beyond which a weight is below 1.2 % */
#define START 0.25 /* of the distance from the first step is the most that a width may be */

int dt_thin_position(double value, double low, double high, int positions) {
    if (!(high > low))
        return positions / 2;
    return (int)dt_min((int64_t)((value - low) / (high - low) * positions), (int64_t)positions - 1);
}

static double drawable(double value) {
    return fmin(fmax(value, -DT_THIN_VALUE_MAX), DT_THIN_VALUE_MAX);
}

void dt_thin(const dt_series *series, double first, double last, dt_thin_column *columns, int count) {
    memset(columns, 0, (size_t)count * sizeof *columns);
    for (int64_t i = 0; i < series->count; i++) {
        const double step = series->step[i], value = drawable(series->value[i]);
        DT_ASSERT(step >= first && step <= last);
        dt_thin_column *c = &columns[dt_thin_position(step, first, last, count)];
        c->min = c->count && c->min <= value ? c->min : value;
        c->max = c->count && c->max >= value ? c->max : value;
        c->mean += value;
        c->step += step;
        c->count++;
    }
    for (int x = 0; x < count; x++)
        if (columns[x].count > 0) {
            columns[x].mean /= (double)columns[x].count;
            columns[x].step /= (double)columns[x].count;
        }
}

int dt_thin_pack(dt_thin_column *columns, int count) {
    int packed = 0;
    for (int x = 0; x < count; x++)
        if (columns[x].count > 0)
            columns[packed++] = columns[x];
    return packed;
}

/* Near the first step, where losses fall fast, the average is over less, so that it begins where they do. */
static double width_at(const dt_thin_column *columns, int i, double width) {
    return fmin(width, START * (columns[i].step - columns[0].step));
}

void dt_thin_smooth(const dt_thin_column *columns, int count, double width, double *smooth) {
    int first = 0;
    for (int i = 0; i < count; i++) {
        const double here = width_at(columns, i, width), reach = REACH * here;
        double sum = 0.0, weights = 0.0;
        while (columns[i].step - columns[first].step > reach)
            first++;
        for (int j = first; j < count && columns[j].step - columns[i].step <= reach; j++) {
            const double d = here > 0.0 ? (columns[j].step - columns[i].step) / here : 0.0;
            const double weight = exp(-0.5 * d * d);
            sum += weight * columns[j].mean;
            weights += weight;
        }
        smooth[i] = sum / weights;
    }
}
