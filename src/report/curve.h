/**
 * Losses against steps, drawn with characters for a terminal.
 *
 *     4.6 |a                      one letter a run, the first is a; a column shows the mean of its steps,
 *         | a                     and of runs that stand on one another in turn
 *         |  aaa
 *     2.1 |     aaaaaaa
 *         +------------
 *          1         500
 *
 * With one run and a terminal that has Unicode the curve is of Braille dots, 2 x 4 in a character, and spans
 * the smallest and the largest loss of a column of dots; evaluations stand on it as circles.
 */
#ifndef DT_REPORT_CURVE_H
#define DT_REPORT_CURVE_H

#include <stdbool.h>
#include <stdio.h>

#include "base/status.h"
#include "report/run_metrics.h"

typedef struct dt_curve_options {
    int columns, rows; /**< of the whole picture, at least DT_CURVE_COLUMNS and DT_CURVE_ROWS */
    bool unicode;      /**< else ASCII alone */
} dt_curve_options;

#define DT_CURVE_COLUMNS 30
#define DT_CURVE_ROWS    6
#define DT_CURVE_RUNS    26 /**< as many as there are letters */

/** Draws `count` runs, 1 to DT_CURVE_RUNS, each with a loss, over the steps and losses of all. Fails when out
 * of memory. Local. */
dt_status dt_curve_draw(const dt_run_metrics *runs, int count, const dt_curve_options *options, FILE *file);

#endif
