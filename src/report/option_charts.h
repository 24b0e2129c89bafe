/**
 * The losses of a sweep's runs against each option in which these differ: which of its values does well.
 */
#ifndef DT_REPORT_OPTION_CHARTS_H
#define DT_REPORT_OPTION_CHARTS_H

#include <stdio.h>

#include "report/run_set.h"

/** Writes the section, with its heading: a chart for each option, the first six. Nothing for fewer than three
 * runs, or where none differs. Local. */
void dt_option_charts_put(const dt_run_set *set, FILE *file);

#endif
