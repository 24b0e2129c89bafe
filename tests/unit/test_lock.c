/* A lock keeps others out while its holder lives, names it, and is gone with it, however it ends. */
#include <limits.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/lock.h"
#include "base/log.h"
#include "support/scratch.h"

static char *folder;

static int set_up(void **state) {
    (void)state;
    folder = scratch_make();
    dt_log_open(false, false);
    return chdir(folder);
}

static int tear_down(void **state) {
    (void)state;
    if (chdir("/") != 0)
        return 1;
    scratch_remove(folder);
    return 0;
}

/* A process that takes the lock, says so, and holds it until it is killed. */
static pid_t start_holder(void) {
    int ready[2];
    char byte = 0;
    assert_int_equal(pipe(ready), 0);
    const pid_t process = fork();
    if (process == 0) {
        dt_lock lock = {0};
        if (dt_lock_take(&lock, ".", 0.0, "place") == DT_OK && write(ready[1], "+", 1) == 1)
            pause();
        _exit(1);
    }
    close(ready[1]);
    assert_int_equal(read(ready[0], &byte, 1), 1);
    close(ready[0]);
    return process;
}

/* The sentence names the purpose and the process that holds the lock. */
static void the_holder_is_named(void **state) {
    (void)state;
    dt_lock lock = {0};
    char expected[64];
    const pid_t holder = start_holder();
    assert_int_equal(dt_lock_take(&lock, ".", 0.2, "out_dir: here"), DT_USAGE);
    snprintf(expected, sizeof expected, "out_dir: here is in use by process %ld on ", (long)holder);
    if (strstr(dt_error(), expected) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", expected, dt_error());
    assert_null(lock.folder);
    dt_lock_release(&lock); /* not held: the file of the holder stays */
    assert_true(dt_file_exists("run.lock"));
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
}

/* SIGKILL leaves the file but not the lock, and whoever waits gets it. */
static void a_killed_holder_holds_nothing(void **state) {
    (void)state;
    dt_lock lock = {0};
    const pid_t holder = start_holder(), killer = fork();
    if (killer == 0) {
        usleep(300000);
        kill(holder, SIGKILL);
        _exit(0);
    }
    assert_int_equal(dt_lock_take(&lock, ".", 30.0, "place"), DT_OK);
    waitpid(holder, NULL, 0);
    waitpid(killer, NULL, 0);
    assert_true(dt_file_exists("run.lock"));
    assert_int_equal(dt_lock_take(&lock, ".", 0.0, "place"), DT_OK); /* held already */
    dt_lock_release(&lock);
    assert_false(dt_file_exists("run.lock"));
    dt_lock_release(&lock);
}

/* Who takes the file for a leftover and removes it does not get in while the holder lives. */
static void removing_the_file_lets_nobody_in(void **state) {
    (void)state;
    dt_lock lock = {0};
    const pid_t holder = start_holder();
    for (int i = 0; i < 2; i++) {
        (void)unlink(DT_LOCK_NAME);
        assert_int_equal(dt_lock_take(&lock, ".", 0.2, "out_dir: here"), DT_USAGE);
        assert_non_null(strstr(dt_error(), "out_dir: here is in use by another process"));
        assert_false(dt_file_exists(DT_LOCK_NAME));
    }
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
    assert_int_equal(dt_lock_take(&lock, ".", 0.0, "place"), DT_OK);
    assert_true(dt_file_exists(DT_LOCK_NAME));
    dt_lock_release(&lock);
}

static void a_place_without_a_folder_is_refused(void **state) {
    (void)state;
    dt_lock lock = {0};
    assert_int_equal(dt_lock_take(&lock, "nowhere", 0.0, "place"), DT_USAGE);
    assert_non_null(strstr(dt_error(), "cannot lock nowhere/run.lock"));
}

/* What stands in the lock's place is neither followed nor written to, and a pipe is not waited for. */
static void what_is_no_lock_file_is_refused(void **state) {
    (void)state;
    dt_lock lock = {0};
    scratch_put("precious", "words", 5);
    for (int kind = 0; kind < 4; kind++) {
        assert_int_equal(kind == 0   ? symlink("precious", DT_LOCK_NAME)
                         : kind == 1 ? symlink("nowhere", DT_LOCK_NAME)
                         : kind == 2 ? mkdir(DT_LOCK_NAME, 0777)
                                     : mkfifo(DT_LOCK_NAME, 0666),
                         0);
        assert_int_equal(dt_lock_take(&lock, ".", 0.0, "place"), DT_USAGE);
        assert_non_null(strstr(dt_error(), "expected ./run.lock to be a lock file or not to exist yet"));
        assert_int_equal(remove(DT_LOCK_NAME), 0);
    }
    assert_false(dt_file_exists("nowhere"));
    /* Another name of a file, as a copy by hard links makes it, is given up for a file of its own. */
    assert_int_equal(link("precious", DT_LOCK_NAME), 0);
    assert_int_equal(dt_lock_take(&lock, ".", 0.0, "place"), DT_OK);
    size_t length;
    char *bytes = scratch_get("precious", &length);
    assert_string_equal(bytes, "words");
    free(bytes);
    dt_lock_release(&lock);
}

/* A lock that was taken under one name of a folder holds under every other. */
static void every_name_of_a_folder_meets_the_same_lock(void **state) {
    (void)state;
    char other[64], absolute[PATH_MAX];
    const pid_t holder = start_holder();
    snprintf(other, sizeof other, "../%s", strrchr(folder, '/') + 1);
    assert_non_null(realpath(".", absolute));
    assert_int_equal(symlink(absolute, "link"), 0);
    const char *const names[] = {".", "./", other, absolute, "link", "link/link/."};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        dt_lock lock = {0};
        assert_int_equal(dt_lock_take(&lock, names[i], 0.0, "place"), DT_USAGE);
        assert_non_null(strstr(dt_error(), "place is in use by process "));
    }
    kill(holder, SIGKILL);
    waitpid(holder, NULL, 0);
}

