/* A meter is silent about short work, and tells of long work now and again. The clock is the test's own. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "base/meter.h"
#include "support/scratch.h"

static double now_seconds;

double __wrap_dt_clock_seconds(void);

double __wrap_dt_clock_seconds(void) {
    return now_seconds;
}

/* What the process writes to `descriptor` while 100 GB take `seconds`, a thousandth at a time, as a new text.
 */
static char *work(int descriptor, double seconds, const char *unit) {
    char path[] = "/tmp/dtrain-test-XXXXXX";
    const int file = mkstemp(path), before = dup(descriptor);
    dt_meter meter;
    size_t length;
    assert_true(file >= 0 && before >= 0);
    fflush(NULL);
    assert_true(dup2(file, descriptor) == descriptor);
    now_seconds = 1000.0;
    dt_meter_start(&meter, "indexing", "a.txt", 100000000000, unit);
    for (int64_t step = 1; step <= 1000; step++) {
        now_seconds = 1000.0 + seconds * (double)step / 1000.0;
        dt_meter_move(&meter, step * 100000000);
    }
    fflush(NULL);
    assert_true(dup2(before, descriptor) == descriptor);
    close(before);
    close(file);
    char *text = scratch_get(path, &length);
    unlink(path);
    return text;
}

static void short_work_is_silent(void **state) {
    (void)state;
    char *text = work(STDERR_FILENO, 1.9, NULL);
    assert_string_equal(text, "");
    free(text);
}

/* 25.6 seconds: after 2, and then after ten more each time, by steps of 25.6 ms. */
static void long_work_is_told_every_ten_seconds(void **state) {
    (void)state;
    char *text = work(STDERR_FILENO, 25.6, NULL);
    assert_string_equal(text, "dtrain: indexing a.txt: 8 % of 100 GB, 0:00:24 left\n"
                              "dtrain: indexing a.txt: 47 % of 100 GB, 0:00:14 left\n"
                              "dtrain: indexing a.txt: 86 % of 100 GB, 0:00:04 left\n");
    free(text);
    text = work(STDERR_FILENO, 10.0, "windows");
    assert_string_equal(text, "dtrain: indexing a.txt: 20 % of 100000000000 windows, 0:00:08 left\n");
    free(text);
    text = work(STDOUT_FILENO, 25.6, NULL);
    assert_string_equal(text, ""); /* where a program may read */
    free(text);
}

/* On a terminal a line is redrawn, ten times a second and no more. */
static void a_terminal_sees_one_line(void **state) {
    (void)state;
    setenv("TERM", "xterm", 1);
    dt_log_open(true, true);
    char *text = work(STDOUT_FILENO, 25.0, NULL);
    dt_log_open(true, false);
    int drawn = 0;
    for (const char *at = text; (at = strstr(at, "indexing a.txt: ")) != NULL; at++)
        drawn++;
    assert_in_range(drawn, 150, 231); /* the 23 seconds that are left, by steps of 25 ms */
    assert_null(strchr(text, '\n'));
    assert_non_null(strstr(text, "\033[Jindexing a.txt: 50 % of 100 GB, 0:00:12 left\r"));
    const char *end = "\r\033[J"; /* all is done: it goes */
    assert_string_equal(text + strlen(text) - strlen(end), end);
    free(text);
}

/* Work of which nothing tells how far it is, looked at every half second. */
static void a_wait_is_told_after_two_seconds(void **state) {
    (void)state;
    char path[] = "/tmp/dtrain-test-XXXXXX";
    const int file = mkstemp(path), before = dup(STDERR_FILENO);
    size_t length;
    dt_meter meter;
    fflush(NULL);
    assert_true(file >= 0 && before >= 0 && dup2(file, STDERR_FILENO) >= 0);
    now_seconds = 1000.0;
    dt_meter_start(&meter, "saving", "a checkpoint", 5100000000, NULL);
    for (now_seconds = 1000.0; now_seconds < 1013.0; now_seconds += 0.5)
        dt_meter_wait(&meter);
    dt_meter_end(&meter);
    fflush(NULL);
    assert_true(dup2(before, STDERR_FILENO) >= 0);
    close(before);
    close(file);
    char *text = scratch_get(path, &length);
    unlink(path);
    assert_string_equal(text, "dtrain: saving a checkpoint: 5.1 GB, 2 s so far\n"
                              "dtrain: saving a checkpoint: 5.1 GB, 12 s so far\n");
    free(text);
}

static void others_are_not_heard(void **state) {
    (void)state;
    dt_log_open(false, false);
    char *text = work(STDERR_FILENO, 25.0, NULL);
    dt_log_open(true, false);
    assert_string_equal(text, "");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(short_work_is_silent), cmocka_unit_test(long_work_is_told_every_ten_seconds),
        cmocka_unit_test(a_terminal_sees_one_line), cmocka_unit_test(a_wait_is_told_after_two_seconds),
        cmocka_unit_test(others_are_not_heard)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
