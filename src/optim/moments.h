/**
 * AdamW's moments where the ranks share them out (ZeRO stage 1, Rajbhandari et al. 2020): who has which, and
 * how the weights that come of them, and moments that are read from a checkpoint, travel.
 *
 * The gradient is not summed whole on every rank: by a reduce-scatter (allreduce/form.h) each rank gets its
 * own pieces of the sum, keeps the moments of these alone, updates the weights there, and an allgather brings
 * these to all. Pieces are whole chunks of the norm (optim/clip.h). The update works element by element, so
 * that its bits do not know the pieces.
 */
#ifndef DT_OPTIM_MOMENTS_H
#define DT_OPTIM_MOMENTS_H

#include <stdint.h>

#include "allreduce/allreduce.h"
#include "base/status.h"
#include "comm/world.h"
#include "optim/state.h"

/** All zero where the ranks share nothing out. */
typedef struct dt_moments {
    const dt_world *world;
    dt_allreduce *gather; /**< of weights, whose buckets are bounds[buckets + 1] */
    int64_t *bounds, buckets;
    dt_allreduce_options options; /**< for the sum of gradients, by which each rank gets its pieces */
} dt_moments;

/**
 * Decides who has which moments of `elements` floats, where `micro_batches` gradients are to be summed in
 * buckets of about `bucket_bytes`, as `options` say. All arguments must agree. On failure all ranks fail. The
 * caller frees it, after a failure too; `world` must outlive it. Collective.
 */
dt_status dt_moments_create(dt_moments *moments, const dt_world *world, int64_t micro_batches,
                            int64_t elements, int64_t bucket_bytes, const dt_allreduce_options *options);

/** Frees; all zero is fine. Nothing may be under way. Collective, unless all zero. */
void dt_moments_free(dt_moments *moments);

/** Allocates a zeroed state for `layout` whose moments the ranks share out so, as dt_state_create does.
 * Local. */
dt_status dt_moments_create_state(const dt_moments *moments, dt_state *state, const dt_layout *layout);

/** Gives the `count` elements from `first` on of exp_avg (`vector` 0) or exp_avg_sq (1) to the ranks that
 * have them in `state`. Called by rank 0 as often as it likes, while the others receive. */
dt_status dt_moments_deal(const dt_moments *moments, dt_state *state, int vector, int64_t first,
                          const float *elements, int64_t count);

/** Ends that: nothing more comes. Called by rank 0. */
dt_status dt_moments_deal_end(const dt_moments *moments);

/** Receives into `state` what rank 0 deals to this rank until its end. Called by the other ranks. */
dt_status dt_moments_receive(const dt_moments *moments, dt_state *state);

#endif
