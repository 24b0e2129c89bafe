/**
 * Runs as one self-contained page: charts, events, samples, what ran where, and of several runs which is
 * best.
 */
#ifndef DT_REPORT_RUN_PAGE_H
#define DT_REPORT_RUN_PAGE_H

#include <stddef.h>

#include "base/status.h"
#include "report/run_set.h"

/** Makes `path` ("-" is standard output) the page of the set, whole or not at all; `*bytes` is its length.
 * With `reload_seconds`, not 0, the page loads itself anew that often. Local. */
dt_status dt_run_page_write(const dt_run_set *set, int reload_seconds, const char *path, size_t *bytes);

/** Makes `path` ("-" is standard output) the chart of this name, an SVG that stands alone; fails with
 * DT_USAGE where there is none. Local. */
dt_status dt_run_page_write_chart(const dt_run_set *set, const char *name, const char *path, size_t *bytes);

#endif
