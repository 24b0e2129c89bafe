/**
 * The alphabet of a tokenizer's patterns: characters that no pattern tells apart are one kind, and a kind is
 * a byte.
 *
 *     0 .. 127     each ASCII character is a kind of its own, with its own number
 *     128 ..       what else the classes of the patterns tell apart: letters, digits, marks, ..
 *
 * A text becomes a byte for each character (dt_alphabet_translate), and a class a set of bytes
 * (dt_alphabet_write). So PCRE2 knows nothing of Unicode, whose tables differ from version to version, and
 * looks a character up in a bitmap however many ranges its class has.
 */
#ifndef DT_TOKENIZER_ALPHABET_H
#define DT_TOKENIZER_ALPHABET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "tokenizer/charset.h"
#include "tokenizer/regex.h"

typedef struct dt_alphabet {
    uint8_t *kind;         /**< of each code point */
    uint32_t example[256]; /**< a code point of each kind */
    int count;             /**< of kinds */
} dt_alphabet;

/**
 * Makes the alphabet of the classes of `count` patterns. Fails where they tell more than 128 kinds of
 * characters apart outside ASCII; `where` begins the sentence. The caller frees it in any case. Local.
 */
dt_status dt_alphabet_create(dt_alphabet *alphabet, const dt_regex *regexes, int count, const char *where);

/** Frees it; one that is all zero is fine. Local. */
void dt_alphabet_free(dt_alphabet *alphabet);

/**
 * The kinds of the characters of bytes[0..length), well-formed UTF-8, into `kinds`, which has room for
 * `length`. Returns how many characters there are. Local.
 */
int64_t dt_alphabet_translate(const dt_alphabet *alphabet, const uint8_t *bytes, int64_t length,
                              uint8_t *kinds);

/** The pattern over kinds as a new string for PCRE2 without UTF, which the caller frees with free(); NULL,
 * with a sentence recorded, when out of memory. Local. */
char *dt_alphabet_write(const dt_alphabet *alphabet, const dt_regex *regex);

#endif
