/* What text from elsewhere looks like on a terminal and in a log. */
#include "support/sentence.h"

#include <stdlib.h>
#include <string.h>

#include "base/escape.h"

static void shows(const char *text, dt_escape_shape shape, const char *expected) {
    char *escaped = malloc(DT_ESCAPE_BYTES(strlen(text)));
    assert_non_null(escaped);
    assert_string_equal(dt_escape(text, shape, escaped), expected);
    assert_int_equal(dt_escape_needed(text, shape), strcmp(text, expected) != 0);
    free(escaped);
}

static void text_without_controls_stays(void **state) {
    (void)state;
    const char *const texts[] = {"", "step 1/7  loss 4.2", "C:\\n \\x1b", "Größe 長さ 😀", "\xc2\xa0"};
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        shows(texts[i], DT_ESCAPE_LINE, texts[i]);
        shows(texts[i], DT_ESCAPE_BLOCK, texts[i]);
    }
}

/* Sequences of a terminal, a line that is not the program's, characters that turn the writing round. */
static void controls_are_written_out(void **state) {
    (void)state;
    shows("\033]0;x\a", DT_ESCAPE_LINE, "\\x1b]0;x\\x07");
    shows("a\ndtrain: error: b\r\t", DT_ESCAPE_LINE, "a\\ndtrain: error: b\\x0d\\t");
    shows("a\n\tb\r\033[K", DT_ESCAPE_BLOCK, "a\n\tb\\x0d\\x1b[K");
    shows("\x7f", DT_ESCAPE_BLOCK, "\\x7f");
    shows("\xc2\x9b"
          "2J",
          DT_ESCAPE_LINE, "\\u009b2J");
    shows("\xe2\x80\xae"
          "txt.exe\xe2\x81\xa9\xe2\x80\xa8",
          DT_ESCAPE_LINE, "\\u202etxt.exe\\u2069\\u2028");
}

/* A single 9b is what starts a sequence in 8 bits; a character that the text ends in is not looked past. */
static void bytes_that_are_no_text_are_written_out(void **state) {
    (void)state;
    shows("\x9b"
          "2J",
          DT_ESCAPE_LINE, "\\x9b2J");
    shows("\xff\xc0\xaf", DT_ESCAPE_BLOCK, "\\xff\\xc0\\xaf");
    shows("a\xe2\x80", DT_ESCAPE_LINE, "a\\xe2\\x80");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_without_controls_stays),
        cmocka_unit_test(controls_are_written_out),
        cmocka_unit_test(bytes_that_are_no_text_are_written_out),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
