/**
 * What a set of measured times is summed up to.
 *
 * All functions are pure and local.
 */
#ifndef DT_BENCH_STATISTICS_H
#define DT_BENCH_STATISTICS_H

#include <stdint.h>

/** The most times that a benchmark takes of one thing; so many fit in memory. */
#define DT_REPETITIONS_LARGEST 1000000

typedef struct dt_statistics {
    int64_t count;
    double median, minimum, maximum, mean;
    double half_width; /**< the mean's 95 % confidence interval is mean +- half_width; NaN for one value */
} dt_statistics;

/**
 * Sums up values[0..count), count >= 1, and sorts them. The interval is Student's, for values that are
 * independent and about normal: half_width = t(count - 1) s / sqrt(count), s^2 = sum (x - mean)^2 / (count -
 * 1).
 */
dt_statistics dt_statistics_of(double *values, int64_t count);

/**
 * The 0.975 quantile of Student's t with `freedom` >= 1 degrees of freedom, which bounds 95 % on both sides.
 * Found by bisection on the finite series for whole degrees of freedom, so no table is needed (Abramowitz,
 * Stegun, "Handbook of Mathematical Functions", 26.7.3 and 26.7.4).
 */
double dt_statistics_student(int64_t freedom);

#endif
