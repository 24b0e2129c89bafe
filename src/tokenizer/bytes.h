/**
 * Bytes as they are: 256 tokens, nothing unknown, and any text or other file in and out unchanged.
 */
#ifndef DT_TOKENIZER_BYTES_H
#define DT_TOKENIZER_BYTES_H

#include "tokenizer/kind.h"

extern const dt_tokenizer_kind dt_bytes;

/** Fills the tokenizer, which needs no freeing. Local. */
void dt_bytes_open(dt_tokenizer *tokenizer);

#endif
