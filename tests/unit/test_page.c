/* Nothing that comes from elsewhere becomes a page's own. */
#include "support/sentence.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "report/page.h"

static char *printed_by(void (*print)(FILE *file, const char *text), const char *text) {
    char *out = NULL;
    size_t length;
    FILE *file = open_memstream(&out, &length);
    assert_non_null(file);
    print(file, text);
    assert_int_equal(fclose(file), 0);
    return out;
}

static void expect(const char *text, const char *wanted) {
    char *out = printed_by(dt_page_text, text);
    assert_string_equal(out, wanted);
    free(out);
}

static void test_text(void **state) {
    (void)state;
    expect("a<b & \"c\" 'd'>", "a&lt;b &amp; &quot;c&quot; &#39;d&#39;&gt;");
    expect("line\n\ttab", "line\n\ttab");
    expect("\x1b[31m\x01\x7f", "\\x1b[31m\\x01\\x7f");
    expect("\xff<\xc3", "\\xff&lt;\\xc3");
    expect("\xe2\x80\xae"
           "abc",
           "\\u202eabc"); /* turns the direction of writing */
    expect("gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f");
}

static void start_of_three(FILE *file, const char *text) {
    dt_page_text_start(file, text, 3);
}

/* A cut never leaves half a character. */
static void test_starts(void **state) {
    (void)state;
    static const char *const cases[][2] = {{"abc", "abc"},
                                           {"abcd", "abc..."},
                                           {"ab\xc3\xbc", "ab..."},
                                           {"\xf0\x9f\x98\x80", "..."},
                                           {"<<<<", "&lt;&lt;&lt;..."}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char *out = printed_by(start_of_three, cases[i][0]);
        assert_string_equal(out, cases[i][1]);
        free(out);
    }
}

/* Whatever the bytes are, what is written is a string of JSON without a character that HTML takes for its
 * own. */
static void test_json(void **state) {
    char text[64];
    (void)state;
    srand(2);
    for (int i = 0; i < 20000; i++) {
        const int length = rand() % 40;
        for (int k = 0; k < length; k++)
            text[k] = (char)(rand() % 4 ? "</script>\"\\&\n\x7f\xc3\xbc"[rand() % 15] : 1 + rand() % 255);
        text[length] = 0;
        char *out = printed_by(dt_page_json_text, text);
        json_t *value = json_loads(out, JSON_DECODE_ANY, NULL);
        assert_true(json_is_string(value));
        assert_null(strpbrk(out, "<>&"));
        json_decref(value);
        free(out);
    }
    char *out = printed_by(dt_page_json_text, "a\"</script>\xc3\xbc");
    json_t *value = json_loads(out, JSON_DECODE_ANY, NULL);
    assert_string_equal(json_string_value(value), "a\"</script>\xc3\xbc");
    json_decref(value);
    free(out);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_text), cmocka_unit_test(test_starts),
                                       cmocka_unit_test(test_json)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
