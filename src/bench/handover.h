/**
 * What becomes of a study when its points are there: tables, JSON and a page.
 */
#ifndef DT_BENCH_HANDOVER_H
#define DT_BENCH_HANDOVER_H

#include "base/status.h"
#include "bench/study.h"

/**
 * Refuses, with DT_USAGE, files that dt_handover could not write, and one file for both; asked before
 * anything is measured or read. Changes nothing. Local.
 */
dt_status dt_handover_check(const char *json, const char *report);

/**
 * Derives what follows from the points, prints the tables, and writes the JSON and the page to the files
 * `json` and `report`, where these are not NULL. Local.
 */
dt_status dt_handover(dt_study *study, const char *json, const char *report);

#endif
