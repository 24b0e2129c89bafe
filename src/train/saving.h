/**
 * What saves a run: rank 0's saver, and where ranks share the moments out, what gives it those of the others.
 */
#ifndef DT_TRAIN_SAVING_H
#define DT_TRAIN_SAVING_H

#include "base/status.h"
#include "comm/channel.h"
#include "comm/world.h"
#include "train/giver.h"
#include "train/saver.h"

/** All zero where there is none. */
typedef struct dt_saving {
    const dt_world *world;
    dt_saver *saver;     /**< on rank 0, elsewhere NULL */
    dt_channel *channel; /**< where ranks share the moments out, elsewhere NULL, as is the next */
    dt_giver *giver;     /**< on all ranks but 0 */
} dt_saving;

/** Makes it of `inputs`, whose channel it makes too; of what `moments` says all must agree, and the rest is
 * read on rank 0, but for the state. On failure all ranks fail. The caller frees it, after failure too.
 * Collective. */
dt_status dt_saving_create(dt_saving *saving, const dt_world *world, const dt_saver_inputs *inputs);

/** Waits for the save under way and frees; all zero is fine. Collective where ranks share the moments out. */
void dt_saving_free(dt_saving *saving);

/** Every rank's part of a save of the loop's, at the same step on all: as dt_saver_begin and dt_giver_begin.
 */
void dt_saving_begin(dt_saving *saving, double val_loss, double since_seconds, dt_save_kind kind);

#endif
