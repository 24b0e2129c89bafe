/* Counts seconds waited rather than looking at a clock: one that went on while the process was stopped would
 * expire on waking. */
#include "base/watchdog_timer.h"

#include <math.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"

static pthread_t thread;
static bool running;
static void (*on_expired)(void);
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* over what follows */
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;
static bool ending;
static double seconds_left; /* 0: no call is timed */

static void *run_timer(void *unused) {
    pthread_mutex_lock(&lock);
    while (!ending) {
        const struct timespec until = dt_clock_after(1.0);
        (void)pthread_cond_clockwait(&woken, &lock, CLOCK_MONOTONIC, &until);
        if (seconds_left > 0.0 && (seconds_left -= 1.0) <= 0.0)
            on_expired();
    }
    pthread_mutex_unlock(&lock);
    return unused;
}

dt_status dt_watchdog_timer_start(void (*expired)(void)) {
    DT_ASSERT(!running && expired != NULL);
    on_expired = expired;
    ending = false;
    seconds_left = 0.0;
    const int failed = pthread_create(&thread, NULL, run_timer, NULL);
    running = failed == 0;
    return failed ? dt_fail("cannot start the timer of the watchdog: %s", strerror(failed)) : DT_OK;
}

static void set_seconds(double seconds) {
    pthread_mutex_lock(&lock);
    seconds_left = seconds;
    pthread_mutex_unlock(&lock);
}

/* One more, since the first second has begun already. */
void dt_watchdog_timer_set(double seconds) {
    DT_ASSERT(seconds > 0.0);
    set_seconds(ceil(seconds) + 1.0);
}

void dt_watchdog_timer_clear(void) {
    set_seconds(0.0);
}

void dt_watchdog_timer_stop(void) {
    if (!running)
        return;
    pthread_mutex_lock(&lock);
    ending = true;
    pthread_cond_signal(&woken);
    pthread_mutex_unlock(&lock);
    pthread_join(thread, NULL);
    running = false;
}
