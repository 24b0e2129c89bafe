/**
 * A run's validation loss: when it was found, whether it may be, and whether it is the best.
 *
 * A loss that is not finite is a fault of the weights, as one of training is, and on_nonfinite covers it: it
 * ends the run, or is warned of, up to max_nonfinite of them in a row.
 */
#ifndef DT_TRAIN_VALIDATION_H
#define DT_TRAIN_VALIDATION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

struct dt_run;

/** The same on every rank. */
typedef struct dt_validation {
    int64_t tried_step; /**< of the last one, given up or not; -1 before there is one in this run */
    int64_t step;       /**< of the last one that was finite, or -1 */
    double loss;        /**< then, in nats */
    double best;        /**< the lowest that a checkpoint has; infinite for none */
    int64_t nonfinite_in_a_row;
    bool failed; /**< the last one was not finite, and is to end the run */
} dt_validation;

/** Before the first: `best` is what checkpoints of the run have on rank 0. Collective. */
dt_status dt_validation_open(struct dt_run *run);

/**
 * Evaluates the weights as they are and, on rank 0, says and writes what was found. It is given up, and
 * is then done when the run goes on from here, when `give_up` says so on a rank that evaluates, or after
 * `most_seconds` (infinite: never). Collective.
 */
dt_status dt_validation_take(struct dt_run *run, bool (*give_up)(void), double most_seconds);

/** Whether the weights as they are are still to be evaluated when the run ends here. Local. */
bool dt_validation_is_missing(const struct dt_run *run);

/** Whether they are, and are better than any checkpoint. Local. */
bool dt_validation_is_best(const struct dt_run *run);

/** The weights as they are get a checkpoint: returns their loss, or DT_NULL_REAL when they were not
 * evaluated. Local. */
double dt_validation_save(struct dt_run *run);

#endif
