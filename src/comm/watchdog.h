/**
 * Ends a job that hangs, and says who is missing.
 *
 * A thread on every rank looks at how far its own rank has come (base/progress.h). When that stands still for
 * half of the limit, the thread asks all others where they are; theirs answer whatever their main threads do,
 * unless the process is stopped, its host is gone or the link is down. When nobody has made progress for the
 * limit, the lowest rank that still answers tells the others that it speaks, names those that do not answer,
 * or that are behind the others, and aborts the job; the others follow without a word. Where MPI itself does
 * not come back from the asking, the rank says that and ends alone (base/watchdog_timer.h). A rank that works
 * long while others wait for it is never taken for one that hangs, as long as it leaves marks. While all goes
 * well no message is sent.
 *
 * One in a process, over the whole job.
 */
#ifndef DT_COMM_WATCHDOG_H
#define DT_COMM_WATCHDOG_H

#include <stdbool.h>

#include "base/status.h"
#include "comm/world.h"

/** The request that travels. The watchdog's thread calls both. */
typedef struct dt_watchdog_request {
    bool (*asked)(
        void); /**< whether it was made on this rank; asked about once a second. NULL: nothing travels */
    void (*ask)(void); /**< it was made on another rank; `asked` is true from then on */
} dt_watchdog_request;

/**
 * Starts the thread; `world` must outlive it, and the limit must agree. With one rank, or an MPI that allows
 * calls from one thread only (rank 0 then warns), there is no watchdog and this does nothing. Collective.
 */
dt_status dt_watchdog_start(const dt_world *world, double limit_seconds, dt_watchdog_request request);

/** Another limit from now on, which counts from now on, however long this rank has waited; NaN: none. Does
 * nothing where there is no watchdog. Local. */
void dt_watchdog_limit(double limit_seconds);

/** Waits, still under its eye, until all ranks have come, and ends the thread. Fine without a watchdog.
 * Collective. */
void dt_watchdog_stop(void);

#endif
