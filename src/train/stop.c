/* A thread in sigwait may do anything, where a signal handler may do next to nothing. */
#include "train/stop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>

static pthread_t listener;
static atomic_bool listening, attended, requested;
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

static void *listen_for_signals(void *unused) {
    (void)unused;
    const sigset_t set = stop_signals();
    bool urged = false;
    for (;;) {
        int number = 0, cancelling;
        if (sigwait(&set, &number) != 0)
            continue;
        if (number != SIGUSR1 && (urged || !atomic_load(&attended)))
            die(number);
        pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, &cancelling); /* a save that has begun is finished */
        atomic_store(&requested, true);
        if (number != SIGUSR1) {
            urged = true;
            if (save_state)
                save_state(save_context, number == SIGTERM ? "SIGTERM" : "SIGINT");
        }
        pthread_setcancelstate(cancelling, NULL);
    }
    return NULL;
}

/*
 * Threads that are older than dt_stop_prepare (OpenBLAS makes some when it is loaded) do not block the
 * signals. When the kernel hands one to such a thread, this handler sends it on; without a handler the
 * process would die.
 */
static void pass_on(int number) {
    if (atomic_load(&listening))
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

bool dt_stop_requested(void) {
    return atomic_load(&requested);
}

void dt_stop_finish(void) {
    if (!atomic_exchange(&listening, false))
        return;
    pthread_cancel(listener);
    pthread_join(listener, NULL);
}
