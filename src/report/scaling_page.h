/**
 * A scaling study as one self-contained page of HTML: figures, tables, what ran where, and what the words
 * mean.
 */
#ifndef DT_REPORT_SCALING_PAGE_H
#define DT_REPORT_SCALING_PAGE_H

#include "base/status.h"
#include "bench/study.h"

/** Makes `path` the page of a derived study, whole or not at all. It needs no network and no script. Local.
 */
dt_status dt_scaling_page_write(const dt_study *study, const char *path);

#endif
