/* Two arrays that grow together. */
#include "report/series.h"

#include <math.h>
#include <stdlib.h>

#define FIRST_VALUES 256

static dt_status grow(dt_series *series) {
    const int64_t capacity = series->capacity ? 2 * series->capacity : FIRST_VALUES;
    double *step = realloc(series->step, (size_t)capacity * sizeof *step);
    if (step != NULL)
        series->step = step;
    double *value = step ? realloc(series->value, (size_t)capacity * sizeof *value) : NULL;
    if (value == NULL)
        return dt_fail("out of memory for the numbers of a run");
    series->value = value;
    series->capacity = capacity;
    return DT_OK;
}

dt_status dt_series_add(dt_series *series, double step, double value) {
    if (!isfinite(value))
        return DT_OK;
    while (series->count > 0 && series->step[series->count - 1] >= step)
        series->count--;
    if (series->count == series->capacity)
        DT_TRY(grow(series));
    series->step[series->count] = step;
    series->value[series->count++] = value;
    return DT_OK;
}

double dt_series_at(const dt_series *series, double step) {
    int64_t low = 0, high = series->count - 1;
    if (series->count == 0)
        return NAN;
    while (high - low > 1) {
        const int64_t middle = low + (high - low) / 2;
        if (series->step[middle] <= step)
            low = middle;
        else
            high = middle;
    }
    const double span = series->step[high] - series->step[low];
    const double fraction = span > 0.0 ? fmin(fmax((step - series->step[low]) / span, 0.0), 1.0) : 0.0;
    return series->value[low] + fraction * (series->value[high] - series->value[low]);
}

int64_t dt_series_min(const dt_series *series) {
    int64_t min = series->count > 0 ? 0 : -1;
    for (int64_t i = 1; i < series->count; i++)
        if (series->value[i] < series->value[min])
            min = i;
    return min;
}

void dt_series_free(dt_series *series) {
    free(series->step);
    free(series->value);
    *series = (dt_series){0};
}
