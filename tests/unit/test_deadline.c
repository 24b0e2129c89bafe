/* When a run must have ended: what Slurm says of its job, by the environment or by a squeue of the test's
 * own. */
#include "train/deadline.h"

#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <sys/stat.h>
#include <time.h>

#include "base/clock.h"
#include "config/config.h"
#include "support/scratch.h"
#include "train/stop.h"

static char *folder;

/* Puts a program `squeue` first on the PATH that runs `body`. */
static void put_squeue(const char *body) {
    char path[512], text[1024], search[1024];
    snprintf(path, sizeof path, "%s/squeue", folder);
    snprintf(text, sizeof text, "#!/bin/sh\n%s\n", body);
    scratch_put(path, text, strlen(text));
    assert_int_equal(chmod(path, 0755), 0);
    snprintf(search, sizeof search, "%s:/usr/bin:/bin", folder);
    setenv("PATH", search, 1);
}

static int set_up(void **state) {
    (void)state;
    folder = scratch_make();
    setenv("TZ", "UTC", 1);
    unsetenv("SLURM_JOB_END_TIME");
    unsetenv("SLURM_JOB_ID");
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(folder);
    return 0;
}

static void test_outside_of_slurm_there_is_no_end(void **state) {
    (void)state;
    put_squeue("echo 2031-05-30T12:00:00");
    assert_true(isinf(dt_deadline_slurm()));
    setenv("SLURM_JOB_ID", "1; echo 2031-05-30T12:00:00", 1); /* no job, and nothing for a shell */
    assert_true(isinf(dt_deadline_slurm()));
}

static void test_slurm_names_the_end(void **state) {
    (void)state;
    setenv("SLURM_JOB_ID", "17", 1);
    setenv("SLURM_JOB_END_TIME", "1937995200", 1);
    put_squeue("exit 1");
    assert_true(dt_deadline_slurm() == 1937995200.0);
    unsetenv("SLURM_JOB_END_TIME");
    put_squeue("test \"$*\" = '-h -j 17 -o %e' && echo 2031-05-30T12:00:00");
    assert_true(dt_deadline_slurm() == 1937908800.0); /* date -ud 2031-05-30T12:00:00 +%s */
}

/* No limit, no answer, no squeue at all: the run goes on without an end. */
static void test_what_is_no_time_is_no_end(void **state) {
    static const char *const answers[] = {"echo N/A", "echo NONE", "exit 1", "echo 2031-05-30", "echo"};
    (void)state;
    setenv("SLURM_JOB_ID", "17", 1);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        put_squeue(answers[i]);
        assert_true(isinf(dt_deadline_slurm()));
    }
}

/* The moment leaves room for what was measured: with no time for it left, the stop is asked for at once. */
static void test_steps_and_saves_move_the_moment(void **state) {
    const struct timespec moment = {.tv_nsec = 300000000};
    dt_deadline deadline;
    (void)state;
    assert_int_equal(dt_stop_prepare(), DT_OK);
    dt_deadline_find(&deadline, dt_clock_seconds(), DT_NULL_REAL, 0);
    dt_deadline_stepped(&deadline, 1e9);
    nanosleep(&moment, NULL);
    assert_false(dt_stop_requested());
    dt_deadline_find(&deadline, dt_clock_seconds(), 1000.0, 0);
    dt_deadline_stepped(&deadline, 200.0);
    dt_deadline_saved(&deadline, 200.0);
    nanosleep(&moment, NULL);
    assert_false(dt_stop_requested()); /* 1000 - 2 * (200 + 200) - 1 s are left */
    dt_deadline_saved(&deadline, 300.0);
    nanosleep(&moment, NULL);
    assert_true(dt_stop_requested());
    dt_stop_finish();
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_outside_of_slurm_there_is_no_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slurm_names_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_time_is_no_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_steps_and_saves_move_the_moment, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
