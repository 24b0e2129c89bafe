/**
 * A set of code points, a bit for each: what a class of a regular expression takes.
 */
#ifndef DT_TOKENIZER_CHARSET_H
#define DT_TOKENIZER_CHARSET_H

#include <stdbool.h>
#include <stdint.h>

#include "tokenizer/unicode.h"

typedef struct dt_charset {
    uint64_t bits[DT_UNICODE_POINTS / 64];
} dt_charset;

/** Whether a code point is in the set. Local. */
static inline bool dt_charset_has(const dt_charset *set, uint32_t point) {
    return (set->bits[point / 64] >> point % 64 & 1) != 0;
}

/** Adds a code point. Local. */
static inline void dt_charset_add(dt_charset *set, uint32_t point) {
    set->bits[point / 64] |= (uint64_t)1 << point % 64;
}

/** Adds the code points from `first` to `last`. Local. */
void dt_charset_add_range(dt_charset *set, uint32_t first, uint32_t last);

/** Adds those of the categories in `mask` (dt_unicode_mask), or all others where `is_negated`; `category` is
 * dt_unicode_categories'. Local. */
void dt_charset_add_categories(dt_charset *set, const uint8_t *category, uint32_t mask, bool is_negated);

/** Adds white space, or all else where `is_negated`. Local. */
void dt_charset_add_space(dt_charset *set, bool is_negated);

/** Takes what was outside for what is inside. Local. */
void dt_charset_invert(dt_charset *set);

#endif
