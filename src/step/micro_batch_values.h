/**
 * What each micro-batch leaves behind beside its gradient: a row of doubles, its loss and what forward hooks
 * keep of it. All ranks gather all rows, and with them travels what a rank has to tell in each step: whether
 * it was asked to stop, and the hash of the state that it started from.
 *
 * A loss is so summed along the canonical tree over micro-batches, not ranks, and its bits do not depend on
 * how many there are.
 */
#ifndef DT_STEP_MICRO_BATCH_VALUES_H
#define DT_STEP_MICRO_BATCH_VALUES_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"

typedef struct dt_micro_batch_values {
    int64_t micro_batches, first, end; /**< of a step, and of these the rank's own */
    int64_t stride;                    /**< doubles in a row */
    double *rows;                      /**< [micro_batches, stride] */
    double *losses;                    /**< [micro_batches] */
    int64_t *counts;                   /**< [size]: micro-batches of each rank */
} dt_micro_batch_values;

/** What all rows together say; the same on every rank. */
typedef struct dt_micro_batch_findings {
    double loss; /**< the sum of the losses, along the canonical tree */
    int stop;    /**< the smallest reason to stop of any rank, 0 where no rank has one */
    bool same_state;
} dt_micro_batch_findings;

/** Makes a row for each of `micro_batches`, with `hook_values` doubles for hooks. The caller frees it, also
 * on failure. Local. */
dt_status dt_micro_batch_values_create(dt_micro_batch_values *values, const dt_world *world,
                                       int64_t micro_batches, int64_t hook_values);

/** Frees; all zero is fine. Local. */
void dt_micro_batch_values_free(dt_micro_batch_values *values);

/** Where the loss of micro-batch `index` belongs. Local; any thread. */
double *dt_micro_batch_values_loss(const dt_micro_batch_values *values, int64_t index);

/** Where hooks' values of micro-batch `index` belong; those of the next are `stride` further. Local; any
 * thread. */
double *dt_micro_batch_values_hooks(const dt_micro_batch_values *values, int64_t index);

/** Once all ranks have filled their own rows: completes the others on each, and says what they come to, with
 * this rank's reason to stop, 0 for none, and the hash of its state among them. Collective. */
dt_status dt_micro_batch_values_gather(dt_micro_batch_values *values, const dt_world *world, int stop,
                                       uint64_t state_hash, dt_micro_batch_findings *findings);

#endif
