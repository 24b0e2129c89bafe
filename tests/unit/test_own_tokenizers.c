/*
 * chars, which learns its characters from a text, and dtrain's own tokenizers as tokenizer.json: what is
 * written is recognised as what it was, and nothing else is.
 */
#include "support/sentence.h"

#include <jansson.h>
#include <string.h>

#include "base/utf8.h"
#include "support/token_blocks.h"
#include "tokenizer/chars.h"

/* The tokenizer of the characters of `text`. */
static dt_tokenizer chars_of(const char *text, size_t length) {
    dt_tokenizer chars;
    dt_encoder encoder;
    dt_token_count count = {0};
    const dt_text whole = {(const uint8_t *)text, (int64_t)length, true, true};
    assert_done(dt_tokenizer_open(&chars, "chars"));
    assert_non_null(dt_chars_collected(&chars));
    assert_int_equal(chars.V, 0);
    assert_done(dt_encoder_create(&encoder, &chars));
    assert_done(dt_encoder_encode(&encoder, &whole, 0, whole.length, false, &count));
    assert_int_equal(dt_encoder_encode(&encoder, &whole, 0, whole.length, true, &count), DT_USAGE);
    dt_encoder_free(&encoder);
    assert_done(dt_chars_settle(&chars));
    assert_null(dt_chars_collected(&chars));
    return chars;
}

/* Characters of one to four bytes, CR LF, a NUL byte and two pieces of ill-formed UTF-8. */
static const char mixed[] = "b\r\na\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80"
                            "\0"
                            "\xFF\xF0\x9F"
                            "b<UNK>";
#define MIXED_BYTES (sizeof mixed - 1)

/* Identity: ids follow code points, whatever the order in the text; what is no character is <UNK>. */
static void test_chars(void **state) {
    (void)state;
    dt_tokenizer chars = chars_of(mixed, MIXED_BYTES);
    static const char *const expected[] = {"",
                                           "\xEF\xBF\xBD",
                                           "\n",
                                           "\r",
                                           "<",
                                           ">",
                                           "K",
                                           "N",
                                           "U",
                                           "a",
                                           "b",
                                           "\xC3\xA9",
                                           "\xE6\x97\xA5",
                                           "\xF0\x9F\x98\x80"};
    static const int32_t ids[] = {10, 3, 2, 9, 11, 12, 13, 1, 1, 1, 10, 4, 8, 7, 6, 5};
    assert_int_equal(chars.V, 14);
    assert_int_equal(chars.token_bytes, 1);
    for (int32_t id = 0; id < chars.V; id++) {
        size_t length;
        const char *text = dt_tokenizer_decode(&chars, id, &length);
        assert_int_equal(length, strlen(expected[id]));
        assert_memory_equal(text, expected[id], length);
    }
    for (int64_t first = 0; first <= (int64_t)MIXED_BYTES; first++)
        for (int64_t end = first; end <= (int64_t)MIXED_BYTES; end++) {
            const int64_t positions[] = {first, end};
            token_blocks found = token_blocks_make(&chars, mixed, MIXED_BYTES, positions, 2);
            assert_int_equal(found.made, sizeof ids / sizeof *ids);
            assert_memory_equal(found.ids, ids, sizeof ids);
            assert_int_equal(found.count.unknown, 3);
            assert_int_equal(found.count.invalid, 2);
            assert_int_equal(found.count.zero, 1);
            free(found.ids);
        }
    dt_tokenizer_free(&chars);
}

/* Identity: with more than 254 characters tokens take two bytes, and come back. */
static void test_many_characters(void **state) {
    (void)state;
    char text[4 * 3000];
    size_t length = 0;
    for (uint32_t point = 0x4E00; point < 0x4E00 + 3000; point++)
        length += (size_t)dt_utf8_write(text + length, point);
    dt_tokenizer chars = chars_of(text, length);
    assert_int_equal(chars.V, 3002);
    assert_int_equal(chars.token_bytes, 2);
    token_blocks found = token_blocks_make(&chars, text, (int64_t)length, NULL, 0);
    assert_int_equal(found.made, 3000);
    for (int32_t i = 0; i < 3000; i++)
        assert_int_equal(found.ids[i], i + 2);
    free(found.ids);
    dt_tokenizer_free(&chars);
}

