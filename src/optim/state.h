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
    float *exp_avg;    /**< AdamW's first moment */
    float *exp_avg_sq; /**< and second */
    /**
     * Held while step and vectors change, which is only at the end of a step: whoever saves them from another
     * thread holds it too.
     */
    pthread_mutex_t at_rest;
    double waited_seconds; /**< how long changes have waited for who looks at the state, all together; guarded
                              by at_rest */
} dt_state;

/** Allocates zeroed vectors for `layout`, which must outlive the state. The caller frees it. Local. */
dt_status dt_state_create(dt_state *state, const dt_layout *layout);

/** Frees the vectors; one that is all zero is fine. Local. */
void dt_state_free(dt_state *state);

#endif
