/**
 * Many steps in the few columns of a picture: what is smallest and largest in a column stays, so that no
 * spike is lost, however narrow.
 */
#ifndef DT_REPORT_THIN_H
#define DT_REPORT_THIN_H

#include <stdint.h>

#include "report/series.h"

/** What the steps of a column come to. */
typedef struct dt_thin_column {
    double step;           /**< the mean of the column's steps */
    double min, max, mean; /**< of the values */
    int64_t count;         /**< of steps; 0: none, and the rest has no meaning */
} dt_thin_column;

/** What lies beyond is taken to be at this bound: no measurement is there, but a file can say so. */
#define DT_THIN_VALUE_MAX 1e30

/** The position, 0 to `positions` - 1, of a value between `low` and `high`; the middle where these are one.
 * Local. */
int dt_thin_position(double value, double low, double high, int positions);

/** Gathers a series into `columns`, [count], which span the steps from `first` to `last`; all of its steps
 * are among these. Local. */
void dt_thin(const dt_series *series, double first, double last, dt_thin_column *columns, int count);

/** Moves the columns that have steps to the front, in their order, and returns how many they are. Local. */
int dt_thin_pack(dt_thin_column *columns, int count);

/**
 * Smooths the means of packed columns by a Gaussian over steps: `smooth`, [count], gets averages weighted by
 * exp(-d^2 / 2), d being the distance in steps divided by `width`, as far as d = 3; near the first column the
 * width is a quarter of the distance from it, if that is less. A width of 0 copies. Local.
 */
void dt_thin_smooth(const dt_thin_column *columns, int count, double width, double *smooth);

#endif
