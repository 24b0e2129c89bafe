/* The timer ends the process whose call does not return, and none else: not where calls return, however many,
 * and not where the process was stopped meanwhile. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/watchdog_timer.h"

enum { RETURNED = 5, EXPIRED = 7 };

static _Noreturn void expire(void) {
    _exit(EXPIRED);
}

static void sleep_ms(long ms) {
    const struct timespec pause = {.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000};
    nanosleep(&pause, NULL);
}

static void never_return(void) {
    dt_watchdog_timer_set(1.0);
    sleep_ms(60000);
}

static void return_each_time(void) {
    for (int i = 0; i < 35; i++) {
        dt_watchdog_timer_set(1.0);
        sleep_ms(100);
        dt_watchdog_timer_clear();
    }
}

/* No time runs between calls. */
static void rest(void) {
    dt_watchdog_timer_set(1.0);
    dt_watchdog_timer_clear();
    sleep_ms(4000);
}

/* Its parent lets it go on long after the timer would have expired. */
static void be_stopped(void) {
    dt_watchdog_timer_set(2.0);
    raise(SIGSTOP);
    sleep_ms(300);
    dt_watchdog_timer_clear();
}

static pid_t start(void (*call)(void)) {
    const pid_t process = fork();
    if (process == 0) {
        if (dt_watchdog_timer_start(expire) != DT_OK)
            _exit(1);
        call();
        dt_watchdog_timer_stop();
        _exit(RETURNED);
    }
    return process;
}

/* All at once, since each takes seconds. */
static void only_a_call_that_does_not_return_ends_the_process(void **state) {
    void (*const calls[])(void) = {never_return, return_each_time, rest, be_stopped};
    const int expected[] = {EXPIRED, RETURNED, RETURNED, RETURNED};
    pid_t processes[4];
    (void)state;
    for (int i = 0; i < 4; i++)
        processes[i] = start(calls[i]);
    sleep_ms(6000);
    kill(processes[3], SIGCONT);
    for (int i = 0; i < 4; i++) {
        int status = 0;
        assert_int_equal(waitpid(processes[i], &status, 0), processes[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), expected[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(only_a_call_that_does_not_return_ends_the_process)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
