/**
 * The threads that run one micro-batch together, and what each of them does of it.
 *
 * All threads of a team call the same passes with the same arguments, each with a dt_team of its own. What a
 * kernel computes is shared out: rows, columns, tiles of a product, heads. Each thread computes its part
 * whole (math/range.h), no sum is divided, and so no bit depends on how many they are. Where a kernel reads
 * what others have written, the team meets first; two kernels that share out the same rows need no meeting
 * between them. A team of one meets nobody, and costs a comparison. All functions are local.
 */
#ifndef DT_MODEL_TEAM_H
#define DT_MODEL_TEAM_H

#include <stdint.h>

#include "base/barrier.h"
#include "base/clock.h"
#include "math/range.h"
#include "model/scratch.h"

typedef struct dt_team {
    int size, index;           /**< how many threads, and which of them this one is */
    dt_barrier *barrier;       /**< the team's; not read where it is one thread */
    const dt_scratch *scratch; /**< this thread's */
    double *waited_seconds;    /**< what meeting the others takes is added to it; NULL: nobody asks */
    int64_t *meetings; /**< where a team is only counted, one thread after another: counts up instead of
                          waiting; else NULL */
} dt_team;

/** A thread that has a micro-batch for itself. */
static inline dt_team dt_team_alone(const dt_scratch *scratch) {
    return (dt_team){.size = 1, .scratch = scratch};
}

/** Waits until the whole team is here. All can then read what each has written. */
static inline void dt_team_meet(const dt_team *team) {
    if (team->size == 1)
        return;
    if (team->meetings) {
        ++*team->meetings;
        return;
    }
    const double begun = team->waited_seconds ? dt_clock_seconds() : 0.0;
    dt_barrier_wait(team->barrier, team->size);
    if (team->waited_seconds)
        *team->waited_seconds += dt_clock_seconds() - begun;
}

/** This thread's share of [0, count): the shares differ by one at most. */
static inline dt_range dt_team_slice(const dt_team *team, int64_t count) {
    const int64_t each = count / team->size, longer = count % team->size, i = team->index;
    const int64_t first = i * each + (i < longer ? i : longer);
    return (dt_range){first, first + each + (i < longer)};
}

/** The same of columns, in whole cache lines of floats. */
static inline dt_range dt_team_columns(const dt_team *team, int64_t cols) {
    const dt_range lines = dt_team_slice(team, (cols + 15) / 16);
    return dt_range_within(16 * lines.first, 16 * lines.end, dt_range_all(cols));
}

/** What of this thread's share of all rows, sequence after sequence of T, is sequence `sequence`'s: rows of
 * that. */
static inline dt_range dt_team_rows(const dt_team *team, int64_t sequences, int64_t T, int64_t sequence) {
    const int64_t first = sequence * T;
    const dt_range own = dt_range_within(first, first + T, dt_team_slice(team, sequences * T));
    return (dt_range){own.first - first, own.end - first};
}

#endif
