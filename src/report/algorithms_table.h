/**
 * The comparison of the allreduce's algorithms as a table for people and as JSON for programs;
 * docs/benchmarks.md explains every column.
 */
#ifndef DT_REPORT_ALGORITHMS_TABLE_H
#define DT_REPORT_ALGORITHMS_TABLE_H

#include <jansson.h>

#include "bench/algorithms.h"

/** Prints the table by base/log.h, so on rank 0. Local. */
void dt_algorithms_table_print(const dt_algorithms *result);

/** A new JSON object with all that the table shows. The caller owns it; NULL when out of memory. Local. */
json_t *dt_algorithms_table_json(const dt_algorithms *result);

#endif
