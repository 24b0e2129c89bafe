/* Waiting for the reader of what was printed: until it has all of it, no longer than allowed, and not at all
 * where nobody reads. */
#include "support/sentence.h"

#include <fcntl.h>
#include <pthread.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/drain.h"

/* Standard error leads into the pipe; what stood there, to be put back. */
static int ends[2], kept;

static void redirect(int to) {
    kept = dup(STDERR_FILENO);
    assert_true(kept >= 0 && dup2(to, STDERR_FILENO) == STDERR_FILENO);
}

static void put_back(void) {
    assert_int_equal(dup2(kept, STDERR_FILENO), STDERR_FILENO);
    close(kept);
}

/* A launcher that comes to its pipes late. */
static void *read_late(void *unused) {
    const struct timespec late = {.tv_nsec = 200000000};
    char taken[16];
    (void)unused;
    nanosleep(&late, NULL);
    return read(ends[0], taken, sizeof taken) == 5 ? &ends : NULL;
}

static void a_late_reader_gets_all(void **state) {
    (void)state;
    pthread_t reader;
    assert_int_equal(pipe(ends), 0);
    redirect(ends[1]);
    assert_int_equal(write(STDERR_FILENO, "line\n", 5), 5);
    assert_int_equal(pthread_create(&reader, NULL, read_late, NULL), 0);
    const double start = dt_clock_seconds();
    dt_drain_output(60.0);
    const double seconds = dt_clock_seconds() - start;
    put_back();
    void *all = NULL;
    assert_int_equal(pthread_join(reader, &all), 0);
    assert_non_null(all);
    assert_int_equal(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
    char rest;
    assert_int_equal(read(ends[0], &rest, 1), -1); /* nothing is left */
    assert_true(seconds > 0.15 && seconds < 60.0);
    close(ends[0]);
    close(ends[1]);
}

static void nobody_is_waited_for_in_vain(void **state) {
    (void)state;
    assert_int_equal(pipe(ends), 0);
    redirect(ends[1]);
    assert_int_equal(write(STDERR_FILENO, "line\n", 5), 5);
    const double start = dt_clock_seconds();
    dt_drain_output(0.1);
    const double seconds = dt_clock_seconds() - start;
    put_back();
    assert_true(seconds >= 0.1 && seconds < 30.0);
    close(ends[0]);
    close(ends[1]);
}

static void a_file_has_it_already(void **state) {
    (void)state;
    const int file = open("/dev/null", O_WRONLY | O_CLOEXEC), out = dup(STDOUT_FILENO);
    assert_true(file >= 0 && out >= 0);
    redirect(file);
    assert_int_equal(dup2(file, STDOUT_FILENO), STDOUT_FILENO);
    /* The least of many, since one may be interrupted: what waits takes 20 ms each time. */
    double min = 1.0;
    for (int i = 0; i < 20; i++) {
        const double start = dt_clock_seconds();
        dt_drain_output(60.0);
        const double seconds = dt_clock_seconds() - start;
        min = seconds < min ? seconds : min;
    }
    put_back();
    assert_int_equal(dup2(out, STDOUT_FILENO), STDOUT_FILENO);
    assert_true(min < 0.01);
    close(out);
    close(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_late_reader_gets_all),
        cmocka_unit_test(nobody_is_waited_for_in_vain),
        cmocka_unit_test(a_file_has_it_already),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
