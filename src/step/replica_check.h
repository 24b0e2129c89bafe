/**
 * Replicas that should be equal bit for bit, and whether they still are.
 *
 * Every rank takes the same step on the same state, so a difference is never rounding: it is bad memory, a
 * bad processor, or a hook that does not do the same everywhere. A thread hashes weights and moments while a
 * step computes its gradient, which only reads them, and the hash travels with the losses that the step
 * exchanges anyway. Only when hashes differ are those of slices compared, and of the first slice that differs
 * the numbers, to name the rank and the tensor. Where ranks share the moments out, weights alone are
 * compared: a moment that has gone wrong is one rank's own, and shows in the weights that it makes the same
 * everywhere, which no comparison can tell from right ones.
 *
 *     step      begins | forward, backward, allreduce .... | ends, and compares | update
 *     thread           | hashes the state |
 */
#ifndef DT_STEP_REPLICA_CHECK_H
#define DT_STEP_REPLICA_CHECK_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "optim/state.h"

typedef struct dt_replica_check {
    const dt_world *world;
    const dt_state *state;
    int64_t cadence;       /**< steps between looks, DT_NULL_INT for none */
    int64_t slices;        /**< of the state that every rank has (optim/state.h) */
    uint64_t *hashes;      /**< [slices]: this rank's last look; NULL with one rank */
    uint64_t *verdicts;    /**< [size, 2]: what ranks tell when looks have differed */
    bool wanted;           /**< at the next step, due or not */
    bool looked;           /**< at all */
    bool begun;            /**< a look, which has not been ended */
    double waited_seconds; /**< how long ending the last look took: the part that nothing hid */

    pthread_t looker;
    bool started;
    pthread_mutex_t mutex; /**< guards what follows */
    pthread_cond_t changed;
    bool looking, leaving;
    uint64_t hash; /**< of the last step's look or the last check, DT_REPLICA_CHECK_UNSEEN when it had none */
} dt_replica_check;

/** What a rank that does not look says of its state. */
#define DT_REPLICA_CHECK_UNSEEN UINT64_C(0)

/** Prepares looks at `state` every `cadence` steps (DT_NULL_INT: never) and starts the thread; `state` and
 * `world` must outlive them. The caller frees it, also on failure. Local. */
dt_status dt_replica_check_create(dt_replica_check *check, const dt_world *world, const dt_state *state,
                                  int64_t cadence);

/** Ends the thread and frees; all zero is fine. Local. */
void dt_replica_check_free(dt_replica_check *check);

/** Makes a look due at the next step; false where none is ever made: with one rank, and without a cadence.
 * To be called by all ranks or none. Local. */
bool dt_replica_check_want(dt_replica_check *check);

/**
 * Begins a look where one is due: when it is wanted, after a multiple of cadence steps, and before the first
 * step of a run. The state must not change until it is ended. Does nothing elsewhere, and for `check` NULL.
 * Allocates nothing. Local.
 */
void dt_replica_check_begin(dt_replica_check *check);

/** Waits for the look that was begun and returns a hash of the state, to be compared with the other ranks';
 * DT_REPLICA_CHECK_UNSEEN when none was. Local. */
uint64_t dt_replica_check_end(dt_replica_check *check);

/** Looks now, with all threads of the rank, due or not and whatever the cadence, and returns the hash as
 * dt_replica_check_end does. Local. */
uint64_t dt_replica_check_look_now(dt_replica_check *check);

/** After looks that differed, before the state changes: fails with a sentence that names the ranks, their
 * hosts and the first tensor that differs; where some ranks have numbers that are not finite and others have
 * not, those ranks and the first such tensor. Collective. */
dt_status dt_replica_check_name(dt_replica_check *check);

/** Looks now, with all threads of the rank, due or not (but not with a cadence of DT_NULL_INT), compares, and
 * fails as dt_replica_check_name does. Collective. */
dt_status dt_replica_check_compare_now(dt_replica_check *check);

#endif
