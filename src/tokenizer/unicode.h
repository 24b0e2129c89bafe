/**
 * General categories and white space of code points, of Unicode 16.0, whatever the libraries of this machine
 * know: tokens must not depend on them. It is the version of the reference (the tokenizers library with its
 * Oniguruma); tools/unicode-table makes the table and asks the reference.
 */
#ifndef DT_TOKENIZER_UNICODE_H
#define DT_TOKENIZER_UNICODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/** How many code points there are, surrogates included. */
#define DT_UNICODE_POINTS 0x110000

/** What bytes that are no UTF-8 are read as. */
#define DT_UNICODE_REPLACEMENT 0xFFFD

/** Writes each code point's category, a number below 30, to category[DT_UNICODE_POINTS]. Local. */
void dt_unicode_categories(uint8_t *category);

/** The categories that `name` of `length` bytes stands for, "Lu" or "L", a bit for each; 0 for no name of
 * one. Local. */
uint32_t dt_unicode_mask(const char *name, size_t length);

/** Whether a code point is white space (the property White_Space), which is what \s takes. Local. */
bool dt_unicode_is_space(uint32_t point);

/**
 * The code point of the character that bytes[0..length) begin with, of which there is at least one, and in
 * `*bytes_read` how many bytes it has. An ill-formed sequence is U+FFFD for each maximal subpart. Local.
 */
uint32_t dt_unicode_read(const uint8_t *bytes, int64_t length, int64_t *bytes_read);

#endif
