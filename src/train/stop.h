/**
 * Signals that ask a run to stop, heard by a thread that waits for nothing else.
 *
 *     SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM      stop after the step under way
 *     SIGTERM, SIGINT, SIGHUP, SIGXCPU, SIGPWR  the same, and save soon: who sends these may end the process
 *     SIGPIPE                                   nothing: a reader is gone, and training needs none
 *     SIGCONT, SIGTSTP, SIGSTOP                 suspend and resume, no more
 *     SIGQUIT, SIGABRT and the faults           what they always do: end at once, for a core file
 *     all others, such as SIGPROF and SIGIO     what they always do, unsaved: they are a profiler's, or asked
 * for
 *
 * At a stop the loop sees dt_stop_requested, the ranks agree within the step, save and leave. A launcher may
 * kill the process a second after SIGTERM, whatever it does, so at the signals of the second line the thread
 * also calls `save`; rank 0 gives one that sees to it that the last finished step is saved in time. A second
 * SIGTERM or SIGINT ends the process as if nothing had been arranged; while `save` is at work it takes a
 * third, since Slurm and mpirun may send one each. The clock can ask for a stop too (train/deadline.h).
 *
 * A signal that was ignored when the program started stays ignored, as nohup asks for SIGHUP. One of the
 * first line that has a handler belongs to whoever has put it there; those of the second line are taken from
 * a library that has, since no work is worth losing to it.
 *
 * One in a process. All functions are local.
 */
#ifndef DT_TRAIN_STOP_H
#define DT_TRAIN_STOP_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"

/** Room for what dt_stop_name says. */
#define DT_STOP_NAME_BYTES 64

/**
 * Why a run stops: 0 for no reason, one of these, or the number of a signal, with DT_STOP_MPIRUN added when
 * mpirun sent it. Of the reasons that ranks have the smallest is told.
 */
typedef enum dt_stop_reason {
    DT_STOP_MPIRUN = 128,
    DT_STOP_AFTER_SECONDS = 256,
    DT_STOP_SLURM_END,
    DT_STOP_FAILURE,
    DT_STOP_OTHER_RANK
} dt_stop_reason;

/**
 * Keeps the signals of the first two lines from every other thread and starts the one that hears them; a
 * thread that is older passes on what the kernel hands to it. Ignores SIGPIPE. Call it before MPI starts,
 * whose threads inherit what they ignore. Until dt_stop_attend the signals of the second line end the
 * process; those of the first are remembered.
 */
dt_status dt_stop_prepare(void);

/** From now on the signals ask for a stop. `save` is called with `context` as said above, in the thread, and
 * at most once; NULL is for work without steps, which tells of a stop itself. */
void dt_stop_attend(void (*save)(void *context, int reason), void *context);

/** Undoes it: the signals of the second line end the process again. A stop that was asked for stays so. */
void dt_stop_disregard(void);

/** Asks for a stop and says so (but see dt_stop_attend), unless one has been asked for. Any thread. */
void dt_stop_ask(int reason);

/** Whether a signal or the clock has asked for a stop. Any thread. */
bool dt_stop_requested(void);

/** Whether there is time for no more than a save: at a signal of the second line, or when the clock asked.
 * Any thread. */
bool dt_stop_hurries(void);

/** The first reason for which a stop was asked for here, or 0. A signal that the calling thread alone was
 * sent, as by raise() in a hook, counts soon after. Any thread but the one that hears signals. */
int dt_stop_reason_here(void);

/** Writes what asked for the stop, to be read after "stopped by ": "SIGINT", "the deadline
 * (stop_after_seconds)". Returns `name`. */
const char *dt_stop_name(int reason, char name[DT_STOP_NAME_BYTES]);

/**
 * Ends the thread, after a save that it has begun; signals that come later are ignored, as the process is
 * about to end. Calling it without dt_stop_prepare is fine.
 */
void dt_stop_finish(void);

#endif
