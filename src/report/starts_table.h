/**
 * What ran where: a row for every start of a run.
 */
#ifndef DT_REPORT_STARTS_TABLE_H
#define DT_REPORT_STARTS_TABLE_H

#include <stdio.h>

#include "report/run_set.h"

/** Writes the section, with its heading; nothing where no file tells of a start. Local. */
void dt_starts_table_put(const dt_run_set *set, FILE *file);

#endif
