/**
 * Encoding by a tokenizer.json, by one thread: tokenizer/bpe_contents.h says in which order things are done.
 */
#ifndef DT_TOKENIZER_BPE_ENCODER_H
#define DT_TOKENIZER_BPE_ENCODER_H

#include "tokenizer/kind.h"

/** Make and free encoder->own. Local. */
dt_status dt_bpe_encoder_create(dt_encoder *encoder);
void dt_bpe_encoder_free(dt_encoder *encoder);

/** What a kind's `encode` does (tokenizer/kind.h). Local. */
dt_status dt_bpe_encoder_encode(dt_encoder *encoder, const dt_text *text, int64_t first, int64_t end,
                                bool keep, dt_token_count *count);

/** Gives each piece of a text, as it comes to be merged, to `take`, in place of merging it: for training.
 * `take` gets `context`, and what it fails with ends the call. Local. */
dt_status dt_bpe_encoder_pieces(dt_encoder *encoder, const dt_text *text,
                                dt_status (*take)(void *context, const uint8_t *piece, int64_t length),
                                void *context);

#endif
