/*
 * A text tokenised in blocks, as a corpus does it: each block from a copy that holds no byte more than a
 * tokenizer is promised to see, so that a sanitizer reports any further look. What must hold ends the program
 * where it does not, since fuzz targets use this too.
 */
#ifndef DT_TESTS_TOKEN_BLOCKS_H
#define DT_TESTS_TOKEN_BLOCKS_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tokenizer/encoder.h"
#include "tokenizer/tokenizer.h"
#include "tokenizer/tokens.h"

#define BLOCKS_EXPECT(condition)                                                                             \
    do {                                                                                                     \
        if (!(condition)) {                                                                                  \
            fprintf(stderr, "%s:%d: expected %s\n", __FILE__, __LINE__, #condition);                         \
            abort();                                                                                         \
        }                                                                                                    \
    } while (0)

/* A text, and what its blocks have come to. */
typedef struct token_blocks {
    const dt_tokenizer *tokenizer;
    const uint8_t *bytes;
    int64_t length;
    int32_t *ids; /* [count], as a token each */
    int64_t made;
    dt_token_count count;
} token_blocks;

/* A copy of bytes [from, to) of the text, which the caller frees. */
static inline dt_text token_blocks_view(const token_blocks *b, int64_t from, int64_t to) {
    uint8_t *seen = malloc((size_t)(to - from) + (to == from));
    BLOCKS_EXPECT(seen != NULL);
    if (to > from)
        memcpy(seen, b->bytes + from, (size_t)(to - from));
    return (dt_text){seen, to - from, from == 0, to == b->length};
}

/* The first cut at or behind `position`, seeing `step` bytes behind it at first and as many more when asked.
 */
static inline int64_t token_blocks_cut(const token_blocks *b, int64_t position, int64_t step) {
    const int64_t from = position > b->tokenizer->before ? position - b->tokenizer->before : 0;
    for (int64_t to = position;; to += step) {
        const dt_text text = token_blocks_view(b, from, to < b->length ? to : b->length);
        const int64_t cut = dt_tokenizer_cut(b->tokenizer, &text, position - from);
        free((void *)text.bytes);
        BLOCKS_EXPECT(cut >= 0 || to < b->length);
        if (cut >= 0)
            return from + cut;
    }
}

/* Adds the tokens between the cuts `first` and `end`. */
static inline void token_blocks_add(token_blocks *b, int64_t first, int64_t end) {
    const int64_t from = first > b->tokenizer->before ? first - b->tokenizer->before : 0;
    const int64_t to = end + b->tokenizer->after < b->length ? end + b->tokenizer->after : b->length;
    const dt_text text = token_blocks_view(b, from, to);
    dt_encoder encoder;
    dt_token_count counted = {0}, kept = {0};
    BLOCKS_EXPECT(dt_encoder_create(&encoder, b->tokenizer) == DT_OK);
    BLOCKS_EXPECT(dt_encoder_encode(&encoder, &text, first - from, end - from, false, &counted) == DT_OK);
    BLOCKS_EXPECT(dt_encoder_encode(&encoder, &text, first - from, end - from, true, &kept) == DT_OK);
    BLOCKS_EXPECT(memcmp(&counted, &kept, sizeof kept) == 0 && kept.tokens == encoder.count);
    b->ids = realloc(b->ids, (size_t)(b->made + encoder.count + 1) * sizeof *b->ids);
    BLOCKS_EXPECT(b->ids != NULL);
    if (encoder.count > 0)
        dt_tokens_widen(b->ids + b->made, encoder.tokens, b->tokenizer->token_bytes, encoder.count);
    b->made += encoder.count;
    b->count.tokens += kept.tokens;
    b->count.unknown += kept.unknown;
    b->count.invalid += kept.invalid;
    b->count.zero += kept.zero;
    dt_encoder_free(&encoder);
    free((void *)text.bytes);
}

/* The tokens of the text in blocks of which positions[n], in rising order, are where they begin and end. The
 * caller frees ids. */
static inline token_blocks token_blocks_make(const dt_tokenizer *tokenizer, const void *bytes, int64_t length,
                                             const int64_t *positions, int64_t n) {
    token_blocks b = {.tokenizer = tokenizer, .bytes = bytes, .length = length};
    int64_t start = 0;
    for (int64_t i = 0; i <= n; i++) {
        int64_t stop = i < n ? token_blocks_cut(&b, positions[i], 1 + i) : length;
        if (stop < start) /* both lie in a stretch without a cut */
            stop = start;
        token_blocks_add(&b, start, stop);
        start = stop;
    }
    return b;
}

#endif
