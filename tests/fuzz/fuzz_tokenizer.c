/*
 * The tokenizer: the first two bytes say where the rest is cut into three blocks. The blocks' tokens are
 * those of a plain reference reader, counts included, and the tokens' own text gives the same tokens again.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "data/recognise.h"
#include "support/reference_tokens.h"

bool fuzz_accepted = true; /* there is no text that is no text */

static uint8_t *bytes_for(int64_t bytes) {
    uint8_t *block = malloc((size_t)bytes + (bytes == 0));
    FUZZ_EXPECT(block != NULL);
    return block;
}

/* The block from a copy that holds no byte more than it is promised to see. */
static int64_t encode_block(const uint8_t *bytes, int64_t length, int64_t first, int64_t end, uint8_t *tokens,
                            dt_tokenizer_count *count) {
    const int64_t from = first > DT_TOKENIZER_BEFORE ? first - DT_TOKENIZER_BEFORE : 0;
    const int64_t to = end + DT_TOKENIZER_AFTER < length ? end + DT_TOKENIZER_AFTER : length;
    uint8_t *seen = bytes_for(to - from), *made = bytes_for(end - first);
    memcpy(seen, bytes + from, (size_t)(to - from));
    const int64_t tokens_count = dt_tokenizer_block(seen, to - from, first - from, end - from, made, count);
    FUZZ_EXPECT(dt_tokenizer_block(seen, to - from, first - from, end - from, NULL, NULL) == tokens_count);
    memcpy(tokens, made, (size_t)tokens_count);
    free(seen);
    free(made);
    return tokens_count;
}

static void check_text(const uint8_t *tokens, int64_t count) {
    char *text = (char *)bytes_for(3 * count + 1), *end = text;
    *end = 0;
    for (int64_t i = 0; i < count; i++)
        end = stpcpy(end, dt_tokenizer_text(tokens[i]));
    uint8_t *again = bytes_for(end - text);
    FUZZ_EXPECT(dt_tokenizer_encode(text, (size_t)(end - text), again) == count);
    FUZZ_EXPECT(memcmp(again, tokens, (size_t)count) == 0);
    free(again);
    free(text);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    const uint8_t *bytes = data + 2;
    const int64_t length = (int64_t)size - 2;
    int64_t first = data[0] % (length + 1), end = data[1] % (length + 1);
    if (first > end) {
        const int64_t kept = first;
        first = end;
        end = kept;
    }
    uint8_t *expected = bytes_for(length), *found = bytes_for(length);
    dt_tokenizer_count counts = {0};
    const dt_tokenizer_count known = reference_tokens(bytes, (size_t)length, expected);
    int64_t made = encode_block(bytes, length, 0, first, found, &counts);
    made += encode_block(bytes, length, first, end, found + made, &counts);
    made += encode_block(bytes, length, end, length, found + made, &counts);
    FUZZ_EXPECT(made == known.tokens && counts.tokens == known.tokens);
    FUZZ_EXPECT(counts.unknown == known.unknown && counts.invalid == known.invalid &&
                counts.zero == known.zero);
    FUZZ_EXPECT(memcmp(found, expected, (size_t)made) == 0);
    check_text(found, made);
    FUZZ_EXPECT(dt_recognise_text("f", bytes, length) == DT_USAGE || known.zero == 0);
    free(expected);
    free(found);
    return 0;
}
