/**
 * Replicas that should be equal bit for bit, and whether they still are.
 *
 * Every rank takes the same step on the same state, so a difference is never rounding: it is bad memory, a
 * bad processor, or a hook that does not do the same everywhere. A hash of weights and moments travels with
 * the losses that a step exchanges anyway. Only when hashes differ are those of single tensors exchanged, to
 * name the rank and the tensor.
 */
#ifndef DT_TRAIN_DRIFT_H
#define DT_TRAIN_DRIFT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "train/state.h"

typedef struct dt_drift {
    const dt_world *world;
    const dt_state *state;
    int64_t cadence;  /**< steps between looks, DT_NULL_INT for none */
    int64_t parts;    /**< tensors of the three vectors of the state */
    uint64_t *hashes; /**< [size, parts]: this rank's row is its last look */
    bool looked;      /**< at all */
} dt_drift;

/** What a rank that does not look says of its state. */
#define DT_DRIFT_UNSEEN UINT64_C(0)

/** Prepares looks at `state` every `cadence` steps (DT_NULL_INT: never); it and `world` must outlive them.
 * The caller frees it, also on failure. Local. */
dt_status dt_drift_create(dt_drift *drift, const dt_world *world, const dt_state *state, int64_t cadence);

/** Frees; all zero is fine. Local. */
void dt_drift_free(dt_drift *drift);

/**
 * A hash of the state where a look is due: after a multiple of cadence steps, and before the first step of a
 * run; DT_DRIFT_UNSEEN elsewhere, with one rank, and for `drift` NULL. To be compared with the other ranks',
 * for which the same is due. Threads share the work. Allocates nothing. Local.
 */
uint64_t dt_drift_look(dt_drift *drift);

/** After looks that differed, before the state changes: fails with a sentence that names the ranks, their
 * hosts and the first tensor that differs. Collective. */
dt_status dt_drift_name(dt_drift *drift);

/** Looks now, due or not (but not with a cadence of DT_NULL_INT), compares, and fails as dt_drift_name does.
 * Collective. */
dt_status dt_drift_check(dt_drift *drift);

#endif
