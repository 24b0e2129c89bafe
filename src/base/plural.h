/**
 * One and many, wherever a message counts something.
 */
#ifndef DT_BASE_PLURAL_H
#define DT_BASE_PLURAL_H

#include <stdint.h>

/**
 * The word that goes with `count`: `one` for 1, else `many`, as in "1 rank" and "0 ranks", or "is" and "are".
 * Points to the words as given. Local.
 */
const char *dt_plural(int64_t count, const char *one, const char *many);

/** The end of a noun that is regular in the plural: "" for 1, else "s". Local. */
const char *dt_plural_s(int64_t count);

#endif
