/*
 * The tokenizer against the vocabulary as documented, against a decoder written from Unicode's table row by
 * row, and against itself: however a text is cut into blocks, the blocks' tokens are the text's.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/philox.h"
#include "support/reference_tokens.h"

#define LONGEST 512

static void assert_count(dt_tokenizer_count found, dt_tokenizer_count expected) {
    assert_int_equal(found.tokens, expected.tokens);
    assert_int_equal(found.unknown, expected.unknown);
    assert_int_equal(found.invalid, expected.invalid);
    assert_int_equal(found.zero, expected.zero);
}

/*
 * Tokenizes [first, end) from a copy that holds no byte more than a block is promised to see, so that a
 * sanitizer reports any further look. Counts by itself too, which must agree.
 */
static int64_t block(const uint8_t *bytes, int64_t length, int64_t first, int64_t end, uint8_t *tokens,
                     dt_tokenizer_count *count) {
    int64_t from = first > DT_TOKENIZER_BEFORE ? first - DT_TOKENIZER_BEFORE : 0;
    int64_t to = end + DT_TOKENIZER_AFTER < length ? end + DT_TOKENIZER_AFTER : length;
    uint8_t *seen = malloc((size_t)(to - from) + (to == from));
    uint8_t *made = malloc((size_t)(end - first) + (end == first));
    dt_tokenizer_count counted = {0}, encoded = {0};
    memcpy(seen, bytes + from, (size_t)(to - from));
    int64_t tokens_count = dt_tokenizer_block(seen, to - from, first - from, end - from, made, &encoded);
    assert_int_equal(dt_tokenizer_block(seen, to - from, first - from, end - from, NULL, &counted),
                     tokens_count);
    assert_int_equal(encoded.tokens, tokens_count);
    assert_count(counted, encoded);
    memcpy(tokens, made, (size_t)tokens_count);
    count->tokens += encoded.tokens;
    count->unknown += encoded.unknown;
    count->invalid += encoded.invalid;
    count->zero += encoded.zero;
    free(seen);
    free(made);
    return tokens_count;
}

/* Identity: the blocks [0, first), [first, end), [end, length) together make what the reference makes. */
static void check_cuts(const uint8_t *bytes, int64_t length, int64_t first, int64_t end) {
    uint8_t expected[LONGEST], found[LONGEST];
    dt_tokenizer_count expected_count = reference_tokens(bytes, (size_t)length, expected), count = {0};
    int64_t made = block(bytes, length, 0, first, found, &count);
    made += block(bytes, length, first, end, found + made, &count);
    made += block(bytes, length, end, length, found + made, &count);
    assert_count(count, expected_count);
    assert_int_equal(made, expected_count.tokens);
    assert_memory_equal(found, expected, (size_t)made);
}

/* Identity: the 99 tokens are <PAD>, <UNK>, ASCII 32..126, newline, tab; encoding a token's text gives it. */
static void test_vocabulary_both_ways(void **state) {
    (void)state;
    assert_int_equal(DT_VOCAB, 99);
    assert_string_equal(dt_tokenizer_text(DT_TOKEN_PAD), "");
    assert_string_equal(dt_tokenizer_name(DT_TOKEN_PAD), "<PAD>");
    assert_string_equal(dt_tokenizer_text(DT_TOKEN_UNK), "\xEF\xBF\xBD");
    assert_string_equal(dt_tokenizer_name(DT_TOKEN_UNK), "<UNK>");
    for (uint8_t token = 2; token < DT_VOCAB; token++) {
        char character = token == 97 ? '\n' : token == 98 ? '\t' : (char)(token + 30);
        const char expected[] = {character, 0};
        assert_string_equal(dt_tokenizer_text(token), expected);
        assert_string_equal(dt_tokenizer_name(token), expected);
    }
    for (uint8_t token = 1; token < DT_VOCAB; token++) {
        uint8_t back[4];
        const char *text = dt_tokenizer_text(token);
        assert_int_equal(dt_tokenizer_encode(text, strlen(text), back), 1);
        assert_int_equal(back[0], token);
    }
    assert_string_equal(dt_tokenizer_text(99), "\xEF\xBF\xBD");
    assert_string_equal(dt_tokenizer_name(255), "<UNK>");
}

/* Identity: every byte that is neither one of the 97 characters nor part of something longer is one <UNK>. */
static void test_every_byte_alone(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        char text = (char)byte;
        uint8_t token;
        bool known = (byte >= 32 && byte <= 126) || byte == '\n' || byte == '\t';
        dt_tokenizer_count count = {0};
        dt_tokenizer_block((const uint8_t *)&text, 1, 0, 1, NULL, &count);
        assert_int_equal(dt_tokenizer_encode(&text, 1, &token), 1);
        assert_int_equal(token != DT_TOKEN_UNK, known);
        assert_count(count, (dt_tokenizer_count){1, !known, byte >= 0x80, byte == 0});
    }
}

