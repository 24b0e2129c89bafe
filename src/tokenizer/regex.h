/**
 * A pattern of a tokenizer.json taken apart: what stands for characters becomes sets of code points, and the
 * syntax around it stays, for PCRE2.
 *
 * Patterns are written for Oniguruma in its Ruby syntax. What means the same there and in PCRE2, or can be
 * said with sets, is read: literals, classes, \s \S \d \D \p{..} \P{..} of general categories, the dot,
 * groups, (?i:..) around ASCII, alternatives, lookahead, lookbehind, greedy, lazy and possessive repetition.
 * All else is refused by name, since it would depend on a library's version or mean two things.
 */
#ifndef DT_TOKENIZER_REGEX_H
#define DT_TOKENIZER_REGEX_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tokenizer/charset.h"

/** Of one pattern; what people write has less than a twentieth. */
#define DT_REGEX_MAX_BYTES 8192
#define DT_REGEX_MAX_SETS  256

typedef enum dt_regex_kind {
    DT_REGEX_SYNTAX,  /**< the byte stays as it is */
    DT_REGEX_LITERAL, /**< an ASCII character that stands for itself */
    DT_REGEX_SET      /**< one character of a set */
} dt_regex_kind;

typedef struct dt_regex_item {
    dt_regex_kind kind;
    int value; /**< the byte, or the set's index */
} dt_regex_item;

typedef struct dt_regex {
    dt_regex_item *items;
    int64_t count;
    dt_charset *sets[DT_REGEX_MAX_SETS];
    int set_count;
} dt_regex;

/**
 * Takes source[0..length) apart into `regex`, which the caller frees in any case. `category` is
 * dt_unicode_categories'; `where` begins the sentence of a failure. Local.
 */
dt_status dt_regex_parse(dt_regex *regex, const char *source, size_t length, const uint8_t *category,
                         const char *where);

/** A pattern that takes exactly the characters of text[0..length). Local. */
dt_status dt_regex_quote(dt_regex *regex, const char *text, size_t length, const char *where);

/** Frees it; one that is all zero is fine. Local. */
void dt_regex_free(dt_regex *regex);

#endif
