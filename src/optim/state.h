/**
 * What a run is at the end of a step: all that must be saved to go on from there with the same bits.
 */
#ifndef DT_OPTIM_STATE_H
#define DT_OPTIM_STATE_H

#include <pthread.h>
#include <stdint.h>

#include "base/status.h"
#include "model/layout.h"

/** Three vectors of layout->elements floats, the same on every rank at every step. */
typedef struct dt_state {
    const dt_layout *layout;
    int64_t step; /**< the last finished step; 0 before the first */
    float *parameters;
    float *exp_avg;          /**< AdamW's first moment */
    float *exp_avg_sq;       /**< and second */
    pthread_mutex_t at_rest; /**< taken by dt_state_hold alone */
    double waited_seconds; /**< how long changes have waited for who looks at the state, all together; guarded
                              by at_rest */
} dt_state;

/** Allocates zeroed vectors for `layout`, which must outlive the state. The caller frees it. Local. */
dt_status dt_state_create(dt_state *state, const dt_layout *layout);

/**
 * Keeps the state as it is for the calling thread, to look at it or to change it, until dt_state_release. It
 * changes only at the end of a step (step/step.h), so whoever holds it from another thread sees all of a step
 * or nothing. Waits for whoever holds it. Local.
 */
void dt_state_hold(dt_state *state);

/** Lets others hold the state. Local. */
void dt_state_release(dt_state *state);

/** Frees the vectors; one that is all zero is fine. Local. */
void dt_state_free(dt_state *state);

#endif
