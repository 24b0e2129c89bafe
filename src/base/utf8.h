/**
 * Characters of UTF-8 (Unicode 15, table 3-7).
 */
#ifndef DT_BASE_UTF8_H
#define DT_BASE_UTF8_H

#include <stdbool.h>
#include <stdint.h>

/**
 * How many bytes the character at bytes[0] has, 1 to 4, or, where it is ill-formed, its maximal subpart: the
 * longest start of a well-formed sequence, and one byte at least. `length` is at least 1. Local.
 */
int64_t dt_utf8_subpart(const uint8_t *bytes, int64_t length, bool *well_formed);

/**
 * How many bytes the character at `text` has, 1 to 4; 0 where no well-formed one starts. `text` ends with a 0
 * byte, which is a character of one byte and ends an unfinished one early. Local.
 */
int dt_utf8_bytes(const char *text);

/** The code point of the well-formed character of `bytes` bytes at `text`. Local. */
uint32_t dt_utf8_point(const char *text, int bytes);

/** The character `point`, not above U+10FFFF, into `text`, without a 0 byte behind it. Returns how many bytes
 * it has, 1 to 4. Local. */
int dt_utf8_write(char *text, uint32_t point);

#endif
