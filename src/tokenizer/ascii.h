/**
 * Characters of ASCII: 99 tokens, one a character.
 *
 *     0 <PAD>   1 <UNK>   2..96 the printable ASCII characters 32..126   97 newline   98 tab
 *
 * Input is UTF-8. A character outside the set is one <UNK>, however many bytes it has; a CR LF pair is one
 * newline. Each maximal subpart of an ill-formed sequence is one <UNK> (Unicode 15, section 3.9, "U+FFFD
 * Substitution of Maximal Subparts") and is counted as invalid.
 *
 * Where a token starts is a cut, and can be told from the three bytes before a place. All functions are
 * local.
 */
#ifndef DT_TOKENIZER_ASCII_H
#define DT_TOKENIZER_ASCII_H

#include "tokenizer/kind.h"

#define DT_ASCII_V       99
#define DT_ASCII_PAD     0
#define DT_ASCII_UNKNOWN 1
#define DT_ASCII_TEXT    2 /**< the first token that stands for a character */

extern const dt_tokenizer_kind dt_ascii;

/** Fills the tokenizer, which needs no freeing. */
void dt_ascii_open(dt_tokenizer *tokenizer);

#endif
