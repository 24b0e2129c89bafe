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
#include "base/made_folder.h"
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

/* Only what was not there before, and only what is empty. */
static void folders_made_for_nothing_go(void **state) {
    (void)state;
    static const char *const paths[] = {"new", "x/y/z", "x/y/", "there/below//it"};
    dt_made_folder made;
    assert_done(dt_file_make_folder("there"));
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
        assert_done(dt_made_folder_begin(&made, paths[i]));
        assert_true(dt_file_is_folder(paths[i]));
        dt_made_folder_undo(&made);
        assert_false(dt_file_exists("new") || dt_file_exists("x") || dt_file_exists("there/below"));
        assert_true(dt_file_is_folder("there"));
    }
    assert_done(dt_made_folder_begin(&made, "there"));
    dt_made_folder_undo(&made);
    assert_true(dt_file_is_folder("there"));
    assert_done(dt_made_folder_begin(&made, "p/q"));
    scratch_put("p/file", "x", 1);
    dt_made_folder_undo(&made);
    assert_true(dt_file_exists("p/file") && !dt_file_exists("p/q"));
    assert_done(dt_made_folder_begin(&made, "p/q"));
    dt_made_folder_keep(&made);
    assert_true(dt_file_is_folder("p/q"));
    assert_int_equal(dt_made_folder_begin(&made, "p/file/x"), DT_FAILED);
    dt_made_folder_undo(&made);
    assert_true(dt_file_exists("p/file"));
}

/* The cause is mkdir's own, not that of the look at what stands there instead. */
static void what_stands_in_the_way_is_named(void **state) {
    (void)state;
    static const char sentence[] = "cannot make folder %s: it, or a folder above it, is a file";
    char expected[128];
    scratch_put("file", "x", 1);
    assert_int_equal(symlink("nowhere", "link"), 0);
    static const char *const taken[] = {"file", "file/below"};
    for (size_t i = 0; i < sizeof taken / sizeof *taken; i++) {
        assert_int_equal(dt_file_make_folder(taken[i]), DT_FAILED);
        snprintf(expected, sizeof expected, sentence, taken[i]);
        assert_string_equal(dt_error(), expected);
    }
    static const char *const dangling[] = {"link", "link/below"};
    for (size_t i = 0; i < sizeof dangling / sizeof *dangling; i++) {
        assert_int_equal(dt_file_make_folder(dangling[i]), DT_FAILED);
        snprintf(
            expected, sizeof expected,
            "cannot make folder %s: link is a link to nowhere, which does not exist (is its disk mounted?)",
            dangling[i]);
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

static void expect_read(const char *path, const char *expected) {
    char *bytes;
    size_t length;
    assert_done(dt_file_read(path, 1 << 20, &bytes, &length));
    assert_int_equal(length, strlen(expected));
    assert_string_equal(bytes, expected);
    free(bytes);
}

/* A pipe that nobody writes to is given up; one with a writer is read to its end, however it comes by it. */
static void pipes_are_read_while_somebody_writes(void **state) {
    (void)state;
    char *bytes, name[32];
    size_t length;
    int ends[2];
    assert_int_equal(mkfifo("silent", 0666), 0);
    alarm(30);
    assert_int_equal(dt_file_read("silent", 100, &bytes, &length), DT_FAILED);
    assert_string_equal(dt_error(),
                        "cannot read silent: it is a pipe or a device, and no program writes to it; name a "
                        "file, or start the program that writes to it first");
    assert_int_equal(system("mkfifo named && { (echo 1; sleep 0.1; echo 2) > named & }"), 0);
    expect_read("named", "1\n2\n");
    /* What a shell's <(..) names: with bytes in it, and with none. */
    for (int i = 0; i < 2; i++) {
        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], "max", i ? 3 : 0), i ? 3 : 0);
        close(ends[1]);
        snprintf(name, sizeof name, "/dev/fd/%d", ends[0]);
        expect_read(name, i ? "max" : "");
        close(ends[0]);
    }
    alarm(0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(folders_are_made_with_those_above_them),
                                       cmocka_unit_test(folders_made_for_nothing_go),
                                       cmocka_unit_test(what_stands_in_the_way_is_named),
                                       cmocka_unit_test(only_regular_files_are_opened),
                                       cmocka_unit_test(pipes_are_read_while_somebody_writes)};
    return cmocka_run_group_tests(tests, enter, leave);
}
