/* Results come to stand whole, over what was there; a look at the place beforehand leaves no trace. */
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
#include "base/replace.h"
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

static void assert_holds(const char *path, const char *text) {
    size_t length;
    char *found = scratch_get(path, &length);
    assert_string_equal(found, text);
    free(found);
}

/* How many names the folder has, hidden ones too. */
static size_t count_names(void) {
    char **names;
    size_t count;
    assert_done(dt_file_list(".", &names, &count));
    dt_file_free_names(names, count);
    return count;
}

static void a_check_leaves_no_trace(void **state) {
    (void)state;
    struct stat before, after;
    scratch_put("there", "old", 3);
    assert_int_equal(stat("there", &before), 0);
    const size_t count = count_names();
    assert_done(dt_replace_check("new"));
    assert_done(dt_replace_check("there"));
    assert_int_equal(count_names(), count);
    assert_int_equal(stat("there", &after), 0);
    assert_memory_equal(&before.st_mtim, &after.st_mtim, sizeof before.st_mtim);
    assert_holds("there", "old");
}

/* Another file gets the name: who has the old one open goes on reading it. */
static void a_file_is_replaced_whole(void **state) {
    (void)state;
    struct stat before, after;
    scratch_put("result", "old", 3);
    assert_int_equal(chmod("result", 0640), 0);
    assert_int_equal(stat("result", &before), 0);
    const size_t count = count_names();
    assert_done(dt_replace_write("result", "newer", 5));
    assert_int_equal(stat("result", &after), 0);
    assert_holds("result", "newer");
    assert_int_not_equal(before.st_ino, after.st_ino);
    assert_int_equal(after.st_mode, before.st_mode);
    assert_int_equal(count_names(), count);
    assert_done(dt_replace_write("fresh", "", 0));
    assert_holds("fresh", "");
}

static void a_link_stays_and_leads_to_the_new_file(void **state) {
    (void)state;
    struct stat info;
    assert_done(dt_file_make_folder("below"));
    scratch_put("below/file", "old", 3);
    assert_int_equal(symlink("below/file", "link"), 0);
    assert_done(dt_replace_write("link", "new", 3));
    assert_int_equal(lstat("link", &info), 0);
    assert_true(S_ISLNK(info.st_mode));
    assert_holds("below/file", "new");
}

static void a_device_stays_what_it_is(void **state) {
    (void)state;
    struct stat info;
    assert_done(dt_replace_check("/dev/null"));
    assert_done(dt_replace_write("/dev/null", "new", 3));
    assert_int_equal(stat("/dev/null", &info), 0);
    assert_true(S_ISCHR(info.st_mode));
    assert_int_equal(dt_replace_write("/dev/full", "new", 3), DT_FAILED);
    assert_string_equal(dt_error(),
                        "cannot write /dev/full: 3 bytes of 3 are missing: No space left on device");
}

/* Before and after the work alike. */
static void what_is_no_place_is_refused(void **state) {
    (void)state;
    static const struct {
        const char *path, *sentence;
    } rows[] = {{"", "cannot write : No such file or directory"},
                {"nope/x", "cannot write nope/x: No such file or directory"},
                {"folder", "cannot write folder: Is a directory"},
                {"nope/", "cannot write nope/: Is a directory"},
                {"plain/x", "cannot write plain/x: Not a directory"},
                {"loop", "cannot write loop: Too many levels of symbolic links"}};
    assert_done(dt_file_make_folder("folder"));
    scratch_put("plain", "x", 1);
    assert_int_equal(symlink("loop", "loop"), 0);
    const size_t count = count_names();
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(dt_replace_check(rows[i].path), DT_FAILED);
        assert_string_equal(dt_error(), rows[i].sentence);
        assert_int_equal(dt_replace_write(rows[i].path, "x", 1), DT_FAILED);
        assert_string_equal(dt_error(), rows[i].sentence);
    }
    assert_int_equal(count_names(), count);
}

/* A name may have 255 bytes, and the temporary one is no longer. */
static void long_names_are_names(void **state) {
    (void)state;
    char name[256];
    memset(name, 'x', 255);
    name[255] = 0;
    assert_done(dt_replace_check(name));
    assert_done(dt_replace_write(name, "text", 4));
    assert_holds(name, "text");
}

/* Who reads from a pipe gets the result; where nobody does it is given up. */
static void a_pipe_is_written_to_while_somebody_reads(void **state) {
    (void)state;
    assert_int_equal(mkfifo("pipe", 0666), 0);
    alarm(30);
    assert_done(dt_replace_check("pipe"));
    assert_int_equal(dt_replace_write("pipe", "new", 3), DT_FAILED);
    assert_string_equal(dt_error(),
                        "cannot write pipe: it is a pipe or a device, and no program reads from it; name a "
                        "file, or start the program that reads from it first");
    assert_int_equal(system("{ cat pipe > read; mv read done; } &"), 0);
    assert_done(dt_replace_write("pipe", "new", 3));
    while (access("done", F_OK) != 0)
        usleep(1000);
    alarm(0);
    assert_holds("done", "new");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_check_leaves_no_trace),
                                       cmocka_unit_test(a_file_is_replaced_whole),
                                       cmocka_unit_test(a_link_stays_and_leads_to_the_new_file),
                                       cmocka_unit_test(a_device_stays_what_it_is),
                                       cmocka_unit_test(what_is_no_place_is_refused),
                                       cmocka_unit_test(long_names_are_names),
                                       cmocka_unit_test(a_pipe_is_written_to_while_somebody_reads)};
    return cmocka_run_group_tests(tests, enter, leave);
}
