/**
 * Steps that `dtrain plan` predicts, as a table and as JSON. All functions are local.
 */
#ifndef DT_REPORT_PLAN_TABLE_H
#define DT_REPORT_PLAN_TABLE_H

#include <jansson.h>
#include <stdbool.h>

#include "plan/plan.h"

/** Prints the headings of weak or strong scaling of the config. */
void dt_plan_table_headings(const dt_config *config, bool weak);

/** Prints the row of a point, which is so many times as fast as one rank, and whose run takes `seconds`, NAN
 * where it has no end. */
void dt_plan_table_row(const dt_plan_point *point, double speedup, double seconds);

/** A new object with the same and more, the caller's. */
json_t *dt_plan_table_json(const dt_plan_point *point, bool weak, double speedup, double seconds);

#endif
