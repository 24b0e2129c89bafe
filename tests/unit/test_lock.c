/* A lock keeps others out while its holder lives, names it, and is gone with it, however it ends. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
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
        if (dt_lock_take(&lock, "lock", 0.0, "place") == DT_OK && write(ready[1], "+", 1) == 1)
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
    assert_int_equal(dt_lock_take(&lock, "lock", 0.2, "out_dir: here"), DT_USAGE);
    snprintf(expected, sizeof expected, "out_dir: here is in use by process %ld on ", (long)holder);
    if (strstr(dt_error(), expected) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", expected, dt_error());
    assert_null(lock.path);
    dt_lock_release(&lock); /* not held: the file of the holder stays */
    assert_true(dt_file_exists("lock"));
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
    assert_int_equal(dt_lock_take(&lock, "lock", 30.0, "place"), DT_OK);
    waitpid(holder, NULL, 0);
    waitpid(killer, NULL, 0);
    assert_true(dt_file_exists("lock"));
    assert_int_equal(dt_lock_take(&lock, "lock", 0.0, "place"), DT_OK); /* held already */
    dt_lock_release(&lock);
    assert_false(dt_file_exists("lock"));
    dt_lock_release(&lock);
}

static void a_place_without_a_folder_is_refused(void **state) {
    (void)state;
    dt_lock lock = {0};
    assert_int_equal(dt_lock_take(&lock, "nowhere/lock", 0.0, "place"), DT_USAGE);
    assert_non_null(strstr(dt_error(), "cannot lock nowhere/lock"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_holder_is_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_killed_holder_holds_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_place_without_a_folder_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
