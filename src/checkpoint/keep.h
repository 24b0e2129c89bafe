/**
 * What becomes of the other checkpoints once a new one stands: `best` names the one with the lowest
 * validation loss, and those that need not stay are removed.
 *
 * Stay: the `keep_last` newest, every step that is a multiple of `keep_every`, the best, and checkpoints of
 * steps after the new one's. Only checkpoints whose very weights were evaluated can be the best. Losses over
 * other numbers of windows (eval_max_windows) cannot be compared: what was the best by them is named until a
 * checkpoint is evaluated as the run now does it, and stays then too.
 */
#ifndef DT_CHECKPOINT_KEEP_H
#define DT_CHECKPOINT_KEEP_H

#include <stdint.h>

#include "base/status.h"

typedef struct dt_checkpoint_keep {
    const char *folder;   /**< the caller's: where checkpoints stand */
    int64_t last, every;  /**< keep_last and keep_every, or DT_NULL_INT */
    int64_t windows;      /**< eval_max_windows, or DT_NULL_INT */
    int64_t best_step;    /**< what `best` names, or -1 */
    double best_val_loss; /**< in nats, over `windows`; infinite when it is not known */
    int64_t former_step;  /**< the best of those that were evaluated over others, or -1 */
} dt_checkpoint_keep;

/** Finds what is the best so far, by the metadata of every checkpoint that can be read, and lets the link
 * name it; where none was evaluated there is no link. `windows` is the run's eval_max_windows. Local. */
dt_status dt_checkpoint_keep_open(dt_checkpoint_keep *keep, const char *folder, int64_t last, int64_t every,
                                  int64_t windows);

/**
 * Follows up the checkpoint of `step`, which is durable: points `best` to it when `val_loss` (DT_NULL_REAL:
 * not evaluated) is the lowest, then removes what need not stay. When the best was replaced or is gone, it is
 * first chosen again from what stands. A failure leaves more checkpoints than wanted, never fewer. Local.
 */
dt_status dt_checkpoint_keep_after(dt_checkpoint_keep *keep, int64_t step, double val_loss);

#endif
