/* A thread in sigwaitinfo may do anything, where a signal handler may do next to nothing. */
#include "train/stop.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* What each signal asks for, as the header's table has it. */
static const struct kind {
    int number;
    bool urgent;  /* whoever sent it may end the process soon */
    bool insists; /* a second one means what it says */
} kinds[] = {{SIGUSR1, false, false},   {SIGUSR2, false, false}, {SIGALRM, false, false},
             {SIGVTALRM, false, false}, {SIGTERM, true, true},   {SIGINT, true, true},
             {SIGHUP, true, false},     {SIGXCPU, true, false},  {SIGPWR, true, false}};

enum { KINDS = sizeof kinds / sizeof *kinds };

/* Wakes the thread, for its end. One that means nothing to a program, and none of the real-time signals,
 * which are not sent at all where the user has too many pending (ulimit -i). */
#define WAKE SIGURG

static sigset_t heard; /* those of the table that were left to the program, and WAKE */
static pthread_t listener;
static atomic_bool listening, ending, attended, hurried;
static atomic_int first_reason;
static atomic_int urges; /* SIGTERMs and SIGINTs that came while the first one's save was under way */
static void (*save_state)(void *context, int reason);
static void *save_context;

static sigset_t insisting_signals(void) {
    sigset_t set;
    sigemptyset(&set);
    for (int k = 0; k < KINDS; k++)
        if (kinds[k].insists && sigismember(&heard, kinds[k].number))
            sigaddset(&set, kinds[k].number);
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
static void save_for(int reason) {
    const sigset_t urgent = insisting_signals();
    pthread_sigmask(SIG_UNBLOCK, &urgent, NULL);
    if (save_state)
        save_state(save_context, reason);
    pthread_sigmask(SIG_BLOCK, &urgent, NULL);
}

/* The process that sent the signal: also when an older thread has passed it on, which then tells. */
static pid_t sender(const siginfo_t *info) {
    return info->si_code == SI_QUEUE && info->si_pid == getpid() ? (pid_t)info->si_value.sival_int
                                                                 : info->si_pid;
}

/* mpirun ends its ranks by SIGTERM, whatever it was told; its daemon on each host is the rank's parent. */
static int reason_of(int number, pid_t from) {
    const bool from_mpirun = number == SIGTERM && from == getppid() && getenv("OMPI_COMM_WORLD_SIZE") != NULL;
    return number + (from_mpirun ? DT_STOP_MPIRUN : 0);
}

static void handle(const struct kind *kind, const siginfo_t *info) {
    static bool urged, saved;
    const int reason = reason_of(kind->number, sender(info));
    if (kind->urgent && !atomic_load(&attended))
        die(kind->number);
    if (kind->insists && urged)
        die(kind->number);
    urged |= kind->insists;
    if (kind->urgent)
        atomic_store(&hurried, true);
    dt_stop_ask(reason);
    if (kind->urgent && !saved) {
        saved = true;
        save_for(reason);
    }
}

static void *listen_for_signals(void *unused) {
    siginfo_t info;
    (void)unused;
    for (;;) {
        const int number = sigwaitinfo(&heard, &info);
        if (atomic_load(&ending))
            return NULL;
        for (int k = 0; k < KINDS; k++)
            if (number == kinds[k].number)
                handle(&kinds[k], &info);
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

/* With who has sent it, or without where the user has too many pending. */
static void send_to_listener(int number, const siginfo_t *info) {
    if (pthread_sigqueue(listener, number, (union sigval){.sival_int = (int)sender(info)}) != 0)
        (void)pthread_kill(listener, number);
}

/*
 * Threads that are older than dt_stop_prepare (OpenBLAS makes some when it is loaded) do not block the
 * signals. When the kernel hands one to such a thread, this handler sends it on; without a handler the
 * process would die.
 */
static void pass_on(int number, siginfo_t *info, void *unused) {
    (void)unused;
    if (!atomic_load(&listening))
        return;
    if (pthread_equal(pthread_self(), listener))
        urge(number);
    else
        send_to_listener(number, info);
}

/* Only what is left to the program is taken, or means its end: see the header. At the start of a program only
 * a library can have put a handler there (UCX, which Open MPI 5 comes with, listens to SIGHUP). */
static void choose_signals(void) {
    sigemptyset(&heard);
    sigaddset(&heard, WAKE);
    for (int k = 0; k < KINDS; k++) {
        struct sigaction found;
        if (sigaction(kinds[k].number, NULL, &found) != 0)
            continue;
        const bool handled =
            (found.sa_flags & SA_SIGINFO) || (found.sa_handler != SIG_DFL && found.sa_handler != SIG_IGN);
        if (handled ? kinds[k].urgent : found.sa_handler == SIG_DFL)
            sigaddset(&heard, kinds[k].number);
    }
}

static void handle_in_older_threads(void) {
    const struct sigaction action = {.sa_sigaction = pass_on, .sa_flags = SA_RESTART | SA_SIGINFO};
    for (int k = 0; k < KINDS; k++)
        if (sigismember(&heard, kinds[k].number))
            sigaction(kinds[k].number, &action, NULL);
}

dt_status dt_stop_prepare(void) {
    signal(SIGPIPE, SIG_IGN);
    choose_signals();
    pthread_sigmask(SIG_BLOCK, &heard, NULL);
    int failed = pthread_create(&listener, NULL, listen_for_signals, NULL);
    if (failed)
        return dt_fail("cannot start the thread that hears signals: %s", strerror(failed));
    atomic_store(&listening, true);
    handle_in_older_threads();
    return DT_OK;
}

void dt_stop_attend(void (*save)(void *context, int reason), void *context) {
    save_state = save;
    save_context = context;
    atomic_store(&attended, true);
}

void dt_stop_disregard(void) {
    atomic_store(&attended, false);
}

void dt_stop_ask(int reason) {
    int none = 0;
    char name[DT_STOP_NAME_BYTES];
    if (reason == DT_STOP_AFTER_SECONDS || reason == DT_STOP_SLURM_END)
        atomic_store(&hurried, true);
    const bool begins = !atomic_load(&attended);
    if (atomic_compare_exchange_strong(&first_reason, &none, reason) && reason != DT_STOP_FAILURE &&
        (begins || save_state != NULL))
        dt_log_line("stop asked for by %s%s", dt_stop_name(reason, name),
                    begins ? "" : ": the step under way is the last");
}

bool dt_stop_requested(void) {
    return atomic_load(&first_reason) != 0;
}

bool dt_stop_hurries(void) {
    return atomic_load(&hurried);
}

/* What raise() sends is the calling thread's alone, which blocks it. */
static void hear_own(void) {
    siginfo_t info;
    const struct timespec now = {0};
    int number;
    while (atomic_load(&listening) && (number = sigtimedwait(&heard, &info, &now)) > 0)
        send_to_listener(number, &info);
}

int dt_stop_reason_here(void) {
    hear_own();
    return atomic_load(&first_reason);
}

const char *dt_stop_name(int reason, char name[DT_STOP_NAME_BYTES]) {
    const char *words = reason == DT_STOP_AFTER_SECONDS      ? "the deadline (stop_after_seconds)"
                        : reason == DT_STOP_SLURM_END        ? "the deadline (end of the Slurm job)"
                        : reason == DT_STOP_FAILURE          ? "a failure"
                        : reason == DT_STOP_OTHER_RANK       ? "a signal to another rank"
                        : reason == SIGTERM + DT_STOP_MPIRUN ? "mpirun (SIGTERM; Ctrl-C arrives so)"
                                                             : NULL;
    if (words)
        snprintf(name, DT_STOP_NAME_BYTES, "%s", words);
    else
        snprintf(name, DT_STOP_NAME_BYTES, "SIG%s", sigabbrev_np(reason));
    return name;
}

void dt_stop_finish(void) {
    if (!atomic_exchange(&listening, false))
        return;
    /* It ends by itself, after a save that it has begun, and is woken for it. */
    atomic_store(&ending, true);
    pthread_kill(listener, WAKE);
    pthread_join(listener, NULL);
}
