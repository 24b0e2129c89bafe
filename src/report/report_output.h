/**
 * The files that a benchmark or a plan is asked to write: looked at before anything is measured, which takes
 * minutes, and written when all is done.
 *
 * All functions are local.
 */
#ifndef DT_REPORT_REPORT_OUTPUT_H
#define DT_REPORT_REPORT_OUTPUT_H

#include <jansson.h>

#include "base/status.h"

/**
 * Refuses, with DT_USAGE, a `path`, the value of --`flag`, that cannot be written. Leaves nothing behind, and
 * what stands there as it is. From then on a reader of standard output that has gone does not end the
 * process, whose file is still to come. NULL, a flag that is not given, is fine.
 */
dt_status dt_report_output_check(const char *flag, const char *path);

/**
 * Makes `path` a file of `object`, whole or not at all. `flags` are jansson's, beside the indentation. Takes
 * over the object; NULL is one that could not be made.
 */
dt_status dt_report_output_json(const char *path, json_t *object, size_t flags);

#endif
