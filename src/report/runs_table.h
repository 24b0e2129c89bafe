/**
 * Runs side by side, the best first: their losses, and the options in which they differ. A sweep's answer.
 */
#ifndef DT_REPORT_RUNS_TABLE_H
#define DT_REPORT_RUNS_TABLE_H

#include <stdio.h>

#include "report/run_set.h"

/** Writes the table. Local. */
void dt_runs_table_put(const dt_run_set *set, FILE *file);

#endif
