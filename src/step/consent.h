/**
 * What all ranks must have found alike before they take a step, and who stands out where they have not.
 *
 * Every rank works out loss, norm, learning rate and whether to stop for itself, from numbers that should be
 * the same on all. Were one to find others, by bad memory, a bad processor or a hook that does not do the
 * same everywhere, it would skip a step that others take, or end a run that others wait in. So before
 * anything is changed they compare, by one message of 16 bytes, a hash of these numbers and of the gradient's
 * bits. Only where hashes differ, or something is not finite, is more exchanged, to name rank and tensor.
 */
#ifndef DT_STEP_CONSENT_H
#define DT_STEP_CONSENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/mismatch.h"
#include "comm/world.h"
#include "step/replica_check.h"
#include "optim/state.h"

/** Room for what is to blame, with the 0 byte. */
#define DT_CONSENT_BYTES (DT_MISMATCH_BYTES + 128)

/** What a rank would decide by. Hashed as it lies in memory: eight bytes each. */
typedef struct dt_findings {
    double loss, grad_norm, learning_rate;
    uint64_t gradient_bits; /**< of dt_clip_norm, or of dt_shared_norm_of */
    int64_t step, stop;     /**< which step this is, and whether it is the last one */
} dt_findings;

typedef enum dt_consent {
    DT_CONSENT_GIVEN,      /**< all found the same, and it is finite */
    DT_CONSENT_NOT_FINITE, /**< on some rank loss or gradient is not finite, while the states are the same */
    DT_CONSENT_UNEQUAL,    /**< all is finite and the states are the same, but not what was made of them */
    DT_CONSENT_REPLICAS_DIFFER /**< the states differ already: the replica check has looked, and can name it
                                */
} dt_consent;

/**
 * Compares what the ranks found for the step after `state`, whose summed gradient is `gradient`: `whole`, or
 * in this rank's pieces alone (optim/state.h), which no other rank has and which are not compared. `*consent`
 * is the same on all, and so are loss and norm in `*mine` afterwards: where one rank's are not finite, they
 * become those. But for DT_CONSENT_GIVEN and DT_CONSENT_REPLICAS_DIFFER `blame` says what is wrong: "weights
 * of T" for the first tensor T that is not finite, or "gradient of T", or "loss", and " on RANKS alone" where
 * that is not so on all; or which ranks differ, and in what. `check` may be NULL; then states are not
 * compared. Collective.
 */
dt_status dt_consent_ask(const dt_world *world, dt_replica_check *check, const dt_state *state,
                         const float *gradient, bool whole, dt_findings *mine, dt_consent *consent,
                         char blame[DT_CONSENT_BYTES]);

/** Whether `blame`, of what is not finite, is of some ranks alone. Their sum is that of all, so it is their
 * memory, their processor or a hook that has spoilt it, and no number of the run. Local. */
bool dt_consent_blames_some(const char *blame);

#endif
