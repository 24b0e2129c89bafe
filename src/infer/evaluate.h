/**
 * The mean cross-entropy of a range of a text: without dropout, over all of its windows or the first few.
 *
 * This room uses a model without training it. Weights, or a checkpoint's folder, and text enter; losses
 * (this file), samples and models in memory leave.
 *
 * The windows are dealt into micro-batches of micro_batch_size as in training, and the micro-batches' losses
 * are summed along the canonical tree, so the value is the same bit for bit whether rank 0 computes it alone
 * or all ranks share the micro-batches. Behind the last whole window there may be a rest of fewer than T
 * targets: it can be evaluated too, as a micro-batch of its own with one shorter window. What is said of
 * whole windows stays the same.
 */
#ifndef DT_INFER_EVALUATE_H
#define DT_INFER_EVALUATE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "data/corpus.h"
#include "model/gpt.h"
#include "model/weights.h"
#include "step/workers.h"

/** What to evaluate on. */
typedef struct dt_evaluate_range {
    int64_t first_token, end_token; /**< tokens [first, end) of the corpus */
    int64_t max_windows;            /**< from the first; DT_NULL_INT: all */
    bool with_rest;                 /**< and, behind all of them, the rest */
    bool keep_losses;               /**< of each target */
    bool on_all;                    /**< all ranks share the windows; otherwise rank 0 takes them */
    int teams;                      /**< of the workers that will do it */
} dt_evaluate_range;

typedef struct dt_evaluator {
    const dt_world *world;
    int64_t T, u;
    int64_t windows; /**< whole ones; 0 only where there is a rest alone */
    int64_t rest;    /**< targets of the shorter window; 0: none */
    int64_t micro_batches;
    double loss_with_rest; /**< found by dt_evaluate_run: of whole windows and rest, each target counting
                              alike */
    int64_t first_micro_batch, end_micro_batch; /**< this rank's */
    int64_t targets;                            /* in this rank's windows */
    int token_bytes;                            /* of a token at rest: 1, 2 or 4 */
    const dt_tokenizer *tokenizer;              /* or NULL */
    uint8_t *tokens;                            /* at rest: of this rank's windows, and one more */
    int32_t *ids;                               /* [teams, u T + 1]: those of a micro-batch */
    const int32_t **window;                     /* [teams, u]: the micro-batch's windows, in its ids */
    double *losses;                             /* [micro_batches] */
    float *each;                                /* [targets]: this rank's, where they are kept */
    int64_t *counts;                            /* [size]: micro-batches of each rank */
    bool (*stop_requested)(void); /**< set by the caller; asked by any thread before each wave of
                                     micro-batches. NULL: never stop */
    const char *told_as;  /**< set by the caller: what is being evaluated, which is told where it takes long;
                             NULL: it is not told */
    double until_seconds; /**< set by the caller: a moment of dt_clock_seconds after which it stops too; 0:
                             none */
} dt_evaluator;

/** The tokens [*first, *end) of the corpus that dt_evaluate_create takes on this rank, none where it has no
 * windows. Fails as that does where there is nothing to evaluate on. Local; all but the rank must agree. */
dt_status dt_evaluate_tokens(const dt_world *world, int64_t T, int64_t u, const dt_evaluate_range *range,
                             int64_t *first, int64_t *end);

/**
 * Takes this rank's part of the windows of T tokens out of the corpus (dt_corpus_take). Fails when there is
 * nothing to evaluate on (not one window or, with the rest, not two tokens), and says how many tokens there
 * are and how many are needed. The caller frees. Local; all but the rank must agree.
 */
dt_status dt_evaluate_create(dt_evaluator *evaluator, const dt_world *world, dt_corpus *corpus, int64_t T,
                             int64_t u, const dt_evaluate_range *range);

/** Frees; all zero is fine. Local. */
void dt_evaluate_free(dt_evaluator *evaluator);

/**
 * The mean cross-entropy of the whole windows in nats (of the rest where there are none), with the weights as
 * they are, the same on every rank. `*complete` becomes
 * false, and `*loss` means nothing, when a rank with micro-batches was to stop before it had done them all.
 * Collective.
 */
dt_status dt_evaluate_run(dt_evaluator *evaluator, const dt_gpt *gpt, const dt_weights *weights,
                          dt_workers *workers, double *loss, bool *complete);

/** The targets of the range that rank `rank` has. Local. */
void dt_evaluate_targets(const dt_evaluator *evaluator, int rank, int64_t *first, int64_t *end);

/** What the targets are, all ranks' together. */
typedef struct dt_evaluate_counts {
    int64_t targets, unknown; /**< all of them, and those which are <UNK> */
    int64_t bytes;            /**< that the targets of whole windows stand for (dt_tokenizer_decode) */
    int64_t rest_bytes;       /**< those of the shorter window */
} dt_evaluate_counts;

/** Counts them; without a tokenizer nothing is unknown, and there are no bytes. Collective. */
dt_status dt_evaluate_count(const dt_evaluator *evaluator, dt_evaluate_counts *counts);

#endif
