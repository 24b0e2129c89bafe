/* A thread in sigwait may do anything, where a signal handler may do next to nothing. */
#include "train/stop.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

/* How long a moment set by dt_stop_by may come unnoticed. */
#define LOOK_NANOSECONDS 100000000L

static pthread_t listener;
static atomic_bool listening, ending, attended, requested, hurried;
static _Atomic double moment = HUGE_VAL;
static atomic_int urges; /* SIGTERMs and SIGINTs that came while the first one's save was under way */
static void (*save_state)(void *context, const char *signal_name);
static void *save_context;

static sigset_t stop_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    return set;
}

/* Dies of the signal, as the process would have without this file. */
static void die(int number) {
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, number);
    signal(number, SIG_DFL);
    pthread_kill(pthread_self(), number);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

/* While it saves, impatience is heard (see below). */
static void save_for(int number) {
    sigset_t urgent;
    sigemptyset(&urgent);
    sigaddset(&urgent, SIGTERM);
    sigaddset(&urgent, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &urgent, NULL);
    if (save_state)
        save_state(save_context, number == SIGTERM ? "SIGTERM" : "SIGINT");
    pthread_sigmask(SIG_BLOCK, &urgent, NULL);
}

static void look_at_the_clock(void) {
    if (dt_clock_seconds() < atomic_load(&moment))
        return;
    atomic_store(&hurried, true);
    if (!atomic_exchange(&requested, true))
        dt_log_line("the time is nearly up: stopping when the step under way is done");
}

static void *listen_for_signals(void *unused) {
    const sigset_t set = stop_signals();
    const struct timespec pause = {.tv_nsec = LOOK_NANOSECONDS};
    bool urged = false;
    (void)unused;
    for (;;) {
        const int number = sigtimedwait(&set, NULL, &pause);
        if (atomic_load(&ending))
            return NULL;
        look_at_the_clock();
        if (number < 0)
            continue;
        if (number != SIGUSR1 && (urged || !atomic_load(&attended)))
            die(number);
        atomic_store(&requested, true);
        if (number != SIGUSR1) {
            urged = true;
            atomic_store(&hurried, true);
            save_for(number);
        }
    }
}

/*
 * The second signal while a save is under way may be a second launcher's, for the same reason as the first:
 * it only says what the third one does. In a signal handler.
 */
static void urge(int number) {
    static const char line[] =
        "dtrain: still saving; one more signal ends the program without that checkpoint\n";
    if (atomic_fetch_add(&urges, 1) == 0)
        (void)!write(STDERR_FILENO, line, sizeof line - 1);
    else {
        signal(number, SIG_DFL);
        raise(number); /* delivered when this handler returns */
    }
}

/*
 * Threads that are older than dt_stop_prepare (OpenBLAS makes some when it is loaded) do not block the
 * signals. When the kernel hands one to such a thread, this handler sends it on; without a handler the
 * process would die.
 */
static void pass_on(int number) {
    if (!atomic_load(&listening))
        return;
    if (pthread_equal(pthread_self(), listener))
        urge(number);
    else
        pthread_kill(listener, number);
}

static void handle_in_older_threads(void) {
    const struct sigaction action = {.sa_handler = pass_on, .sa_flags = SA_RESTART};
    sigaction(SIGUSR1, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
}

dt_status dt_stop_prepare(void) {
    const sigset_t set = stop_signals();
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    int failed = pthread_create(&listener, NULL, listen_for_signals, NULL);
    if (failed)
        return dt_fail("cannot start the thread that hears signals: %s", strerror(failed));
    atomic_store(&listening, true);
    handle_in_older_threads();
    return DT_OK;
}

void dt_stop_attend(void (*save)(void *context, const char *signal_name), void *context) {
    save_state = save;
    save_context = context;
    atomic_store(&attended, true);
}

void dt_stop_ask(void) {
    atomic_store(&requested, true);
}

void dt_stop_by(double clock_seconds) {
    atomic_store(&moment, clock_seconds);
}

bool dt_stop_requested(void) {
    return atomic_load(&requested);
}

bool dt_stop_hurries(void) {
    return atomic_load(&hurried);
}

void dt_stop_finish(void) {
    if (!atomic_exchange(&listening, false))
        return;
    /* It ends by itself, after a save that it has begun, and is woken for it. */
    atomic_store(&ending, true);
    pthread_kill(listener, SIGUSR1);
    pthread_join(listener, NULL);
}
