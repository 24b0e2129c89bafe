/* Files that are opened, folders that are made, and what is said of those that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
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

/* A pipe is refused at once: nobody may ever write to it. */
static void only_regular_files_are_opened(void **state) {
    (void)state;
    int descriptor;
    int64_t size_bytes;
    assert_int_equal(mkfifo("pipe", 0666), 0);
    alarm(20);
    assert_int_equal(dt_file_open("pipe", &descriptor, &size_bytes), DT_FAILED);
    alarm(0);
    assert_string_equal(dt_error(), "cannot read pipe: expected a regular file, found something else");
    assert_done(dt_file_make_folder("folder"));
    assert_int_equal(dt_file_open("folder", &descriptor, &size_bytes), DT_FAILED);
    assert_string_equal(dt_error(), "cannot read folder: expected a regular file, found a folder");
    scratch_put("text", "1234567", 7);
    assert_done(dt_file_open("text", &descriptor, &size_bytes));
    assert_int_equal(size_bytes, 7);
    close(descriptor);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders_are_made_with_those_above_them),
                                       cmocka_unit_test(what_stands_in_the_way_is_named),
                                       cmocka_unit_test(only_regular_files_are_opened)};
    return cmocka_run_group_tests(tests, enter, leave);
}
