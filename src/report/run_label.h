/**
 * Short names for runs: of /a/sweep/lr1 and /a/sweep/lr2 "lr1" and "lr2".
 */
#ifndef DT_REPORT_RUN_LABEL_H
#define DT_REPORT_RUN_LABEL_H

#include "base/status.h"

/** Makes `labels`, [count], of the `count` files of metrics, one at least: new strings that the caller frees,
 * those that were made before a failure too. Fails when out of memory. Local. */
dt_status dt_run_label_create(const char *const *paths, int count, char **labels);

#endif
