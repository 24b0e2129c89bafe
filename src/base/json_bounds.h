/**
 * A look through a JSON text before it is parsed. What JSON becomes in memory is some twenty times as large
 * as its text, and may be as deep as it is long.
 */
#ifndef DT_BASE_JSON_BOUNDS_H
#define DT_BASE_JSON_BOUNDS_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Fails, with the rest of a sentence whose start is the caller's ("expected JSON that .."), where objects
 * and lists of text[0..length) lie more than `max_depth` deep within one another, or it has more than
 * `max_values` values. Local. */
dt_status dt_json_bounds_check(const char *text, size_t length, int64_t max_depth, int64_t max_values);

#endif
