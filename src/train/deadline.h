/**
 * When a run must have ended, and how long before it has to begin with that.
 *
 * The end is `stop_after_seconds` after the start of the run or the end of the Slurm job, whichever comes
 * first. A thread asks for a stop (train/stop.h) while there is time for two of the longest steps and two of
 * the longest saves seen so far, and a second to leave: one of each is what the stop takes. Before it stops
 * for Slurm it asks squeue once more, since a limit can be extended, and a job that was suspended ends later.
 * Time in which the process was stopped counts neither as a step's nor as a save's.
 *
 * For rank 0, whose request stops all. All functions are local.
 */
#ifndef DT_TRAIN_DEADLINE_H
#define DT_TRAIN_DEADLINE_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

/** All zero before dt_deadline_start. */
typedef struct dt_deadline {
    pthread_t keeper;
    bool keeping; /**< the thread is there */

    pthread_mutex_t mutex; /**< over what follows */
    pthread_cond_t changed;
    bool leaving;
    double own_end, slurm_end;         /**< of dt_clock_seconds; HUGE_VAL: there is none */
    bool asked_again;                  /**< squeue, for this slurm_end */
    double step_seconds, save_seconds; /**< the longest */
    bool save_measured;
    double looked_at;      /**< when the thread looked last, of dt_clock_seconds */
    double paused_seconds; /**< in all */
    double paused_before_step, paused_before_save, last_save_seconds;
} dt_deadline;

/**
 * Finds the end of a run that began at `start_seconds` of dt_clock_seconds, says it, and starts the thread if
 * there is one; `stop_after_seconds` may be DT_NULL_REAL. In a Slurm job that does not name its end in
 * SLURM_JOB_END_TIME squeue is asked for it, which takes 10 s at most. `state_bytes` is what a save writes:
 * until one has been measured it counts as 50 MB a second.
 */
void dt_deadline_start(dt_deadline *deadline, double start_seconds, double stop_after_seconds,
                       int64_t state_bytes);

/** A step has taken this long. */
void dt_deadline_stepped(dt_deadline *deadline, double seconds);

/** The last save has taken this long; the same number means the same save. */
void dt_deadline_saved(dt_deadline *deadline, double seconds);

/** Ends the thread, after what it may be asking squeue; all zero is fine. */
void dt_deadline_stop(dt_deadline *deadline);

/**
 * The end of the Slurm job that this process is part of, in seconds since 1970, or HUGE_VAL: outside of
 * Slurm, for a job without a time limit, or where Slurm cannot be asked or does not answer with a time to
 * come, of which a warning tells. SLURM_JOB_END_TIME is believed unless it has passed.
 */
double dt_deadline_slurm(void);

#endif
