/**
 * One line of a chart, thinned.
 */
#ifndef DT_REPORT_CHART_LINE_H
#define DT_REPORT_CHART_LINE_H

#include <stdbool.h>

#include "report/thin.h"

/** Colours are numbered; the last is for what only stands behind the others. */
#define DT_CHART_COLOURS 8
#define DT_CHART_GREY    DT_CHART_COLOURS

/** One line. */
typedef struct dt_chart_line {
    const char *label; /**< at its end; NULL for none. Text from elsewhere is fine */
    int run;           /**< whose it is, for the script */
    int colour;        /**< 0 to DT_CHART_GREY */
    bool raw;          /**< shows the span of each column's values behind the smoothed line */
    bool dots;         /**< each column's mean as a dot, joined */
    bool exact;        /**< the means as they are, nothing smoothed */
    dt_thin_column *column;
    double *smooth; /**< [count], of the means, or these; made by dt_chart_add */
    int count;
} dt_chart_line;

#endif
