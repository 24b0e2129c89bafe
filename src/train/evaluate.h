/**
 * The mean cross-entropy of the validation split: without dropout, over all of its windows or the first few.
 *
 * The windows are dealt into leaves of micro_batch_size as in training, and the leaves' losses are summed
 * along the canonical tree, so the value is the same bit for bit whether rank 0 computes it alone or all
 * ranks share the leaves.
 */
#ifndef DT_TRAIN_EVALUATE_H
#define DT_TRAIN_EVALUATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "data/corpus.h"
#include "model/gpt.h"
#include "train/workers.h"

typedef struct dt_evaluator {
    const dt_world *world;
    int64_t T, u, windows, leaves;
    int64_t first_leaf, end_leaf; /**< this rank's */
    uint8_t *tokens;              /* of this rank's windows, and one more */
    const uint8_t **window;       /* [this rank's windows] */
    double *losses;               /* [leaves] */
    int64_t *counts;              /* [size]: leaves of each rank */
    bool (*stop_requested)(
        void); /**< set by the caller; asked by any thread before each leaf. NULL: never stop */
} dt_evaluator;

/**
 * Loads this rank's part of the tokens [first_token, corpus->total.tokens), in windows of T, at most
 * `most_windows` of them (DT_NULL_INT: all). `on_all` says whether all ranks share the windows or rank 0
 * takes them all. Fails when there is not one window, and says how many tokens there are and how many are
 * needed. The caller frees. Local; all but the rank must agree.
 */
dt_status dt_evaluate_create(dt_evaluator *evaluator, const dt_world *world, const dt_corpus *corpus,
                             int64_t first_token, int64_t T, int64_t u, int64_t most_windows, bool on_all);

/** Frees; all zero is fine. Local. */
void dt_evaluate_free(dt_evaluator *evaluator);

/**
 * The mean cross-entropy in nats, with the weights as they are, the same on every rank. `*complete` becomes
 * false, and `*loss` means nothing, when a rank with leaves was asked to stop before it had done them all.
 * Collective.
 */
dt_status dt_evaluate_run(dt_evaluator *evaluator, const dt_gpt *gpt, const dt_gpt_view *weights,
                          dt_workers *workers, double *loss, bool *complete);

#endif
