/* Handlers that the C library calls at each way out, and for those of which it calls none, functions in the
 * place of its own. */
#include "base/ending.h"

#include <dlfcn.h>
#include <fenv.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/locale.h"
#include "base/log.h"

#define FAILED 1

static atomic_bool forbidden;
static pid_t own_process; /* a child that was forked is not this process */

/* Of the calling thread; NULL while it runs dtrain's own code. */
static _Thread_local const char *running, *running_function;
static _Thread_local locale_t own_locale; /* before it ran foreign code */

static _Noreturn void leave(int code) {
    for (;;)
        (void)syscall(SYS_exit_group, code);
}

/* Whether an end with `code` is somebody else's; then it has been told. */
static bool blame(int code) {
    if (!atomic_load(&forbidden) || getpid() != own_process)
        return false;
    if (running)
        dt_log_error("%s ended the process with exit code %d in its %s; the steps since the last "
                     "checkpoint are lost; a hook that cannot go on must return a value other than 0",
                     running, code, running_function);
    else if (code == 0)
        dt_log_error("a library, or a thread that a hook started, ended the process with exit code 0 "
                     "before its work was done; the steps since the last checkpoint are lost");
    else /* as MPI_Abort does, whose caller has said why */
        return false;
    return true;
}

static void look_at_exit(int code, void *unused) {
    (void)unused;
    if (blame(code))
        leave(code ? code : FAILED);
}

/* quick_exit does not tell the code. */
static void look_at_quick_exit(void) {
    if (blame(0))
        leave(FAILED);
}

/*
 * In the place of the C library's for all that is loaded, since the program comes first where names are
 * looked up. What the library does there is this call to the kernel, and nothing else.
 */
void _exit(int code) {
    if (blame(code) && code == 0)
        code = FAILED;
    leave(code);
}

void _Exit(int code) {
    _exit(code);
}

/*
 * The end of a thread in foreign code would leave the others waiting for it for ever. In the place of the C
 * library's too, since what is called at a thread's end comes after OpenMP's own, which may wait already.
 */
_Noreturn void pthread_exit(void *result) {
    static atomic_flag told = ATOMIC_FLAG_INIT;
    void (*real)(void *result);
    if (running && atomic_load(&forbidden)) {
        while (atomic_flag_test_and_set(&told)) /* by another thread, which ends the process */
            (void)pause();
        dt_log_error("%s ended its thread in its %s; the steps since the last checkpoint are lost; a hook "
                     "that cannot go on must return a value other than 0",
                     running, running_function);
        leave(FAILED);
    }
    /* POSIX: a data pointer from dlsym holds a function's address; ISO C wants the detour by memcpy. */
    void *symbol = dlsym(RTLD_NEXT, "pthread_exit");
    memcpy(&real, &symbol, sizeof real);
    for (;;) /* never twice */
        real(result);
}

void dt_ending_forbid(void) {
    own_process = getpid();
    /* Without memory for a handler that end goes unseen, as all did. */
    (void)on_exit(look_at_exit, NULL);
    (void)at_quick_exit(look_at_quick_exit);
    atomic_store(&forbidden, true);
}

void dt_ending_allow(void) {
    atomic_store(&forbidden, false);
}

/* Nor may foreign code cancel the thread, for which the others would wait as long. */
void dt_ending_enter(const char *who, const char *function) {
    DT_ASSERT(running == NULL && who != NULL);
    (void)pthread_setcancelstate(PTHREAD_CANCEL_DISABLE, NULL);
    own_locale = dt_locale_save();
    running = who;
    running_function = function;
}

/* A child whose exec failed, as a rule. Locks may be held by threads that it does not have, so it only
 * writes.
 */
void dt_ending_leave(void) {
    static const char line[] = "dtrain: error: a process that a hook forked returned from the hook; it ends "
                               "here, and the run goes on without it; such a process must end itself\n";
    DT_ASSERT(running != NULL);
    if (atomic_load(&forbidden) && getpid() != own_process) {
        (void)!write(STDERR_FILENO, line, sizeof line - 1);
        leave(FAILED);
    }
    fenv_t found;
    (void)feholdexcept(&found); /* no exception of floats is a signal from here on */
    dt_locale_restore(own_locale);
    running = NULL;
}
