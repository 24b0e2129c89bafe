/*
 * ascii against the vocabulary as documented and against a decoder written from Unicode's table row by row;
 * bytes; and what holds for both: however a text is cut into blocks, the blocks' tokens are the text's.
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
#include "support/token_blocks.h"

#define LONGEST 512

static dt_tokenizer ascii, bytes;

static int open_tokenizers(void **state) {
    (void)state;
    return dt_tokenizer_open(&ascii, "ascii") == DT_OK && dt_tokenizer_open(&bytes, "bytes") == DT_OK ? 0
                                                                                                      : -1;
}

static void assert_count(dt_token_count found, dt_token_count expected) {
    assert_int_equal(found.tokens, expected.tokens);
    assert_int_equal(found.unknown, expected.unknown);
    assert_int_equal(found.invalid, expected.invalid);
    assert_int_equal(found.zero, expected.zero);
}

/* Identity: the blocks between the cuts behind 0, first, end and length make what the text itself makes. */
static void check_cuts(const uint8_t *text, int64_t length, int64_t first, int64_t end) {
    uint8_t expected[LONGEST];
    const int64_t positions[] = {first, end};
    const dt_token_count expected_count = reference_tokens(text, (size_t)length, expected);
    token_blocks found = token_blocks_make(&ascii, text, length, positions, 2);
    assert_count(found.count, expected_count);
    assert_int_equal(found.made, expected_count.tokens);
    for (int64_t i = 0; i < found.made; i++)
        assert_int_equal(found.ids[i], expected[i]);
    free(found.ids);
    found = token_blocks_make(&bytes, text, length, positions, 2);
    assert_count(found.count, (dt_token_count){.tokens = length, .zero = expected_count.zero});
    for (int64_t i = 0; i < length; i++)
        assert_int_equal(found.ids[i], text[i]);
    free(found.ids);
}

static token_blocks encode(const dt_tokenizer *tokenizer, const char *text, size_t length) {
    return token_blocks_make(tokenizer, text, (int64_t)length, NULL, 0);
}

static void assert_text(const dt_tokenizer *tokenizer, int32_t token, const char *expected) {
    size_t length;
    const char *text = dt_tokenizer_decode(tokenizer, token, &length);
    assert_int_equal(length, strlen(expected));
    assert_memory_equal(text, expected, length);
}

/* Identity: the 99 tokens are <PAD>, <UNK>, ASCII 32..126, newline, tab; encoding a token's text gives it. */
static void test_ascii_both_ways(void **state) {
    (void)state;
    assert_int_equal(ascii.V, 99);
    assert_int_equal(ascii.unknown, 1);
    assert_int_equal(ascii.first_text, 2);
    assert_int_equal(ascii.end_of_text, -1);
    assert_int_equal(ascii.token_bytes, 1);
    assert_text(&ascii, DT_ASCII_PAD, "");
    assert_text(&ascii, DT_ASCII_UNKNOWN, "\xEF\xBF\xBD");
    for (int32_t token = 2; token < 99; token++) {
        char character = token == 97 ? '\n' : token == 98 ? '\t' : (char)(token + 30);
        const char expected[] = {character, 0};
        assert_text(&ascii, token, expected);
    }
    for (int32_t token = 1; token < 99; token++) {
        size_t length;
        const char *text = dt_tokenizer_decode(&ascii, token, &length);
        token_blocks back = encode(&ascii, text, length);
        assert_int_equal(back.made, 1);
        assert_int_equal(back.ids[0], token);
        free(back.ids);
    }
    assert_text(&ascii, 99, "\xEF\xBF\xBD");
    assert_text(&ascii, -1, "\xEF\xBF\xBD");
}

/* Identity: 256 tokens, each the byte of its number, none of them unknown. */
static void test_bytes_both_ways(void **state) {
    (void)state;
    assert_int_equal(bytes.V, 256);
    assert_int_equal(bytes.unknown, -1);
    assert_int_equal(bytes.first_text, 0);
    for (int32_t token = 0; token < 256; token++) {
        size_t length;
        const char *text = dt_tokenizer_decode(&bytes, token, &length);
        assert_int_equal(length, 1);
        assert_int_equal((uint8_t)text[0], token);
    }
    assert_text(&bytes, 256, "\xEF\xBF\xBD");
    assert_true(bytes.hash != ascii.hash);
}

