/**
 * Time, as durations and as a stamp for people.
 */
#ifndef DT_BASE_CLOCK_H
#define DT_BASE_CLOCK_H

#include <stddef.h>
#include <time.h>

/** Seconds on a clock that never goes back; only differences mean something. Local. */
double dt_clock_seconds(void);

/** Seconds that the calling thread has spent on a core; only differences mean something. Local. */
double dt_clock_core_seconds(void);

/** The moment in `seconds`, 0 or more, on CLOCK_MONOTONIC, as pthread_cond_clockwait takes it. Local. */
struct timespec dt_clock_after(double seconds);

/** Writes the time of day as UTC, "2031-05-30T12:00:00Z", into `text` (21 bytes or more). Local. */
void dt_clock_stamp(char *text, size_t text_bytes);

#endif
