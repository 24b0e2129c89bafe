/**
 * Work and span of a micro-batch as `dtrain plan --teams` shows them: a line per kernel, and per size of a
 * team how many times sooner its busiest thread is done than one thread would be. All functions are local.
 */
#ifndef DT_REPORT_WORK_SPAN_TABLE_H
#define DT_REPORT_WORK_SPAN_TABLE_H

#include <jansson.h>

#include "plan/ranks.h"
#include "plan/work_span.h"

/** The most sizes of teams in a table. */
#define DT_WORK_SPAN_TABLE_SIZES 8

/** Room for a line. */
#define DT_WORK_SPAN_TABLE_BYTES 192

typedef struct dt_work_span_table {
    int count;
    dt_work_span counts[DT_WORK_SPAN_TABLE_SIZES];
} dt_work_span_table;

/** Counts a micro-batch of `sequences` on teams of each of `sizes`, up to DT_WORK_SPAN_TABLE_SIZES of them.
 * Fails as dt_work_span_count does. */
dt_status dt_work_span_table_count(dt_work_span_table *table, const dt_kernels *kernels,
                                   const dt_shape *shape, int64_t sequences, dt_recompute recompute,
                                   const dt_ranks *sizes);

/** Line `index` of the table, from 0, into `text`; false where there are no more. */
bool dt_work_span_table_line(const dt_work_span_table *table, int index, char text[DT_WORK_SPAN_TABLE_BYTES]);

/** A new array of {"threads", "forward_speedup", "backward_speedup", "barriers"}, the caller's. */
json_t *dt_work_span_table_json(const dt_work_span_table *table);

#endif
