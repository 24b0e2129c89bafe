/**
 * A timer that ends the process when a call does not return.
 *
 * Who is about to make such a call sets the timer, and clears it afterwards. When that does not happen in
 * time, a thread of the timer's own calls a function, which ends the process: nothing else can be done about
 * a call that does not return. One in a process. Local.
 */
#ifndef DT_BASE_WATCHDOG_TIMER_H
#define DT_BASE_WATCHDOG_TIMER_H

#include "base/status.h"

/** Starts the thread. `expired` runs on it and does not return. */
dt_status dt_watchdog_timer_start(void (*expired)(void));

/**
 * A call begins: `expired` is called unless the timer is set anew or cleared within `seconds`, or up to two
 * more. While the process is stopped, alone or with its whole host, no time passes.
 */
void dt_watchdog_timer_set(double seconds);

/** The call has returned. */
void dt_watchdog_timer_clear(void);

/** Ends the thread, unless `expired` is running. Fine when it was not started. */
void dt_watchdog_timer_stop(void);

#endif
