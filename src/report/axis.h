/**
 * Round numbers along an axis: where its ticks stand, and what they say.
 */
#ifndef DT_REPORT_AXIS_H
#define DT_REPORT_AXIS_H

#include <stdbool.h>

/** The most ticks that an axis can be asked for. */
#define DT_AXIS_TICKS      16
#define DT_AXIS_TEXT_BYTES 24

typedef struct dt_axis_ticks {
    int count;
    double value[DT_AXIS_TICKS + 1];
    char text[DT_AXIS_TICKS + 1][DT_AXIS_TEXT_BYTES];
} dt_axis_ticks;

/** 1, 2 or 5 times a power of ten: the smallest that cuts `range`, above 0, into `sections` or fewer. Local.
 */
double dt_axis_step(double range, int sections);

/**
 * Chooses at most `max` (up to DT_AXIS_TICKS) ticks from `low` to `high`, multiples of one round step, whose
 * texts are as short as tells them apart: "0", "0.5", "1.0", or "0", "500k", "1M". With `whole`
 * they are whole numbers. Ends that are equal have one tick. Local.
 */
void dt_axis_choose(double low, double high, int max, bool whole, dt_axis_ticks *ticks);

#endif
