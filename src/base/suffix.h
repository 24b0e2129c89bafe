/**
 * How a text ends.
 */
#ifndef DT_BASE_SUFFIX_H
#define DT_BASE_SUFFIX_H

#include <stdbool.h>

/** Whether `text` ends in `suffix`; every text ends in the empty one and in itself. Local. */
bool dt_has_suffix(const char *text, const char *suffix);

#endif
