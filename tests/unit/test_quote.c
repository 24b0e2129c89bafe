/* Whatever a word is, a shell reads it back from its quotes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/quote.h"

static void expect(const char *word, const char *expected) {
    char *quoted = dt_quote(word);
    assert_string_equal(quoted, expected);
    free(quoted);
}

static void words_have_their_form(void **state) {
    (void)state;
    expect("runs/a_1-b+c=d.e,f:g@h%i", "runs/a_1-b+c=d.e,f:g@h%i");
    expect("", "''");
    expect("my runs/a", "'my runs/a'");
    expect("~/a", "'~/a'");
    expect("it's", "'it'\\''s'");
    expect("$(reboot); #&|<>*?[]{}!\"\\`", "'$(reboot); #&|<>*?[]{}!\"\\`'");
    expect("\xc3\xa9", "'\xc3\xa9'");
    expect("a\nb\x1b[31m\xe9\x31", "$'a\\012b\\033[31m\\3511'");
    expect("it's\n\\", "$'it\\'s\\012\\\\'");
}

/* Each byte, among others, through bash itself. */
static void a_shell_reads_them_back(void **state) {
    (void)state;
    char name[] = "/tmp/dtrain-quote-XXXXXX", command[64];
    const int descriptor = mkstemp(name);
    FILE *script = fdopen(descriptor, "w");
    assert_non_null(script);
    for (int byte = 1; byte < 256; byte++) {
        const char word[] = {(char)byte, (char)byte, 'a', (char)byte, '7', 0};
        char *quoted = dt_quote(word);
        fprintf(script, "printf '%%s\\0' %s\n", quoted);
        free(quoted);
    }
    assert_int_equal(fclose(script), 0);
    snprintf(command, sizeof command, "LC_ALL=C bash %s", name);
    FILE *out = popen(command, "r");
    assert_non_null(out);
    for (int byte = 1; byte < 256; byte++) {
        const char word[] = {(char)byte, (char)byte, 'a', (char)byte, '7', 0};
        char found[sizeof word];
        assert_int_equal(fread(found, 1, sizeof found, out), sizeof found);
        if (memcmp(found, word, sizeof word) != 0)
            fail_msg("bash reads another word than that of byte %d", byte);
    }
    assert_int_equal(pclose(out), 0);
    assert_int_equal(remove(name), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(words_have_their_form),
        cmocka_unit_test(a_shell_reads_them_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
