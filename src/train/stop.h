/**
 * Signals that ask a run to stop, heard by a thread that waits for nothing else.
 *
 * SIGUSR1, SIGTERM and SIGINT ask for a stop after the step that is under way: the loop sees
 * dt_stop_requested, the ranks agree within the step, save and leave. SIGTERM and SIGINT may mean that a
 * launcher kills the process a second later, whatever it does, so at these the thread also calls `save` at
 * once; rank 0 gives one that writes the state of the last finished step. A second SIGTERM or SIGINT ends the
 * process as if nothing had been arranged; while `save` is at work it takes a third, since Slurm and mpirun
 * may send one each. The clock can ask for a stop too.
 *
 * One in a process. All functions are local.
 */
#ifndef DT_TRAIN_STOP_H
#define DT_TRAIN_STOP_H

#include <stdbool.h>

#include "base/status.h"

/**
 * Keeps the three signals from every other thread and starts the one that hears them; a thread that is older
 * passes on what the kernel hands to it. Call it before MPI starts, whose threads inherit what they ignore.
 * Until dt_stop_attend SIGTERM and SIGINT end the process; SIGUSR1 is remembered.
 */
dt_status dt_stop_prepare(void);

/** From now on the signals ask for a stop. `save` (may be NULL) is called with `context` as said above, in
 * the thread. */
void dt_stop_attend(void (*save)(void *context, const char *signal_name), void *context);

/** Asks for a stop, as SIGUSR1 does. Any thread. */
void dt_stop_ask(void);

/** Asks for a stop at this moment of dt_clock_seconds; replaces the moment given before, HUGE_VAL is never.
 */
void dt_stop_by(double clock_seconds);

/** Whether a signal or the clock has asked for a stop. Any thread. */
bool dt_stop_requested(void);

/** Whether there is time for no more than a save: at SIGTERM, SIGINT, or when the clock asked. Any thread. */
bool dt_stop_hurries(void);

/**
 * Ends the thread, after a save that it has begun; signals that come later are ignored, as the process is
 * about to end. Calling it without dt_stop_prepare is fine.
 */
void dt_stop_finish(void);

#endif
