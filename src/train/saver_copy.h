/**
 * The copy of a state that is written to a checkpoint while training goes on, and whether it is still what it
 * was copied from.
 *
 * Each slice is hashed as it is copied, in the state and not in the copy, so that what flips in the copy
 * while it waits for the disk is noticed. Where ranks share the moments out, rank 0 copies the weights and
 * its own moments alone. All functions are local.
 */
#ifndef DT_TRAIN_SAVER_COPY_H
#define DT_TRAIN_SAVER_COPY_H

#include <stdint.h>

#include "base/status.h"
#include "optim/moments.h"
#include "optim/state.h"
#include "train/own_moments.h"

/** All zero when there is none. */
typedef struct dt_saver_copy {
    dt_state state;        /**< without moments where ranks share them out */
    dt_own_moments own;    /**< there, elsewhere all zero */
    uint64_t *hashes;      /**< [slices] of the state when it was copied, see optim/fingerprint.h; of moments
                              that are shared out, who writes them fills them in */
    int64_t common_slices; /**< of these, what every rank has, and what is compared */
    double waited_seconds; /**< what changes of the state had waited for before */
} dt_saver_copy;

/** Allocates for a state of `layout`, whose moments `moments` shares out (NULL: not); both must outlive the
 * copy. The caller frees, after failure too. */
dt_status dt_saver_copy_create(dt_saver_copy *copy, const dt_layout *layout, const dt_moments *moments);

/** Frees; all zero is fine. */
void dt_saver_copy_free(dt_saver_copy *copy);

/** Copies and hashes `from`, which the caller holds (dt_state_hold). */
void dt_saver_copy_take(dt_saver_copy *copy, const dt_state *from);

/** Fails unless the state had the hash `compared` when it was copied. */
dt_status dt_saver_copy_expect(const dt_saver_copy *copy, uint64_t compared);

/** Fails on a number in the copy, but for moments that are shared out, that is not finite, and says whether
 * the run made it or a bit that has flipped. */
dt_status dt_saver_copy_expect_finite(const dt_saver_copy *copy);

#endif
