/**
 * The characters of a text: one token for each that is in it, by code point, after <PAD> and <UNK>.
 *
 *     0 <PAD>   1 <UNK>   2.. the characters, from the smallest code point to the largest
 *
 * Which they are is collected from the text: dt_chars_open makes a tokenizer that only counts, and takes note
 * of each character that it sees, by any number of threads at once; dt_chars_settle gives it its tokens. A
 * character is itself whatever it is, CR and LF too. <UNK> stands for a character that was not collected, for
 * each maximal subpart of ill-formed UTF-8, and for a NUL byte, which is no text. All functions are local.
 */
#ifndef DT_TOKENIZER_CHARS_H
#define DT_TOKENIZER_CHARS_H

#include "tokenizer/kind.h"

extern const dt_tokenizer_kind dt_chars;

/** Words of a set of characters, a bit for each code point up to U+10FFFF, the smallest in the lowest bit of
 * the first word. */
#define DT_CHARS_WORDS (0x110000 / 64)

/** Makes one without tokens, which collects. The caller frees it. */
dt_status dt_chars_open(dt_tokenizer *tokenizer);

/** Makes the one of points[count], which rise. The caller frees it, after failure too. */
dt_status dt_chars_create(dt_tokenizer *tokenizer, const uint32_t *points, int64_t count);

/** The characters that have been collected, a set that may be added to; NULL for a tokenizer that does not
 * collect, or not any more. No other thread may encode meanwhile. */
uint64_t *dt_chars_collected(const dt_tokenizer *tokenizer);

/** Gives one that collects its tokens, those of the set. No encoder may be in use. */
dt_status dt_chars_settle(dt_tokenizer *tokenizer);

#endif
