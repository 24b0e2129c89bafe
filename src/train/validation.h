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
#include "comm/world.h"
#include "config/config.h"
#include "infer/evaluate.h"
#include "optim/state.h"
#include "train/metrics.h"
#include "train/saver.h"

/** What it works with; all belongs to the run. */
typedef struct dt_validation_inputs {
    const dt_world *world;
    const dt_config *config;
    const dt_state *state;       /**< whose step counts */
    const int64_t *weights_step; /**< the last step that changed the weights: later ones were skipped */
    const dt_gpt *gpt;
    const dt_weights *weights;
    dt_workers *workers;
    dt_evaluator *evaluator;
    dt_metrics *metrics; /**< on rank 0 */
    dt_saver *saver;     /**< on rank 0, elsewhere NULL */
} dt_validation_inputs;

/** The same on every rank, but for its inputs. */
typedef struct dt_validation {
    dt_validation_inputs in;
    int64_t tried_step;   /**< of the last one, given up or not; -1 before there is one in this run */
    int64_t step;         /**< of the last one that was finite, or -1 */
    double loss;          /**< then, in nats */
    double best;          /**< the lowest that a checkpoint has; infinite for none */
    double bits_per_byte; /**< of a loss of 1; DT_NULL_REAL where no bytes are known of the tokens */
    int64_t nonfinite_in_a_row;
    int64_t bad_weights_step; /**< the first of these was of the weights of this step */
    bool failed;              /**< the last one was not finite, and is to end the run */
} dt_validation;

/** Before the first: `best` is what checkpoints of the run have on rank 0. Counts the bytes of the text.
 * `inputs` outlive it. Collective. */
dt_status dt_validation_open(dt_validation *validation, const dt_validation_inputs *inputs);

/**
 * Evaluates the weights as they are and, on rank 0, says and writes what was found. It is given up, and
 * is then done when the run goes on from here, when `give_up` says so on a rank that evaluates, or after
 * `max_seconds` (infinite: never). Collective.
 */
dt_status dt_validation_take(dt_validation *validation, bool (*give_up)(void), double max_seconds);

/** Whether the weights as they are are still to be evaluated when the run ends here. Local. */
bool dt_validation_is_missing(const dt_validation *validation);

/** Whether they are, and are better than any checkpoint. Local. */
bool dt_validation_is_best(const dt_validation *validation);

/** The weights as they are get a checkpoint: returns their loss, or DT_NULL_REAL when they were not
 * evaluated. Local. */
double dt_validation_save(dt_validation *validation);

#endif
