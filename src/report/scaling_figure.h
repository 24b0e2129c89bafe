/**
 * A kind of scaling as two charts side by side: speed-up and efficiency.
 */
#ifndef DT_REPORT_SCALING_FIGURE_H
#define DT_REPORT_SCALING_FIGURE_H

#include <stdio.h>

#include "base/status.h"
#include "bench/study.h"

/** Writes the charts of a kind, weak or strong, and their key into a page. Local. */
void dt_scaling_figure_put(const dt_study *study, bool weak, FILE *file);

/** Makes `path` ("-" is standard output) a picture of a derived study, an SVG that stands alone: a row for
 * each of its kinds, whole or not at all. Local. */
dt_status dt_scaling_figure_write(const dt_study *study, const char *path);

#endif
