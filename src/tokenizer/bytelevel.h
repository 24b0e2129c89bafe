/**
 * The byte-level alphabet of GPT-2: each of the 256 bytes has a character that can be seen, so that a token
 * of any bytes is a text in JSON.
 *
 *     ! .. ~    U+00A1 .. U+00AC    U+00AE .. U+00FF    stand for the bytes of their own numbers
 *     U+0100 U+0101 .. U+0143                           for the other 68, in their order: 0 .. 32, 127 ..
 * 160, 173
 */
#ifndef DT_TOKENIZER_BYTELEVEL_H
#define DT_TOKENIZER_BYTELEVEL_H

#include <stdint.h>

/** Characters of the alphabet have at most this many bytes in UTF-8. */
#define DT_BYTELEVEL_CHAR_BYTES 2

/** The code point that stands for a byte. Local. */
uint32_t dt_bytelevel_point(uint8_t byte);

/** The byte that a code point stands for, or -1. Local. */
int dt_bytelevel_byte(uint32_t point);

/** The bytes that text[0..length), UTF-8, stands for, into `bytes`, which has room for `length`. Returns how
 * many they are, or -1 where a character is none of the alphabet. Local. */
int64_t dt_bytelevel_decode(const char *text, int64_t length, uint8_t *bytes);

/** bytes[0..length) in the alphabet, as UTF-8 with a 0 byte behind it, into `text`, which has room for
 * DT_BYTELEVEL_CHAR_BYTES * length + 1. Returns its length. Local. */
int64_t dt_bytelevel_encode(const uint8_t *bytes, int64_t length, char *text);

#endif