/* Identity: counts worked out by hand, among them those of the examples in Unicode 15, tables 3-8 to 3-11. */
static void test_counts_by_hand(void **state) {
    (void)state;
    static const struct {
        const char *text;
        dt_tokenizer_count count;
    } cases[] = {
        {"", {0, 0, 0, 0}},
        {"a\r\nb", {3, 0, 0, 0}},
        {"a\rb\r", {4, 2, 0, 0}},
        {"\r\r\n\n\r", {4, 2, 0, 0}},
        {"\xEF\xBB\xBFhi", {3, 1, 0, 0}},                       /* a byte order mark */
        {"\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80", {3, 3, 0, 0}}, /* 2, 3 and 4 bytes */
        {"\xC0\xAF\xE0\x80\xBF\xF0\x81\x82\x41", {9, 8, 8, 0}}, /* 3-8: overlong */
        {"\xED\xA0\x80\xED\xBF\xBF\xED\xAF\x41", {9, 8, 8, 0}}, /* 3-9: surrogates */
        {"\xF4\x91\x92\x93\xFF\x41\x80\xBF\x42", {9, 7, 7, 0}}, /* 3-10: past U+10FFFF */
        {"\xE1\x80\xE2\xF0\x91\x92\xF1\xBF\x41", {5, 4, 4, 0}}, /* 3-11: cut off */
        {"\xF4\x8F\xBF\xBF\xED\x9F\xBF", {2, 2, 0, 0}},         /* the last before what is ill-formed */
        {"\xE0\xA0\x80\xF0\x90\x80\x80", {2, 2, 0, 0}},         /* the first after it */
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        uint8_t tokens[32];
        dt_tokenizer_count count = {0};
        size_t length = strlen(cases[i].text);
        dt_tokenizer_block((const uint8_t *)cases[i].text, (int64_t)length, 0, (int64_t)length, NULL, &count);
        assert_count(count, cases[i].count);
        assert_count(reference_tokens((const uint8_t *)cases[i].text, length, tokens), cases[i].count);
    }
}

/* Identity: counts are added to what the caller has, not set. */
static void test_counts_add_up(void **state) {
    (void)state;
    dt_tokenizer_count count = {10, 20, 30, 40};
    assert_int_equal(dt_tokenizer_block((const uint8_t *)"a\xFF\0", 3, 0, 3, NULL, &count), 3);
    assert_count(count, (dt_tokenizer_count){13, 22, 31, 41});
}

/* Identity: see check_cuts, for every first and end of texts made to hurt. */
static void test_every_cut(void **state) {
    (void)state;
    static const char *const texts[] = {
        "a",
        "\r\n",
        "\n\r\n\n\r\r\n\r",
        "a\r\nb\r\r\n\nc\xE2\x82\xAC\r\n",
        "\xEF\xBB\xBF\r\n\xEF\xBB\xBFx",
        "\xC3\xA9\xE2\x82\xAC\xF0\x9F\x98\x80\xC3\xA9z\xF0\x9F\x98\x80\xF0\x9F\x98\x80",
        "\x80\x80\x80\x80\x80\x80\x80",
        "\xF0\x9F\x98\x80\x80\x80\x80\x80",
        "\xF0\x9F\x98",
        "\xF0\x9F\x98\xF0\x9F\xF0\xE2\x82\xE2\xC3",
        "\xF0\x9F\x98\r\n\xE2\x82\r\n\xC3\r\n",
        "\xE0\x80\x80\xE0\x9F\xBF\xE0\xA0\x80\xED\x9F\xBF\xED\xA0\x80",
        "\xF0\x8F\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF\xF4\x90\x80\x80",
        "\xC0\x80\xC1\xBF\xC2\x80\xDF\xBF\xF5\x80\x80\x80\xFF\xFE",
        "long enough for a piece of plain bytes whole,\tthen \xE2\x80\x9Cquoted\xE2\x80\x9D\r\nand on.",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        int64_t length = (int64_t)strlen(texts[i]);
        for (int64_t first = 0; first <= length; first++)
            for (int64_t end = first; end <= length; end++)
                check_cuts((const uint8_t *)texts[i], length, first, end);
    }
}

/* Identity: see check_cuts, for random texts of bytes that mean something, of any bytes, and of mostly plain
 * ones. */
static void test_random_bytes(void **state) {
    (void)state;
    static const uint8_t telling[] = {'a',  '\r', '\n', '\t', 0x00, 0x7F, 0x80, 0x8F, 0x90, 0x9F, 0xA0, 0xBF,
                                      0xC1, 0xC2, 0xDF, 0xE0, 0xE1, 0xED, 0xEF, 0xF0, 0xF1, 0xF4, 0xF5, 0xFF};
    dt_philox_key key = {2023, 99};
    for (uint32_t round = 0; round < 6000; round++) {
        uint8_t bytes[LONGEST];
        dt_philox_words shape = dt_philox(key, round, 0, 0, 1);
        int64_t length = shape.w0 % (round % 10 == 0 ? LONGEST : 24);
        for (int64_t i = 0; i < length; i++) {
            dt_philox_words word = dt_philox(key, round, (uint32_t)i, 0, 0);
            bytes[i] = telling[word.w0 % sizeof telling];
            if (round % 3 == 1)
                bytes[i] = (uint8_t)word.w1;
            else if (round % 3 == 2 && word.w1 % 16 != 0)
                bytes[i] = (uint8_t)(32 + word.w0 % 95);
        }
        int64_t first = shape.w1 % (uint32_t)(length + 1);
        check_cuts(bytes, length, first, first + shape.w2 % (uint32_t)(length - first + 1));
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vocabulary_both_ways),
        cmocka_unit_test(test_every_byte_alone),
        cmocka_unit_test(test_counts_by_hand),
        cmocka_unit_test(test_counts_add_up),
        cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
