/* Two clocks: a monotonic one to measure with, the time of day to label with. */
#include "base/clock.h"

#include <time.h>

double dt_clock_seconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

void dt_clock_stamp(char *text, size_t text_bytes) {
    time_t now = time(NULL);
    struct tm utc;
    gmtime_r(&now, &utc);
    strftime(text, text_bytes, "%Y-%m-%dT%H:%M:%SZ", &utc);
}
