/**
 * What a run would write over is kept aside first, under the next free number: metrics.jsonl.1,
 * checkpoints.1 and tensorboard.1. A fresh run keeps all that another has left; one that goes back to an
 * earlier checkpoint keeps the lines and the checkpoints of later steps, which it will come to again, and
 * TensorBoard's files as they are (train/tensorboard.h).
 *
 * Links are followed: what is moved stays on its own disk, and the link goes on leading there. The folder of
 * checkpoints itself stays too, and with it the lock within it; where it is a mount of its own, or nothing
 * may be made beside it, what it keeps stays in it: checkpoints/checkpoints.1. What fails is taken back, so
 * that a run which is refused has changed nothing. Rank 0 alone; all functions are local.
 */
#ifndef DT_TRAIN_ASIDE_H
#define DT_TRAIN_ASIDE_H

#include <stdint.h>

#include "base/status.h"

/** Makes place for a fresh run, and says what it kept; `tensorboard` is the folder of event files. Fails with
 * DT_USAGE where something cannot be moved. */
dt_status dt_aside_all(const char *metrics, const char *checkpoints_folder, const char *tensorboard);

/**
 * Takes back what was done after `step`, which a run goes on from, and says how much. `latest` then names the
 * newest checkpoint that stays. A torn last line of the metrics is dropped. Does nothing where there is
 * nothing.
 */
dt_status dt_aside_later(const char *metrics, const char *checkpoints_folder, int64_t step);

#endif