static void expect_folder(dt_lock *lock, const char *expected) {
    char *found;
    assert_int_equal(dt_lock_follow(lock, &found), DT_OK);
    char *found_real = realpath(found, NULL), *real = realpath(expected, NULL);
    assert_string_equal(found_real, real);
    free(found_real);
    free(found);
    free(real);
}

/* A folder that is moved is found again, and nobody else's lock at its old name is touched; one that is
 * removed is made anew, but not in the place of another's. */
static void a_moved_folder_is_followed(void **state) {
    (void)state;
    dt_lock lock = {0}, other = {0};
    char *found;
    assert_int_equal(mkdir("run", 0777), 0);
    assert_int_equal(dt_lock_take(&lock, "run", 0.0, "place"), DT_OK);
    expect_folder(&lock, "run");
    assert_int_equal(rename("run", "moved"), 0);
    assert_int_equal(mkdir("run", 0777), 0);
    assert_int_equal(dt_lock_take(&other, "run", 0.0, "place"), DT_OK);
    expect_folder(&lock, "moved");
    dt_lock_release(&lock);
    assert_false(dt_file_exists("moved/run.lock"));
    assert_true(dt_file_exists("run/run.lock"));
    dt_lock_release(&other);

    assert_int_equal(dt_lock_take(&lock, "run", 0.0, "place"), DT_OK);
    assert_int_equal(dt_file_remove_tree("run"), DT_OK);
    expect_folder(&lock, "run");
    assert_true(dt_file_exists("run/run.lock"));
    /* What stands at its name is taken only while it is empty. */
    assert_int_equal(dt_file_remove_tree("run"), DT_OK);
    assert_int_equal(mkdir("run", 0777), 0);
    assert_int_equal(mkdir("run/.being-written.tmp", 0777), 0);
    expect_folder(&lock, "run");
    assert_true(dt_file_exists("run/run.lock"));
    assert_int_equal(dt_file_remove_tree("run"), DT_OK);
    assert_int_equal(mkdir("run", 0777), 0);
    assert_int_equal(mkdir("run/theirs", 0777), 0);
    assert_int_equal(dt_lock_follow(&lock, &found), DT_FAILED);
    assert_non_null(strstr(dt_error(), "is another folder now"));
    assert_false(dt_file_exists("run/run.lock"));
    dt_lock_release(&lock);
}

/* A locked folder in another that is locked: where both are gone, the outer one is made anew and locked
 * first, by whichever is asked for; and where the outer one has moved, the inner one is made anew there. */
static void a_folder_within_another_follows_it(void **state) {
    (void)state;
    dt_lock outer = {0}, inner = {.within = &outer};
    assert_int_equal(mkdir("run", 0777), 0);
    assert_int_equal(mkdir("run/checkpoints", 0777), 0);
    assert_int_equal(dt_lock_take(&outer, "run", 0.0, "out_dir"), DT_OK);
    assert_int_equal(dt_lock_take(&inner, "run/checkpoints", 0.0, "out_dir"), DT_OK);
    assert_int_equal(dt_file_remove_tree("run"), DT_OK);
    expect_folder(&inner, "run/checkpoints");
    expect_folder(&outer, "run");
    assert_true(dt_file_exists("run/run.lock") && dt_file_exists("run/checkpoints/run.lock"));

    assert_int_equal(rename("run", "moved"), 0);
    assert_int_equal(dt_file_remove_tree("moved/checkpoints"), DT_OK);
    expect_folder(&inner, "moved/checkpoints");
    assert_false(dt_file_exists("run"));
    dt_lock_release(&inner);
    dt_lock_release(&outer);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_holder_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_killed_holder_holds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_lock_file_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(every_name_of_a_folder_meets_the_same_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_moved_folder_is_followed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(removing_the_file_lets_nobody_in, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_folder_within_another_follows_it, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_place_without_a_folder_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
