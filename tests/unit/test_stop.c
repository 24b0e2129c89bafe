/* Signals that ask for a stop: heard whichever thread the kernel hands them to. Each case is a process of its
 * own, since what is tested is whether it lives. */
#include "support/signals.h"
#include "train/stop.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <pthread.h>
#include <stdlib.h>
#include <stdatomic.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define HEARD   0
#define SAVED   3
#define UNHEARD 4

static atomic_int saves;

static void count_save(void *context, int reason) {
    (void)context;
    (void)reason;
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
    const int signals[] = {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGTERM, SIGINT, SIGHUP, SIGXCPU, SIGPWR};
    const int expected[] = {HEARD, HEARD, HEARD, HEARD, SAVED, SAVED, SAVED, SAVED, SAVED};
    for (size_t i = 0; i < sizeof signals / sizeof *signals; i++) {
        const int status = outcome(signals[i]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), expected[i]);
    }
}

/* Started: the save that the first signal asked for, which never ends. */
static void save_for_ever(void *context, int reason) {
    (void)context;
    (void)reason;
    atomic_fetch_add(&saves, 1);
    for (;;)
        pause();
}

/* Whether the process has not heard a signal yet that was sent to it. */
static bool is_pending(int number) {
    sigset_t pending;
    return sigpending(&pending) == 0 && sigismember(&pending, number) == 1;
}

/* Sends `count` signals to the process while the first one's save hangs, and ends with HEARD if it outlives
 * two. Each waits until the one before is heard, since those that wait count as one. */
static _Noreturn void insist(int count) {
    const struct timespec moment = {.tv_nsec = 50000000};
    if (dt_stop_prepare() != DT_OK)
        _exit(1);
    dt_stop_attend(save_for_ever, NULL);
    for (int i = 0; i < count; i++) {
        kill(getpid(), SIGTERM);
        do
            nanosleep(&moment, NULL);
        while (atomic_load(&saves) == 0 || is_pending(SIGTERM));
    }
    while (count > 2)
        pause();
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

/* Runs `run` in a process of its own; how it ends, as waitpid says. */
static int end_of(void (*run)(void)) {
    int status = 0;
    const pid_t child = fork();
    if (child == 0)
        run();
    assert_true(child > 0);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

/* What nohup has ignored stays ignored, and what comes after it is heard. */
static void send_an_ignored_one(void) {
    signal(SIGHUP, SIG_IGN);
    if (dt_stop_prepare() != DT_OK)
        _exit(1);
    dt_stop_attend(count_save, NULL);
    kill(getpid(), SIGHUP);
    kill(getpid(), SIGUSR2);
    const bool heard = wait_for_request() && dt_stop_reason_here() == SIGUSR2;
    dt_stop_finish();
    _exit(heard && atomic_load(&saves) == 0 ? HEARD : UNHEARD);
}

static void ignore_in_a_library(int number) {
    (void)number;
}

/* A library's handler costs no run: what may end the process is heard all the same. A profiler keeps its own.
 */
static void send_what_a_library_has_taken(void) {
    struct sigaction kept;
    signal(SIGUSR2, ignore_in_a_library);
    signal(SIGHUP, ignore_in_a_library);
    if (dt_stop_prepare() != DT_OK || sigaction(SIGUSR2, NULL, &kept) != 0)
        _exit(1);
    dt_stop_attend(count_save, NULL);
    kill(getpid(), SIGUSR2);
    kill(getpid(), SIGHUP);
    const bool heard = wait_for_request() && dt_stop_reason_here() == SIGHUP;
    dt_stop_finish();
    _exit(heard && kept.sa_handler == ignore_in_a_library && atomic_load(&saves) == 1 ? SAVED : UNHEARD);
}

/* A terminal that goes sends SIGHUP, and so may the shell in it; the kernel repeats SIGXCPU each second. */
static void send_what_comes_twice(void) {
    if (dt_stop_prepare() != DT_OK)
        _exit(1);
    dt_stop_attend(count_save, NULL);
    for (int i = 0; i < 3; i++) {
        kill(getpid(), SIGHUP);
        kill(getpid(), SIGXCPU);
        if (!wait_for_request())
            _exit(1);
    }
    dt_stop_finish();
    _exit(atomic_load(&saves) == 1 ? SAVED : UNHEARD);
}

static void *give_up(void *unused) {
    (void)unused;
    sleep(10);
    _exit(UNHEARD);
}

/* Where the user has as many signals pending as are allowed, what is sent arrives all the same, and the end
 * is no different. */
static void send_beyond_the_limit(void) {
    pthread_t older, timer;
    const struct rlimit none = {0, 0};
    if (pthread_create(&older, NULL, sleep_for_ever, NULL) != 0 || dt_stop_prepare() != DT_OK ||
        pthread_create(&timer, NULL, give_up, NULL) != 0 || setrlimit(RLIMIT_SIGPENDING, &none) != 0)
        _exit(1);
    dt_stop_attend(count_save, NULL);
    pthread_kill(older, SIGUSR2);
    const bool heard = wait_for_request();
    dt_stop_finish();
    _exit(heard ? HEARD : UNHEARD);
}

/* The thread that trains sends it to itself, as a hook may. */
static void raise_one(void) {
    if (dt_stop_prepare() != DT_OK)
        _exit(1);
    dt_stop_attend(count_save, NULL);
    raise(SIGUSR1);
    (void)dt_stop_reason_here();
    const bool heard = wait_for_request() && dt_stop_reason_here() == SIGUSR1;
    dt_stop_finish();
    _exit(heard ? HEARD : UNHEARD);
}

static void test_no_request_is_lost(void **unused) {
    (void)unused;
    int status = end_of(send_beyond_the_limit);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == HEARD);
    status = end_of(raise_one);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == HEARD);
}

