/* Three clocks: a monotonic one and a thread's own to measure with, the time of day to label with. */
#include "base/clock.h"

#include <math.h>

#include "base/assert.h"

static double read_clock(clockid_t clock) {
    struct timespec now;
    clock_gettime(clock, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

double dt_clock_seconds(void) {
    return read_clock(CLOCK_MONOTONIC);
}

double dt_clock_core_seconds(void) {
    return read_clock(CLOCK_THREAD_CPUTIME_ID);
}

struct timespec dt_clock_after(double seconds) {
    DT_ASSERT(seconds >= 0.0);
    struct timespec moment;
    clock_gettime(CLOCK_MONOTONIC, &moment);
    moment.tv_nsec += (long)(1e9 * fmod(seconds, 1.0));
    moment.tv_sec += (time_t)seconds + moment.tv_nsec / 1000000000L;
    moment.tv_nsec %= 1000000000L;
    return moment;
}

void dt_clock_stamp(char *text, size_t text_bytes) {
    DT_ASSERT(text_bytes >= sizeof "2031-05-30T12:00:00Z");
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(text, text_bytes, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
