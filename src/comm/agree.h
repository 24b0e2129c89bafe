/**
 * One outcome for all ranks at the boundaries of a phase (start-up, checkpoint, end).
 */
#ifndef DT_COMM_AGREE_H
#define DT_COMM_AGREE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/job.h"

/**
 * Every rank brings its own outcome; all leave with the same. If all bring DT_OK, so is the result. Otherwise
 * it is the code of the lowest rank that failed, and that rank's sentence becomes rank 0's dt_error(), with
 * "(rank R on HOST)" after it when R is not 0; on all other ranks dt_error() is then "", so that it is
 * printed once. DT_STOPPED is the result only where no rank failed; its sentence names no rank, since the
 * request is to all of them, whichever saw it first. Collective.
 */
dt_status dt_agree_lowest(const dt_world *world, dt_status mine);

/**
 * What to call: dt_agree_lowest, which is DT_OK only where `mine` is, in a form that says so to compilers and
 * static checkers, which read a caller without agree.c. Collective.
 */
static inline dt_status dt_agree(const dt_world *world, dt_status mine) {
    const dt_status agreed = dt_agree_lowest(world, mine);
    return agreed == DT_OK ? mine : agreed;
}

/** The smallest of the numbers above 0 that ranks bring in `mine`, into `*min` on all; 0 where all bring 0.
 * Collective. */
dt_status dt_agree_min(const dt_world *world, int mine, int *min);

/** Whether all ranks bring the same `mine`, into `*same` on all; one message of 16 bytes. Collective. */
dt_status dt_agree_same(const dt_world *world, uint64_t mine, bool *same);

#endif