/* Identity: a name that is none is refused with it. */
static void test_unknown_name(void **state) {
    dt_tokenizer none;
    (void)state;
    assert_int_equal(dt_tokenizer_open(&none, "asci"), DT_USAGE);
    assert_non_null(strstr(dt_error(), "\"asci\""));
    dt_tokenizer_free(&none);
}

/* Identity: every byte that is neither one of the 97 characters nor part of something longer is one <UNK>. */
static void test_every_byte_alone(void **state) {
    (void)state;
    for (int byte = 0; byte < 256; byte++) {
        const char text = (char)byte;
        const bool known = (byte >= 32 && byte <= 126) || byte == '\n' || byte == '\t';
        token_blocks found = encode(&ascii, &text, 1);
        assert_count(found.count, (dt_token_count){1, !known, byte >= 0x80, byte == 0});
        assert_int_equal(found.ids[0] != DT_ASCII_UNKNOWN, known);
        free(found.ids);
    }
}

/* Identity: counts worked out by hand, among them those of the examples in Unicode 15, tables 3-8 to 3-11. */
static void test_counts_by_hand(void **state) {
    (void)state;
    static const struct {
        const char *text;
        dt_token_count count;
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
        size_t length = strlen(cases[i].text);
        token_blocks found = encode(&ascii, cases[i].text, length);
        assert_count(found.count, cases[i].count);
        free(found.ids);
        assert_count(reference_tokens((const uint8_t *)cases[i].text, length, tokens), cases[i].count);
    }
}

/* Identity: counts are added to what the caller has, not set. */
static void test_counts_add_up(void **state) {
    (void)state;
    const dt_text text = {(const uint8_t *)"a\xFF\0", 3, true, true};
    dt_token_count count = {10, 20, 30, 40};
    dt_encoder encoder;
    assert_int_equal(dt_encoder_create(&encoder, &ascii), DT_OK);
    assert_int_equal(dt_encoder_encode(&encoder, &text, 0, 3, true, &count), DT_OK);
    assert_int_equal(encoder.count, 3);
    assert_count(count, (dt_token_count){13, 22, 31, 41});
    dt_encoder_free(&encoder);
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
        uint8_t text[LONGEST];
        dt_philox_words shape = dt_philox(key, round, 0, 0, 1);
        int64_t length = shape.w0 % (round % 10 == 0 ? LONGEST : 24);
        for (int64_t i = 0; i < length; i++) {
            dt_philox_words word = dt_philox(key, round, (uint32_t)i, 0, 0);
            text[i] = telling[word.w0 % sizeof telling];
            if (round % 3 == 1)
                text[i] = (uint8_t)word.w1;
            else if (round % 3 == 2 && word.w1 % 16 != 0)
                text[i] = (uint8_t)(32 + word.w0 % 95);
        }
        int64_t first = shape.w1 % (uint32_t)(length + 1);
        check_cuts(text, length, first, first + shape.w2 % (uint32_t)(length - first + 1));
    }
}

/* Identity: ids of the smallest and the largest vocabulary of each width come back from it. */
static void test_widths(void **state) {
    (void)state;
    static const struct {
        int64_t V;
        int bytes;
    } cases[] = {{1, 1}, {256, 1}, {257, 2}, {65536, 2}, {65537, 4}, {128256, 4}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        const int width = dt_tokens_bytes(cases[i].V);
        const int32_t last = (int32_t)(cases[i].V - 1), ids[] = {0, last, last / 2, last, 0};
        int32_t tokens[5], back[5]; /* as wide as any */
        assert_int_equal(width, cases[i].bytes);
        dt_tokens_narrow(tokens, ids, width, 5);
        dt_tokens_widen(back, tokens, width, 5);
        assert_memory_equal(back, ids, sizeof ids);
        assert_int_equal(dt_tokens_count(tokens, width, 5, last), last == 0 ? 5 : 2);
        assert_int_equal(dt_tokens_count(tokens, width, 5, -1), 0);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ascii_both_ways),  cmocka_unit_test(test_bytes_both_ways),
        cmocka_unit_test(test_unknown_name),     cmocka_unit_test(test_widths),
        cmocka_unit_test(test_every_byte_alone), cmocka_unit_test(test_counts_by_hand),
        cmocka_unit_test(test_counts_add_up),    cmocka_unit_test(test_every_cut),
        cmocka_unit_test(test_random_bytes),
    };
    return cmocka_run_group_tests(tests, open_tokenizers, NULL);
}
