/**
 * Fields of JSON that have been renamed: written under both names for one version (docs/formats.md).
 */
#ifndef DT_REPORT_OLD_NAMES_H
#define DT_REPORT_OLD_NAMES_H

#include <jansson.h>

/** Gives what `object` has as `now` the name `before` too. Local. */
void dt_old_names_keep(json_t *object, const char *before, const char *now);

#endif
