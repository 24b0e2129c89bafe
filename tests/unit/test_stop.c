/* Signals that ask for a stop: heard whichever thread the kernel hands them to. Each case is a process of its
 * own, since what is tested is whether it lives. */
#include "train/stop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

#define HEARD   0
#define SAVED   3
#define UNHEARD 4

static atomic_int saves;

static void count_save(void *context, const char *signal_name) {
    (void)context;
    (void)signal_name;
    atomic_fetch_add(&saves, 1);
}

static void *sleep_for_ever(void *unused) {
    for (;;)
        pause();
    return unused;
}

/* Whether the signal is heard; waits no longer than a slow machine needs. */
static bool wait_for_request(void) {
    const struct timespec moment = {.tv_nsec = 1000000};
    for (int i = 0; i < 20000 && !dt_stop_requested(); i++)
        nanosleep(&moment, NULL);
    return dt_stop_requested();
}

/* As OpenBLAS does when it is loaded, makes a thread before dt_stop_prepare, and sends `number` to it. */
static _Noreturn void send_to_older_thread(int number) {
    pthread_t older;
    if (pthread_create(&older, NULL, sleep_for_ever, NULL) != 0 || dt_stop_prepare() != DT_OK)
        _exit(1);
    dt_stop_attend(count_save, NULL);
    pthread_kill(older, number);
    const bool heard = wait_for_request();
    dt_stop_finish();
    _exit(!heard ? UNHEARD : atomic_load(&saves) > 0 ? SAVED : HEARD);
}

/* How a child that runs `send_to_older_thread` ends, as waitpid says. */
static int outcome(int number) {
    int status = 0;
    const pid_t child = fork();
    if (child == 0)
        send_to_older_thread(number);
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* The listener alone hears signals, also those that the kernel hands to a thread that does not block them. */
static void test_older_threads_pass_signals_on(void **unused) {
    (void)unused;
    const int signals[] = {SIGUSR1, SIGTERM, SIGINT}, expected[] = {HEARD, SAVED, SAVED};
    for (int i = 0; i < 3; i++) {
        const int status = outcome(signals[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), expected[i]);
    }
}

/* Started: the save that the first signal asked for, which never ends. */
static void save_for_ever(void *context, const char *signal_name) {
    (void)context;
    (void)signal_name;
    atomic_fetch_add(&saves, 1);
    for (;;)
        pause();
}

/* Sends `count` signals to the process while the first one's save hangs, and ends with HEARD if it lives. */
static _Noreturn void insist(int count) {
    const struct timespec moment = {.tv_nsec = 50000000};
    if (dt_stop_prepare() != DT_OK)
        _exit(1);
    dt_stop_attend(save_for_ever, NULL);
    for (int i = 0; i < count; i++) {
        kill(getpid(), SIGTERM);
        nanosleep(&moment, NULL);
        while (atomic_load(&saves) == 0)
            nanosleep(&moment, NULL);
    }
    _exit(HEARD);
}

/* A second launcher's signal does not cost the checkpoint; who insists is obeyed. */
static void test_a_third_signal_ends_a_save_that_hangs(void **unused) {
    (void)unused;
    for (int count = 2; count <= 3; count++) {
        int status = 0;
        const pid_t child = fork();
        if (child == 0)
            insist(count);
        assert_true(child > 0);
        assert_int_equal(waitpid(child, &status, 0), child);
        if (count == 2)
            assert_true(WIFEXITED(status) && WEXITSTATUS(status) == HEARD);
        else
            assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGTERM);
    }
}

/* The clock asks for a stop at its moment, not before, and saves nothing by itself. */
static _Noreturn void wait_for_the_clock(void) {
    if (dt_stop_prepare() != DT_OK)
        _exit(1);
    dt_stop_attend(count_save, NULL);
    const double moment = dt_clock_seconds() + 0.3;
    dt_stop_by(moment);
    const bool heard = wait_for_request(), early = dt_clock_seconds() < moment;
    _exit(!heard || early ? UNHEARD : atomic_load(&saves) > 0 ? SAVED : HEARD);
}

static void test_the_clock_asks_for_a_stop(void **unused) {
    (void)unused;
    int status = 0;
    const pid_t child = fork();
    if (child == 0)
        wait_for_the_clock();
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == HEARD);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_older_threads_pass_signals_on),
                                       cmocka_unit_test(test_a_third_signal_ends_a_save_that_hangs),
                                       cmocka_unit_test(test_the_clock_asks_for_a_stop)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