/* The tokenizer comes back from its tokenizer.json, as the kind that it is, and that as the same text. */
static void check_round_trip(const dt_tokenizer *tokenizer) {
    size_t length, again_length;
    dt_tokenizer back;
    char *json = dt_tokenizer_json(tokenizer, &length);
    assert_non_null(json);
    assert_int_equal(length, strlen(json));
    assert_done(dt_tokenizer_parse(&back, "tokenizer.json", json, length));
    assert_ptr_equal(back.kind, tokenizer->kind);
    assert_int_equal(back.V, tokenizer->V);
    assert_true(back.hash == tokenizer->hash);
    char *again = dt_tokenizer_json(&back, &again_length);
    assert_string_equal(again, json);
    free(again);
    free(json);
    dt_tokenizer_free(&back);
}

static void test_round_trips(void **state) {
    (void)state;
    dt_tokenizer ascii, bytes, chars = chars_of(mixed, MIXED_BYTES);
    assert_done(dt_tokenizer_open(&ascii, "ascii"));
    assert_done(dt_tokenizer_open(&bytes, "bytes"));
    check_round_trip(&ascii);
    check_round_trip(&bytes);
    check_round_trip(&chars);
    dt_tokenizer_free(&chars);
}

/* Identity: what another program makes of the file's vocabulary is what dtrain has: spot checks by hand. */
static void test_vocabularies(void **state) {
    (void)state;
    static const struct {
        const char *name, *token;
        int id;
    } cases[] = {{"ascii", "<PAD>", 0},    {"ascii", "<UNK>", 1},      {"ascii", "A", 35},
                 {"ascii", "\t", 98},      {"bytes", "A", 65},         {"bytes", "\xC4\xA0", 32},
                 {"bytes", "\xC4\x80", 0}, {"bytes", "\xC5\x83", 173}, {"bytes", "\xC3\xBF", 255}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_tokenizer tokenizer;
        size_t length;
        assert_done(dt_tokenizer_open(&tokenizer, cases[i].name));
        char *text = dt_tokenizer_json(&tokenizer, &length);
        json_t *json = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
        const json_t *vocab = json_object_get(json_object_get(json, "model"), "vocab");
        assert_int_equal(json_object_size(vocab), tokenizer.V);
        assert_int_equal(json_integer_value(json_object_get(vocab, cases[i].token)), cases[i].id);
        json_decref(json);
        free(text);
    }
}

/* Identity: a file that is nearly one of dtrain's own is none of them. */
static void test_near_misses(void **state) {
    (void)state;
    static const struct {
        const char *from, *to;
    } changes[] = {{"\"a\": 9", "\"a\": 8"},
                   {"\"a\": 9", "\"\": 9"},
                   {"\"a\": 9", "\"ab\": 9"},
                   {"\"<UNK>\": 1", "\"<UNK>\": 2"},
                   {"\"fuse_unk\": false", "\"fuse_unk\":  true"},
                   {"\"merges\": []", "\"merges\": [\"a b\"]"}};
    dt_tokenizer chars = chars_of(mixed, MIXED_BYTES);
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        size_t length;
        dt_tokenizer back;
        char *json = dt_tokenizer_json(&chars, &length), *changed = NULL;
        char *at = strstr(json, changes[i].from);
        assert_non_null(at);
        assert_true(asprintf(&changed, "%.*s%s%s", (int)(at - json), json, changes[i].to,
                             at + strlen(changes[i].from)) > 0);
        assert_int_equal(dt_tokenizer_parse(&back, "x/tokenizer.json", changed, strlen(changed)), DT_USAGE);
        assert_non_null(strstr(dt_error(), "x/tokenizer.json"));
        dt_tokenizer_free(&back);
        free(changed);
        free(json);
    }
    dt_tokenizer_free(&chars);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_chars),       cmocka_unit_test(test_many_characters),
        cmocka_unit_test(test_round_trips), cmocka_unit_test(test_vocabularies),
        cmocka_unit_test(test_near_misses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
