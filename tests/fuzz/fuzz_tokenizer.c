/*
 * The tokenizers of characters: the first two bytes say where the rest is cut into three blocks. The blocks'
 * tokens are those of a plain reference reader, counts included, and the tokens' own text gives the same
 * tokens again.
 */
#include "fuzz/fuzz.h"

#include <string.h>

#include "data/recognise.h"
#include "support/reference_tokens.h"
#include "support/token_blocks.h"

bool fuzz_accepted = true; /* there is no text that is no text */

/* What the tokens stand for is the bytes `expected`, where these are given, and makes the same tokens again.
 */
static void check_text(const token_blocks *found, const uint8_t *expected) {
    size_t length = 0;
    char *text = malloc(3 * (size_t)found->made + 1);
    FUZZ_EXPECT(text != NULL);
    for (int64_t i = 0; i < found->made; i++) {
        size_t bytes;
        const char *token = dt_tokenizer_decode(found->tokenizer, found->ids[i], &bytes);
        memcpy(text + length, token, bytes);
        length += bytes;
    }
    if (expected)
        FUZZ_EXPECT(length == (size_t)found->length && memcmp(text, expected, length) == 0);
    token_blocks again = token_blocks_make(found->tokenizer, text, (int64_t)length, NULL, 0);
    FUZZ_EXPECT(again.made == found->made);
    FUZZ_EXPECT(memcmp(again.ids, found->ids, (size_t)found->made * sizeof *found->ids) == 0);
    free(again.ids);
    free(text);
}

static void check_ascii(const uint8_t *bytes, int64_t length, const int64_t positions[2]) {
    dt_tokenizer ascii;
    uint8_t *expected = malloc((size_t)length + (length == 0));
    FUZZ_EXPECT(dt_tokenizer_open(&ascii, "ascii") == DT_OK && expected != NULL);
    const dt_token_count known = reference_tokens(bytes, (size_t)length, expected);
    token_blocks found = token_blocks_make(&ascii, bytes, length, positions, 2);
    FUZZ_EXPECT(found.made == known.tokens && memcmp(&found.count, &known, sizeof known) == 0);
    for (int64_t i = 0; i < found.made; i++)
        FUZZ_EXPECT(found.ids[i] == expected[i]);
    check_text(&found, NULL);
    FUZZ_EXPECT(dt_recognise_text("f", bytes, length) == DT_USAGE || known.zero == 0);
    free(found.ids);
    free(expected);
}

static void check_bytes(const uint8_t *bytes, int64_t length, const int64_t positions[2]) {
    dt_tokenizer tokenizer;
    FUZZ_EXPECT(dt_tokenizer_open(&tokenizer, "bytes") == DT_OK);
    token_blocks found = token_blocks_make(&tokenizer, bytes, length, positions, 2);
    FUZZ_EXPECT(found.made == length);
    check_text(&found, bytes);
    free(found.ids);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
    if (size < 2)
        return 0;
    const uint8_t *bytes = data + 2;
    const int64_t length = (int64_t)size - 2;
    const int64_t one = data[0] % (length + 1), other = data[1] % (length + 1);
    const int64_t positions[2] = {one < other ? one : other, one < other ? other : one};
    check_ascii(bytes, length, positions);
    check_bytes(bytes, length, positions);
    return 0;
}
