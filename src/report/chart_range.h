/**
 * What the values' axis of a chart spans: all of the lines, but for a few values that are so far off that
 * they would press the others flat.
 */
#ifndef DT_REPORT_CHART_RANGE_H
#define DT_REPORT_CHART_RANGE_H

#include "report/chart_line.h"

typedef struct dt_chart_range {
    double low, high;
    int above; /**< columns that reach beyond `high` */
} dt_chart_range;

/** The range of `count` lines, which begins at 0 or below where `from_zero`; 0 to 1 where there are none.
 * Local. */
dt_chart_range dt_chart_range_choose(const dt_chart_line *lines, int count, bool from_zero);

#endif
