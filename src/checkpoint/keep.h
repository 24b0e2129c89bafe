/**
 * What becomes of the other checkpoints once a new one stands: `best` names the one with the lowest
 * validation loss, and those that need not stay are removed.
 *
 * Stay: the `keep_last` newest, every step that is a multiple of `keep_every`, the best, and checkpoints of
 * steps after the new one's. Only checkpoints whose very weights were evaluated can be the best. Losses over
 * another text (validation_data) or number of windows (eval_max_windows) cannot be compared: what was the
 * best by them is named until a checkpoint is evaluated as the run now does it, and stays then too.
 */
#ifndef DT_CHECKPOINT_KEEP_H
#define DT_CHECKPOINT_KEEP_H

#include <stdint.h>

#include "base/status.h"
#include "checkpoint/checkpoint.h"

typedef struct dt_checkpoint_keep {
    const char *folder;   /**< the caller's: where checkpoints stand */
    int64_t last, every;  /**< keep_last and keep_every, or DT_NULL_INT */
    int64_t windows;      /**< eval_max_windows, or DT_NULL_INT */
    uint64_t text;        /**< the hash of the text that is evaluated on; 0: not known, as if it were any */
    int64_t best_step;    /**< what `best` names, or -1 */
    double best_val_loss; /**< in nats, over `windows` of `text`; infinite when it is not known */
    int64_t former_step;  /**< the best of those that were evaluated over others, or -1 */
} dt_checkpoint_keep;

/** Finds what is the best so far, by the metadata of every checkpoint that can be read, and lets the link
 * name it; where none was evaluated there is no link. What `about`, the run's, says of its evaluations is
 * taken over, as are keep_last and keep_every. Local. */
dt_status dt_checkpoint_keep_open(dt_checkpoint_keep *keep, const char *folder,
                                  const dt_checkpoint_about *about);

/**
 * Follows up the checkpoint of `step`, which is durable: points `best` to it when `val_loss` (DT_NULL_REAL:
 * not evaluated) is the lowest, then removes what need not stay. When the best was replaced or is gone, it is
 * first chosen again from what stands. A failure leaves more checkpoints than wanted, never fewer. Local.
 */
dt_status dt_checkpoint_keep_after(dt_checkpoint_keep *keep, int64_t step, double val_loss);

#endif