/* A reader that has gone ends nothing, and a job that was suspended goes on. */
static void write_to_nobody(void) {
    int ends[2];
    if (dt_stop_prepare() != DT_OK || pipe(ends) != 0)
        _exit(1);
    dt_stop_attend(count_save, NULL);
    close(ends[0]);
    const bool failed = write(ends[1], "x", 1) < 0;
    kill(getpid(), SIGCONT);
    const bool asked = dt_stop_requested();
    dt_stop_finish();
    _exit(failed && !asked && atomic_load(&saves) == 0 ? HEARD : UNHEARD);
}

static void test_only_what_means_an_end_ends_a_run(void **unused) {
    (void)unused;
    int status = end_of(send_an_ignored_one);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == HEARD);
    status = end_of(send_what_a_library_has_taken);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == SAVED);
    status = end_of(send_what_comes_twice);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == SAVED);
    status = end_of(write_to_nobody);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == HEARD);
}

/* SIGTERM from a rank's parent is mpirun's, whoever told it; from anybody else it is what it is. */
static void test_the_sender_is_known(void **unused) {
    (void)unused;
    for (int from_parent = 0; from_parent <= 1; from_parent++) {
        int ready[2], status = 0;
        char byte;
        assert_int_equal(pipe(ready), 0);
        setenv("OMPI_COMM_WORLD_SIZE", "2", 1);
        const pid_t child = fork();
        if (child == 0) {
            if (dt_stop_prepare() != DT_OK)
                _exit(1);
            dt_stop_attend(NULL, NULL);
            (void)!write(ready[1], "x", 1);
            if (!from_parent)
                kill(getpid(), SIGTERM);
            const int expected = SIGTERM + (from_parent ? DT_STOP_MPIRUN : 0);
            _exit(wait_for_request() && dt_stop_reason_here() == expected ? HEARD : UNHEARD);
        }
        unsetenv("OMPI_COMM_WORLD_SIZE");
        assert_true(child > 0);
        assert_int_equal(read(ready[0], &byte, 1), 1);
        if (from_parent)
            kill(child, SIGTERM);
        assert_int_equal(waitpid(child, &status, 0), child);
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == HEARD);
        close(ready[0]);
        close(ready[1]);
    }
}

static void test_reasons_have_names(void **unused) {
    char name[DT_STOP_NAME_BYTES];
    (void)unused;
    assert_string_equal(dt_stop_name(SIGINT, name), "SIGINT");
    assert_string_equal(dt_stop_name(SIGXCPU, name), "SIGXCPU");
    assert_string_equal(dt_stop_name(SIGTERM + DT_STOP_MPIRUN, name), "mpirun (SIGTERM; Ctrl-C arrives so)");
    assert_string_equal(dt_stop_name(DT_STOP_AFTER_SECONDS, name), "the deadline (stop_after_seconds)");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_older_threads_pass_signals_on),
                                       cmocka_unit_test(test_a_third_signal_ends_a_save_that_hangs),
                                       cmocka_unit_test(test_only_what_means_an_end_ends_a_run),
                                       cmocka_unit_test(test_no_request_is_lost),
                                       cmocka_unit_test(test_the_sender_is_known),
                                       cmocka_unit_test(test_reasons_have_names)};
    signals_restore();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
