/**
 * When a run must have ended, and how long before it has to begin with that.
 *
 * The end is `stop_after_seconds` after the start of the run or the end of the Slurm job, whichever comes
 * first. The run is asked to stop (train/stop.h) while there is time for two of the longest steps and two of
 * the longest saves seen so far, and a second to leave: one of each is what the stop takes.
 *
 * For rank 0, whose request stops all. All functions are local.
 */
#ifndef DT_TRAIN_DEADLINE_H
#define DT_TRAIN_DEADLINE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct dt_deadline {
    double end_seconds;                /**< of dt_clock_seconds; HUGE_VAL: there is no end */
    double step_seconds, save_seconds; /**< the longest */
    bool save_measured;
} dt_deadline;

/**
 * Finds the end of a run that began at `start_seconds` of dt_clock_seconds; `stop_after_seconds` may be
 * DT_NULL_REAL. In a Slurm job that does not name its end in SLURM_JOB_END_TIME squeue is asked for it, which
 * takes 10 s at most; a warning says so when it does not answer. `state_bytes` is what a save writes: until
 * one has been measured it counts as 50 MB a second.
 */
void dt_deadline_find(dt_deadline *deadline, double start_seconds, double stop_after_seconds,
                      int64_t state_bytes);

/** A step has taken this long. */
void dt_deadline_stepped(dt_deadline *deadline, double seconds);

/** A save has taken this long. */
void dt_deadline_saved(dt_deadline *deadline, double seconds);

/**
 * The end of the Slurm job that this process is part of, in seconds since 1970, or HUGE_VAL: outside of
 * Slurm, for a job without a time limit, or when Slurm cannot be asked.
 */
double dt_deadline_slurm(void);

#endif
