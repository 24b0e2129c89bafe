/**
 * A profile as a table for people and as JSON for programs; docs/benchmarks.md explains every column.
 */
#ifndef DT_REPORT_TABLE_H
#define DT_REPORT_TABLE_H

#include <jansson.h>

#include "bench/profile.h"

/** Prints the table by base/log.h, so on rank 0. Local. */
void dt_table_print(const dt_profile *profile, const dt_config *config);

/** A new JSON object with all that the table shows, times in milliseconds and rates in 10^9 a second; null
 * stands where the table has a dash. The caller owns it; NULL when out of memory. Local. */
json_t *dt_table_json(const dt_profile *profile, const dt_config *config);

#endif
