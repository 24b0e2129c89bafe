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
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
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
    unsetenv("SLURM_ARRAY_JOB_ID");
    unsetenv("SLURM_ARRAY_TASK_ID");
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

/* No job lasts for a hundred years: what says so is another thing than the end. */
static void test_an_end_that_no_job_has_is_not_taken(void **state) {
    static const char *const ends[] = {"99999999999999999999", "1000000000000",
                                       "9999999999999999999999999999999999999999999999999999999999999999"};
    (void)state;
    setenv("SLURM_JOB_ID", "17", 1);
    put_squeue("echo 2031-05-30T12:00:00");
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++) {
        setenv("SLURM_JOB_END_TIME", ends[i], 1);
        assert_true(dt_deadline_slurm() == 1937908800.0);
    }
    unsetenv("SLURM_JOB_END_TIME");
}

/* What dt_deadline_slurm warns of, and the end it finds; owned by the caller. */
static char *warning_of(double *end) {
    char path[512];
    snprintf(path, sizeof path, "%s/warnings", folder);
    fflush(stderr);
    const int kept = dup(STDERR_FILENO), file = open(path, O_RDWR | O_CREAT | O_TRUNC, 0600);
    assert_true(kept >= 0 && file >= 0);
    dup2(file, STDERR_FILENO);
    *end = dt_deadline_slurm();
    dup2(kept, STDERR_FILENO);
    close(kept);
    close(file);
    size_t bytes;
    char *text;
    assert_int_equal(dt_file_read(path, 4096, &text, &bytes), DT_OK);
    return text;
}

/* No limit, no answer, no squeue at all: the run goes on without an end, and says so where it does not know.
 */
static void test_what_is_no_time_is_no_end(void **state) {
    static const struct {
        const char *body, *warning;
    } answers[] = {{"echo N/A", ""},
                   {"echo NONE", ""},
                   {"echo Unknown", ""},
                   {"exit 1", "squeue did not say when Slurm job 17 ends"},
                   {"echo", "squeue did not say when Slurm job 17 ends"},
                   {"echo 2031-05-30", "found \"2031-05-30\""},
                   {"echo 'in 3 hours'", "found \"in 3 hours\""},
                   {"echo 2001-05-30T12:00:00", "ended at 2001-05-30T12:00:00"}};
    (void)state;
    setenv("SLURM_JOB_ID", "17", 1);
    for (size_t i = 0; i < sizeof answers / sizeof *answers; i++) {
        double end;
        put_squeue(answers[i].body);
        char *text = warning_of(&end);
        assert_true(isinf(end));
        if (*answers[i].warning == 0)
            assert_string_equal(text, "");
        else if (strstr(text, answers[i].warning) == NULL)
            fail_msg("%s: expected a warning with \"%s\", found \"%s\"", answers[i].body, answers[i].warning,
                     text);
        free(text);
    }
}

/* How a user likes to look at the queue is no matter of the run's. */
static void test_the_users_way_to_look_does_not_count(void **state) {
    (void)state;
    setenv("SLURM_JOB_ID", "17", 1);
    setenv("SLURM_TIME_FORMAT", "relative", 1);
    setenv("SQUEUE_STATES", "PENDING", 1);
    put_squeue("test -z \"$SQUEUE_STATES\" || exit 1\n"
               "test \"$SLURM_TIME_FORMAT\" = standard && echo 2031-05-30T12:00:00 || echo 30 May 12:00");
    assert_true(dt_deadline_slurm() == 1937908800.0);
    unsetenv("SLURM_TIME_FORMAT");
    unsetenv("SQUEUE_STATES");
}

/* When summer time ends, an hour of local time comes twice: 02:30 in central Europe is 00:30 and 01:30 in
 * UTC. */
static void test_an_hour_that_comes_twice_is_told_apart(void **state) {
    (void)state;
    setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
    setenv("SLURM_JOB_ID", "17", 1);
    const double ends[] = {1919291400.0, 1919295000.0}; /* 2030-10-27, both at 02:30 */
    for (int i = 0; i < 2; i++) {
        char body[128];
        snprintf(body, sizeof body, "date -d @%.0f +%%Y-%%m-%%dT%%H:%%M:%%S", ends[i]);
        put_squeue(body);
        assert_true(dt_deadline_slurm() == ends[i]);
    }
}

/* The last element of an array has the array's number, by which squeue lists the others that are left too. */
static void test_an_element_of_an_array_is_asked_for(void **state) {
    (void)state;
    setenv("SLURM_ARRAY_JOB_ID", "17", 1);
    setenv("SLURM_ARRAY_TASK_ID", "3", 1);
    put_squeue("case \"$*\" in '-h -j 17_3 -o %e' | '-h -j 21 -o %e') echo 2031-05-30T12:00:00;;\n"
               "*) echo N/A; echo 2031-05-30T12:00:00;; esac");
    setenv("SLURM_JOB_ID", "17", 1);
    assert_true(dt_deadline_slurm() == 1937908800.0);
    setenv("SLURM_JOB_ID", "21", 1); /* any other element has a number of its own */
    assert_true(dt_deadline_slurm() == 1937908800.0);
}

