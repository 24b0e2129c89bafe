/**
 * Text to tokens, by one thread. All functions are local; an encoder is one thread's, its tokenizer is
 * shared.
 *
 *     dt_encoder encoder;
 *     DT_TRY(dt_encoder_create(&encoder, &tokenizer));
 *     DT_TRY(dt_encoder_encode(&encoder, &text, first, end, true, &count));
 *     ... encoder.tokens, encoder.count ...
 *     dt_encoder_free(&encoder);
 */
#ifndef DT_TOKENIZER_ENCODER_H
#define DT_TOKENIZER_ENCODER_H

#include "tokenizer/kind.h"

/** The tokenizer must outlive the encoder, which is to be freed also on failure. */
dt_status dt_encoder_create(dt_encoder *encoder, const dt_tokenizer *tokenizer);

/** Frees it; one that is all zero is fine. */
void dt_encoder_free(dt_encoder *encoder);

/**
 * The tokens of text->bytes[first..end), both being cuts of the text (dt_tokenizer_cut). The text must reach
 * tokenizer->before bytes before `first` and tokenizer->after behind `end`, or to its own start and end.
 * Where `keep`, encoder->tokens and encoder->count become these tokens; otherwise they are only counted. Adds
 * to `*count`. Fails when out of memory, and with DT_USAGE where a pattern gives up (tokenizer/pattern.h).
 */
dt_status dt_encoder_encode(dt_encoder *encoder, const dt_text *text, int64_t first, int64_t end, bool keep,
                            dt_token_count *count);

/** The tokens of a whole text. */
dt_status dt_encoder_encode_all(dt_encoder *encoder, const char *text, size_t length);

/** For kinds: makes room for `more` tokens behind encoder->count. */
dt_status dt_encoder_reserve(dt_encoder *encoder, int64_t more);

#endif
