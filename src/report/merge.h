/**
 * Studies of separate allocations as one: `dtrain bench --merge a.json b.json ..`.
 */
#ifndef DT_REPORT_MERGE_H
#define DT_REPORT_MERGE_H

#include "base/status.h"

/**
 * Joins the points of the `count` studies that `dtrain bench --scaling --json` wrote to `files`, prints the
 * tables, and writes JSON and page where `json` and `report` are not NULL. Speed-ups are taken anew from the
 * smallest number of ranks. Fails with DT_USAGE, naming the files, where they are no studies of one config
 * with as many threads, warm-up steps and repetitions, where something is missing in one or cannot be
 * (report/reader.h), or where two have measured the same point. What is said of program and machine is the
 * largest study's, with the hosts of all. Local.
 */
dt_status dt_merge_verb(const char *const *files, int count, const char *json, const char *report);

#endif
