/* What JSON from outside may be like, and integers that every reader of JSON has whole. */
#include "support/sentence.h"

#include <stdlib.h>
#include <string.h>

#include "config/json.h"

static void refused(const char *text, const char *sentence) {
    json_t *value;
    assert_int_equal(dt_json_parse(text, strlen(text), &value), DT_FAILED);
    assert_null(value);
    assert_string_equal(dt_error(), sentence);
}

static void accepted(const char *text) {
    json_t *value;
    assert_done(dt_json_parse(text, strlen(text), &value));
    json_decref(value);
}

/* Brackets and commas within texts count for nothing. */
static void json_is_parsed(void **state) {
    (void)state;
    accepted("{}");
    accepted("[1, \"a\", null, {\"b\": [true]}]");
    accepted(
        "[\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\", \"\\\"[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[[\"]");
    refused("{\"a\": 1,\n \"a\": 2}", "line 2 is not JSON: duplicate object key near '\"a\"'");
    refused("[1", "line 1 is not JSON: ']' expected near end of file");
    refused("", "line 1 is not JSON: '[' or '{' expected near end of file");
}

/* `count` times `piece` between `start` and `end`. */
static char *repeat(const char *start, const char *piece, size_t count, const char *end) {
    const size_t length = strlen(piece);
    char *text = malloc(strlen(start) + count * length + strlen(end) + 1), *at = stpcpy(text, start);
    for (size_t i = 0; i < count; i++)
        at = mempcpy(at, piece, length);
    strcpy(at, end);
    return text;
}

static void depth_and_size_are_bounded(void **state) {
    (void)state;
    char *text = repeat("", "[", DT_JSON_MAX_DEPTH, "");
    refused(text, "line 1 is not JSON: ']' expected near end of file");
    free(text);
    text = repeat("", "[", 1000000, "");
    refused(text, "expected JSON that is nested at most 64 deep, found more");
    free(text);
    text = repeat("", "{\"a\":", DT_JSON_MAX_DEPTH + 1, "");
    refused(text, "expected JSON that is nested at most 64 deep, found more");
    free(text);
    text = repeat("[1", ",1", DT_JSON_MAX_VALUES - 2, "]");
    accepted(text);
    free(text);
    text = repeat("[[]", ",[]", DT_JSON_MAX_VALUES / 2, "]");
    refused(text, "expected JSON of at most 250000 values, found more");
    free(text);
}

static void reads_back(int64_t integer, const char *text) {
    json_t *value = dt_json_integer(integer);
    char *found = json_dumps(value, JSON_ENCODE_ANY);
    int64_t back = 0;
    assert_string_equal(found, text);
    assert_true(dt_json_read_integer(value, &back) && back == integer);
    free(found);
    json_decref(value);
}

/* 2^53 is the last integer up to which a double has them all. */
static void large_integers_are_strings(void **state) {
    (void)state;
    reads_back(0, "0");
    reads_back(9007199254740992, "9007199254740992");
    reads_back(9007199254740993, "\"9007199254740993\"");
    reads_back(INT64_MAX, "\"9223372036854775807\"");
    reads_back(-9007199254740992, "-9007199254740992");
    reads_back(-9007199254740993, "\"-9007199254740993\"");
}

/* Either form is read at any size; other texts are no integers. */
static void integers_are_read_from_either(void **state) {
    (void)state;
    const char *const rows[] = {"[5, \"5\", 9007199254740993, \"9007199254740993\"]",
                                "[\"\", \"five\", \"5.0\", \"9223372036854775808\", 5.0, null, []]"};
    json_t *good, *bad, *value;
    size_t i;
    int64_t found;
    assert_done(dt_json_parse(rows[0], strlen(rows[0]), &good));
    json_array_foreach(good, i, value) {
        assert_true(dt_json_read_integer(value, &found));
        assert_true(found == (i < 2 ? 5 : 9007199254740993));
    }
    assert_done(dt_json_parse(rows[1], strlen(rows[1]), &bad));
    json_array_foreach(bad, i, value) assert_false(dt_json_read_integer(value, &found));
    assert_false(dt_json_read_integer(NULL, &found));
    json_decref(good);
    json_decref(bad);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(json_is_parsed),
        cmocka_unit_test(depth_and_size_are_bounded),
        cmocka_unit_test(large_integers_are_strings),
        cmocka_unit_test(integers_are_read_from_either),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
