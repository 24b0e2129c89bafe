/**
 * The charts of runs: which there are, and what each shows.
 */
#ifndef DT_REPORT_RUN_CHARTS_H
#define DT_REPORT_RUN_CHARTS_H

#include "report/chart.h"
#include "report/run_set.h"

/** How many charts there may be. */
#define DT_RUN_CHARTS 10

typedef struct dt_run_charts {
    dt_chart chart[DT_RUN_CHARTS]; /**< those of which a run has numbers; the losses come first */
    int count;
    dt_chart_mark *mark; /**< what happened, for the first chart of one run */
} dt_run_charts;

/** Makes the charts of a set. Several runs share a page's size: the more they are, the fewer columns each
 * has. Fails when out of memory. The caller frees them, after failure too. Local. */
dt_status dt_run_charts_create(dt_run_charts *charts, const dt_run_set *set);

/** The chart of this name, or NULL with DT_USAGE recorded and the names that there are. Local. */
const dt_chart *dt_run_charts_find(const dt_run_charts *charts, const char *name);

/** Writes the object that the page's script reads: the runs, what they span, and the charts' lines. Local. */
void dt_run_charts_data(const dt_run_charts *charts, const dt_run_set *set, FILE *file);

/** Frees; all zero is fine. Local. */
void dt_run_charts_free(dt_run_charts *charts);

#endif
