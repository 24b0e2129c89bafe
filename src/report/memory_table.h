/**
 * Memory as `dtrain plan` shows it: what a rank and a host take for each number of ranks, and what to change
 * where that is more than a host has. All functions are local.
 */
#ifndef DT_REPORT_MEMORY_TABLE_H
#define DT_REPORT_MEMORY_TABLE_H

#include <jansson.h>

#include "plan/proposals.h"

/** Prints the headings, for hosts that have `node_bytes` for their ranks. */
void dt_memory_table_headings(int64_t node_bytes);

/** Prints the row of `ranks` ranks. */
void dt_memory_table_row(int ranks, const dt_plan_memory *memory, int64_t node_bytes);

/** Prints what is proposed for `config` on `ranks` ranks. */
void dt_memory_table_proposals(const dt_config *config, int ranks, const dt_proposal *proposals, int count);

/** A new object {"weights": bytes, .., "rank_bytes": .., "node_bytes": .., "node_ranks": .., "team_threads":
 * ..}, the caller's. */
json_t *dt_memory_table_json(const dt_plan_memory *memory);

/** A new array of the proposals, the caller's. */
json_t *dt_memory_table_proposals_json(const dt_config *config, const dt_proposal *proposals, int count);

#endif
