/* Samples on their way to whoever reads them: whole characters of UTF-8, and an end before a given text. */
#include "support/sentence.h"

#include <string.h>

#include "infer/stop_text.h"
#include "infer/utf8_stream.h"

static char shown[256];

static void take(void *context, const char *text) {
    (void)context;
    assert_true(strlen(shown) + strlen(text) < sizeof shown);
    strcat(shown, text);
}

/* What pieces of `step` bytes of the text come to. */
static const char *show(const char *bytes, size_t length, size_t step) {
    dt_utf8_stream stream = {0};
    shown[0] = 0;
    for (size_t i = 0; i < length; i += step)
        dt_utf8_stream_push(&stream, bytes + i, length - i < step ? length - i : step, take, NULL);
    dt_utf8_stream_finish(&stream, take, NULL);
    return shown;
}

/* Identity: the pieces make no difference; ill-formed pieces are one U+FFFD each, by Unicode 15, 3.9. */
static void test_pieces(void **state) {
    (void)state;
    static const struct {
        const char *bytes;
        size_t length;
        const char *expected;
    } cases[] = {
        {"abc", 3, "abc"},
        {"\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80", 9, "\xC3\xA9\xE6\x97\xA5\xF0\x9F\x98\x80"},
        {"a\0b", 3,
         "a\xEF\xBF\xBD"
         "b"},
        {"\xF0\x9F\x98", 3, "\xEF\xBF\xBD"},
        {"\xE0\x80"
         "a",
         3,
         "\xEF\xBF\xBD\xEF\xBF\xBD"
         "a"},
        {"\xF0\x9F\xC3\xA9\x80", 5, "\xEF\xBF\xBD\xC3\xA9\xEF\xBF\xBD"},
        {"\xFF\xC0\xF5", 3, "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        for (size_t step = 1; step <= cases[i].length; step++)
            assert_string_equal(show(cases[i].bytes, cases[i].length, step), cases[i].expected);
}

/* Identity: bytes that may still become a character are not shown. */
static void test_held_back(void **state) {
    (void)state;
    dt_utf8_stream stream = {0};
    shown[0] = 0;
    dt_utf8_stream_push(&stream, "x\xE6\x97", 3, take, NULL);
    assert_string_equal(shown, "x");
    dt_utf8_stream_push(&stream, "\xA5", 1, take, NULL);
    assert_string_equal(shown, "x\xE6\x97\xA5");
}

/* Identity: the text before the first stop, and all of one that has none. */
static void test_stops(void **state) {
    (void)state;
    static const struct {
        const char *text, *stop, *expected;
    } cases[] = {
        {"one two", " ", "one"},       {"aab", "ab", "a"},
        {"aaaab", "aaab", "a"},        {"abcabd", "abd", "abc"},
        {"abab", "abc", "abab"},       {"stop", "stop", ""},
        {"a\nb\n\nc", "\n\n", "a\nb"}, {"x\xC3\xA9y", "\xC3\xA9", "x"},
        {"nothing", NULL, "nothing"},  {"", "a", ""},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        dt_stop_text text;
        shown[0] = 0;
        assert_done(dt_stop_text_create(&text, cases[i].stop));
        for (const char *c = cases[i].text; *c; c++)
            dt_stop_text_push(&text, (const char[]){*c, 0}, take, NULL);
        assert_int_equal(text.found, strcmp(cases[i].expected, cases[i].text) != 0);
        dt_stop_text_finish(&text, take, NULL);
        assert_string_equal(shown, cases[i].expected);
        dt_stop_text_free(&text);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_pieces),
        cmocka_unit_test(test_held_back),
        cmocka_unit_test(test_stops),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
