/**
 * A value per step, steps rising: what a chart draws.
 */
#ifndef DT_REPORT_SERIES_H
#define DT_REPORT_SERIES_H

#include <stdint.h>

#include "base/status.h"

typedef struct dt_series {
    int64_t count, capacity;
    double *step, *value; /**< [count] */
} dt_series;

/**
 * Adds a value; one that is not finite is left out. A step that is not after the last replaces what is there
 * from it on, as a file that runs were joined in by hand may go back in steps. Fails when out of memory.
 * Local.
 */
dt_status dt_series_add(dt_series *series, double step, double value);

/** The value at `step`: between two steps as far as it is between them, beyond the ends that of the end; NaN
 * where there is none. Local. */
double dt_series_at(const dt_series *series, double step);

/** The index of the smallest value, the first of several; -1 where there is none. Local. */
int64_t dt_series_min(const dt_series *series);

/** Frees; all zero is fine. Local. */
void dt_series_free(dt_series *series);

#endif
