/* The memory that tokens go to; what they are is the kind's matter. */
#include "tokenizer/encoder.h"

#include <stdlib.h>

#include "base/assert.h"
#include "base/minmax.h"

dt_status dt_encoder_create(dt_encoder *encoder, const dt_tokenizer *tokenizer) {
    *encoder = (dt_encoder){.tokenizer = tokenizer};
    return tokenizer->kind->open_encoder ? tokenizer->kind->open_encoder(encoder) : DT_OK;
}

void dt_encoder_free(dt_encoder *encoder) {
    if (encoder->tokenizer && encoder->tokenizer->kind->close_encoder)
        encoder->tokenizer->kind->close_encoder(encoder);
    free(encoder->tokens);
    *encoder = (dt_encoder){0};
}

dt_status dt_encoder_reserve(dt_encoder *encoder, int64_t more) {
    DT_ASSERT(more >= 0);
    if (more <= encoder->capacity - encoder->count)
        return DT_OK;
    const int64_t capacity = dt_max(encoder->count + more, 2 * encoder->capacity);
    uint8_t *tokens = realloc(encoder->tokens, (size_t)capacity * (size_t)encoder->tokenizer->token_bytes);
    if (tokens == NULL)
        return dt_fail("out of memory for the tokens of a text");
    encoder->tokens = tokens;
    encoder->capacity = capacity;
    return DT_OK;
}

dt_status dt_encoder_encode(dt_encoder *encoder, const dt_text *text, int64_t first, int64_t end, bool keep,
                            dt_token_count *count) {
    DT_ASSERT(first >= 0 && first <= end && end <= text->length);
    encoder->count = 0;
    return encoder->tokenizer->kind->encode(encoder, text, first, end, keep, count);
}

dt_status dt_encoder_encode_all(dt_encoder *encoder, const char *text, size_t length) {
    const dt_text whole = {(const uint8_t *)text, (int64_t)length, true, true};
    dt_token_count count = {0};
    return dt_encoder_encode(encoder, &whole, 0, whole.length, true, &count);
}
