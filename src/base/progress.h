/**
 * How far this process has come: marks that the working threads leave and the watchdog looks at.
 *
 * A mark costs one addition to memory. It says nothing of what was done; that it moves is what matters.
 */
#ifndef DT_BASE_PROGRESS_H
#define DT_BASE_PROGRESS_H

#include <stdint.h>

typedef struct dt_progress {
    int64_t marks;     /**< moves whenever something was done */
    int64_t arrivals;  /**< how often the main thread has come to where it may wait for other ranks */
    int64_t step;      /**< the step under way; 0 before the first */
    const char *phase; /**< what the main thread does; static text such as "evaluating" */
} dt_progress;

/** Something was done: a micro-batch, a token, a part of a file. Local; any thread. */
void dt_progress_mark(void);

/** The main thread begins with `phase` of step `step`; `phase` must stay for ever. Counts as a mark. Local.
 */
void dt_progress_enter(int64_t step, const char *phase);

/**
 * The main thread arrives at a point where it may wait for other ranks. All ranks arrive at the same points
 * in the same order, so the count tells who is behind. Counts as a mark. Local.
 */
void dt_progress_arrive(void);

/** Where this process is. Local; any thread. */
dt_progress dt_progress_look(void);

#endif
