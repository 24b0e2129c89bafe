/**
 * The hash of a state: what replicas, a state and its copy, and a checkpoint and what is loaded from it are
 * compared by.
 *
 *     hash of a slice   XXH3 of 64 bits of its floats (optim/state.h says what its slices are)
 *     hash of a state   XXH3 of 64 bits of its slices' hashes, 8 bytes each, in their order
 *
 * So slices can be hashed apart, by whoever holds them, and in any order. All functions are local.
 */
#ifndef DT_OPTIM_FINGERPRINT_H
#define DT_OPTIM_FINGERPRINT_H

#include <stdint.h>

#include "optim/state.h"

/** The hash of slice `slice`, which nobody is changing. */
uint64_t dt_fingerprint_slice(const dt_state *state, int64_t slice);

/** The hash of the state whose slices' hashes are row[0..slices). */
uint64_t dt_fingerprint_whole(const uint64_t *row, int64_t slices);

/** The hash of all of `state`, which nobody is changing, into `*hash`. Fails when memory is short. */
dt_status dt_fingerprint_state(const dt_state *state, uint64_t *hash);

#endif
