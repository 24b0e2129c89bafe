/**
 * What a step makes of the summed gradient: its norm, new weights and moments, and the new weights on all
 * ranks.
 *
 * Where ranks share the moments out (optim/moments.h), each has the sum of its own pieces of the gradient,
 * unless hooks need it whole, updates those, and the new weights are on their way (step/arrival.h) when the
 * step is over.
 */
#ifndef DT_STEP_UPDATE_H
#define DT_STEP_UPDATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "optim/adamw.h"
#include "optim/moments.h"
#include "optim/shared_norm.h"
#include "optim/state.h"
#include "step/arrival.h"
#include "step/overlap.h"
#include "step/spans.h"

/** All zero where there is none. */
typedef struct dt_update {
    dt_state *state;
    dt_spans *spans;
    bool whole;                 /**< every rank has the whole gradient, not its own pieces alone */
    double *partial;            /**< scratch of the norm of a whole gradient */
    dt_shared_norm shared_norm; /**< of one in pieces */
    dt_arrival *arrival;        /**< of new weights from other ranks, or NULL */
    dt_repack *repack;          /**< of these, where products read panels, or NULL */
    dt_overlap_times times;     /**< of arrivals that have ended */
    dt_status status;           /**< of the arrival that ended beside a pass */
} dt_update;

/**
 * Prepares updates of `state`, which `moments` shares out (NULL: not), from gradients that every rank has
 * `whole` or in its own pieces. Where new weights arrive beside a pass of `gpt`, its threads pack the panels
 * of `weights` anew. Everything must outlive it; `spans` measures and may be NULL. To be called by the thread
 * that takes the steps, which frees it, after a failure too. Local.
 */
dt_status dt_update_create(dt_update *update, const dt_world *world, dt_state *state,
                           const dt_moments *moments, bool whole, const dt_gpt *gpt,
                           const dt_weights *weights, dt_spans *spans);

/** Frees; all zero is fine. Nothing may be on its way. Local. */
void dt_update_free(dt_update *update);

/** How the gradients for it are to be summed, where without sharing it would be as `options` say. Local. */
dt_allreduce_options dt_update_sum_options(const dt_update *update, const dt_moments *moments,
                                           const dt_allreduce_options *options);

/** Norm and sum of bits of the gradient `sum`, as dt_clip_norm gives them. Collective. */
dt_status dt_update_norm(dt_update *update, const float *sum, double *norm, uint64_t *bits);

/** Takes step `step` of AdamW by `sum` in a state that is being changed and gives it that number; then the
 * state is complete, unless weights are on their way. Collective. */
dt_status dt_update_take(dt_update *update, const dt_adamw *adamw, int64_t step, const float *sum);

/** Whether new weights are on their way, until dt_update_complete. Local. */
bool dt_update_is_under_way(const dt_update *update);

/** Adds to `times` what arrivals have taken that have ended since the last call. Local. */
void dt_update_add_times(dt_update *update, dt_overlap_times *times);

/** Waits for the weights that are on their way: the state is complete, and still held. Collective. */
dt_status dt_update_complete(dt_update *update);

#endif
