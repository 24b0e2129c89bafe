/* Folders that are made, and what is said of those that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/scratch.h"
#include "support/sentence.h"

static int enter(void **state) {
    *state = scratch_make();
    return chdir(*state);
}

static int leave(void **state) {
    scratch_remove(*state);
    return 0;
}

static void folders_are_made_with_those_above_them(void **state) {
    (void)state;
    assert_done(dt_file_make_folder("a/b/c"));
    assert_true(dt_file_is_folder("a/b/c"));
    assert_done(dt_file_make_folder("a/b/c/"));
    assert_done(dt_file_make_folder("a/b/d"));
}

/* The cause is mkdir's own, not that of the look at what stands there instead. */
static void what_stands_in_the_way_is_named(void **state) {
    (void)state;
    static const char sentence[] = "cannot make folder %s: a file stands in its place or above it";
    char expected[128];
    scratch_put("file", "x", 1);
    assert_int_equal(symlink("nowhere", "link"), 0);
    static const char *const taken[] = {"file", "link", "link/below"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        assert_int_equal(dt_file_make_folder(taken[i]), DT_FAILED);
        snprintf(expected, sizeof expected, sentence, taken[i]);
        assert_string_equal(dt_error(), expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders_are_made_with_those_above_them),
                                       cmocka_unit_test(what_stands_in_the_way_is_named)};
    return cmocka_run_group_tests(tests, enter, leave);
}
