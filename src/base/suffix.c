/* The last bytes, compared. */
#include "base/suffix.h"

#include <string.h>

bool dt_has_suffix(const char *text, const char *suffix) {
    const size_t length = strlen(text), end = strlen(suffix);
    return length >= end && strcmp(text + length - end, suffix) == 0;
}
