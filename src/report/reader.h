/**
 * A strict reader of the JSON of a study: what is not there, or is not what it should be, is an error, which
 * names the file, where in it, and the key. The first error stays; what is read after it is harmless and has
 * no meaning, so that a whole object can be read before `status` is looked at.
 *
 * All functions are local.
 */
#ifndef DT_REPORT_READER_H
#define DT_REPORT_READER_H

#include <jansson.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

typedef struct dt_reader {
    const json_t *object; /**< whose keys are read */
    const char *file;     /**< for messages */
    char where[32];       /**< for messages: "" at the top, or "point 2: " */
    dt_status status;     /**< DT_OK, or DT_USAGE from the first error on */
} dt_reader;

/** Records, as the first error, that `expected` ("a number", ..) was expected of `key`. */
void dt_reader_refuse(dt_reader *reader, const char *key, const char *expected);

/** A text of 1 to `capacity` - 1 bytes, which lives as long as the object. */
const char *dt_reader_text(dt_reader *reader, const char *key, size_t capacity);

/** A whole number from `min` to `max`. */
int64_t dt_reader_count(dt_reader *reader, const char *key, int64_t min, int64_t max);

/** A number of at least 0 that is finite and not out of all proportion, which is more than 1e15. */
double dt_reader_number(dt_reader *reader, const char *key);

/** The same, but at least 1e-9. */
double dt_reader_positive(dt_reader *reader, const char *key);

/** A list of 1 to `max` items; NULL after an error. */
const json_t *dt_reader_list(dt_reader *reader, const char *key, size_t max);

/** A reader of the object that is `key`, whose status starts as this one's. */
dt_reader dt_reader_enter(dt_reader *reader, const char *key);

#endif
