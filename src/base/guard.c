/* Counts seconds slept rather than looking at a clock: one that went on while the process was stopped would
 * expire on waking. */
#include "base/guard.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

static pthread_t thread;
static bool running;
static void (*on_expired)(void);
static atomic_int seconds_left; /* 0 or less: nothing is guarded */

static void *keep_guard(void *unused) {
    const struct timespec second = {.tv_sec = 1};
    for (;;) {
        nanosleep(&second, NULL); /* where dt_guard_stop ends the thread */
        if (atomic_load(&seconds_left) > 0 && atomic_fetch_sub(&seconds_left, 1) == 1)
            on_expired();
    }
    return unused;
}

dt_status dt_guard_start(void (*expired)(void)) {
    on_expired = expired;
    dt_guard_clear();
    const int failed = pthread_create(&thread, NULL, keep_guard, NULL);
    running = failed == 0;
    return failed ? dt_fail("cannot start the thread that guards the watch: %s", strerror(failed)) : DT_OK;
}

/* One more, since the first second has begun already. */
void dt_guard_set(double seconds) {
    atomic_store(&seconds_left, (int)fmin(ceil(seconds), 1e9) + 1);
}

void dt_guard_clear(void) {
    atomic_store(&seconds_left, 0);
}

void dt_guard_stop(void) {
    if (!running)
        return;
    pthread_cancel(thread);
    pthread_join(thread, NULL);
    running = false;
}