/* A job that is over cannot be the one that runs. */
static void test_an_end_in_the_past_is_asked_about(void **state) {
    double end;
    (void)state;
    setenv("SLURM_JOB_ID", "17", 1);
    setenv("SLURM_JOB_END_TIME", "991224000", 1);
    put_squeue("echo 2031-05-30T12:00:00");
    assert_true(dt_deadline_slurm() == 1937908800.0);
    put_squeue("exit 1");
    free(warning_of(&end));
    assert_true(isinf(end));
}

static double slurm_end(dt_deadline *deadline) {
    pthread_mutex_lock(&deadline->mutex);
    const double end = deadline->slurm_end;
    pthread_mutex_unlock(&deadline->mutex);
    return end;
}

static const struct timespec moment = {.tv_nsec = 10000000};

/* Whether `holds` comes true within the time that a slow machine needs. */
#define AWAIT(holds)                                                                                         \
    do {                                                                                                     \
        for (int turn = 0; turn < 2000 && !(holds); turn++)                                                  \
            nanosleep(&moment, NULL);                                                                        \
        assert_true(holds);                                                                                  \
    } while (0)

/* The end that Slurm told is near, and squeue says that it has moved: the run goes on to the new one. */
static void extended(void) {
    char end[32];
    dt_deadline deadline;
    snprintf(end, sizeof end, "%lld", (long long)time(NULL) + 2);
    setenv("SLURM_JOB_ID", "17", 1);
    setenv("SLURM_JOB_END_TIME", end, 1);
    put_squeue("echo 2031-05-30T12:00:00");
    dt_deadline_start(&deadline, dt_clock_seconds(), DT_NULL_REAL, 0);
    AWAIT(slurm_end(&deadline) > dt_clock_seconds() + 1e6);
    assert_false(dt_stop_requested());
    dt_deadline_stepped(&deadline, 1e9);
    AWAIT(dt_stop_requested());
    assert_int_equal(dt_stop_reason_here(), DT_STOP_SLURM_END);
    dt_deadline_stop(&deadline);
}

/* What was asked for stays asked for in a process: each case has one of its own. */
static void in_a_child(void (*run)(void)) {
    int status = 0;
    fflush(NULL);
    const pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        run();
        _exit(0);
    }
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static void test_a_limit_that_was_extended_is_noticed(void **state) {
    (void)state;
    in_a_child(extended);
}

/* In a job that is suspended nobody looks at the clock: that time is no step's. */
static void test_a_pause_is_no_step(void **state) {
    dt_deadline deadline;
    (void)state;
    dt_deadline_start(&deadline, dt_clock_seconds(), 1e6, 0);
    pthread_mutex_lock(&deadline.mutex);
    deadline.looked_at -= 300.0;
    pthread_mutex_unlock(&deadline.mutex);
    dt_deadline_stepped(&deadline, 310.0);
    assert_in_range(deadline.step_seconds, 5, 11); /* 10 s, and half a second that the thread may be late */
    dt_deadline_stop(&deadline);
}

/* The moment leaves room for what was measured: with no time for it left, the stop is asked for at once. */
static void move_the_moment(void) {
    const struct timespec a_while = {.tv_nsec = 300000000};
    dt_deadline deadline;
    dt_deadline_start(&deadline, dt_clock_seconds(), DT_NULL_REAL, 0);
    dt_deadline_stepped(&deadline, 1e9);
    assert_false(deadline.keeping);
    dt_deadline_start(&deadline, dt_clock_seconds(), 1000.0, 0);
    dt_deadline_stepped(&deadline, 200.0);
    dt_deadline_saved(&deadline, 200.0);
    nanosleep(&a_while, NULL);
    assert_false(dt_stop_requested()); /* 1000 - 2 * (200 + 200) - 1 s are left */
    dt_deadline_saved(&deadline, 300.0);
    AWAIT(dt_stop_requested());
    assert_int_equal(dt_stop_reason_here(), DT_STOP_AFTER_SECONDS);
    dt_deadline_stop(&deadline);
}

static void test_steps_and_saves_move_the_moment(void **state) {
    (void)state;
    in_a_child(move_the_moment);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_outside_of_slurm_there_is_no_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_slurm_names_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_end_that_no_job_has_is_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_is_no_time_is_no_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_users_way_to_look_does_not_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_hour_that_comes_twice_is_told_apart, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_element_of_an_array_is_asked_for, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_an_end_in_the_past_is_asked_about, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_limit_that_was_extended_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_pause_is_no_step, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_steps_and_saves_move_the_moment, set_up, tear_down)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
