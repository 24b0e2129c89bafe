/**
 * AdamW's moments where the ranks share them out (ZeRO stage 1, Rajbhandari et al. 2020): who has which, and
 * how they and the weights that come of them travel.
 *
 * The vector of the model is cut into one slice per rank, of whole chunks of the norm (optim/clip.h). A rank
 * keeps the moments of its slice, updates the weights of its slice, and sends these to all. The update works
 * element by element, so that its bits do not know the slices.
 */
#ifndef DT_OPTIM_MOMENTS_H
#define DT_OPTIM_MOMENTS_H

#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "optim/state.h"

/** The elements [*first, *end) of a vector of `elements` that are rank `rank`'s of `size`. Local. */
void dt_moments_slice(int64_t elements, int rank, int size, int64_t *first, int64_t *end);

/** Allocates a zeroed state for `layout` whose moments the ranks share out, as dt_state_create does. Local.
 */
dt_status dt_moments_create_state(dt_state *state, const dt_layout *layout, const dt_world *world);

/** A new array counts[size] of the elements of each rank's slice, which the caller frees with
 * dt_memory_free(); NULL where memory is short. Local. */
int64_t *dt_moments_counts(int64_t elements, int size);

/** After each rank has updated its slice of the weights: completes them on all. `counts` are those of
 * dt_moments_counts. Allocates nothing. Collective. */
dt_status dt_moments_gather_weights(const dt_world *world, dt_state *state, const int64_t *counts);

/** Brings the moments of all ranks to rank 0, into two vectors of the layout there; elsewhere they are NULL.
 * Collective. */
dt_status dt_moments_collect(const dt_world *world, const dt_state *state, float *exp_avg, float *exp_avg_sq);

/** The way back: each rank gets its slice of rank 0's vectors. Collective. */
dt_status dt_moments_spread(const dt_world *world, dt_state *state, const float *exp_avg,
                            const float *exp_avg_sq);

#endif
