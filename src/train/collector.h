/**
 * How the moments of all ranks come into a checkpoint where the ranks share them out: rank 0's writer asks
 * each rank's giver (train/giver.h) for its part of a span of 4 MiB, puts the parts together and writes them,
 * then asks for the next. So rank 0 holds its own moments and one span, however large the model is, and the
 * file is the one that a rank with all moments would write.
 *
 * Each part comes with the hash that it had in its rank's state. What was written is hashed again, part by
 * part, before the next span takes its place: a bit that has flipped in a copy, on the way or before the disk
 * makes the save fail. All functions are called by one thread of rank 0.
 */
#ifndef DT_TRAIN_COLLECTOR_H
#define DT_TRAIN_COLLECTOR_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "comm/channel.h"
#include "comm/world.h"
#include "model/layout.h"
#include "train/own_moments.h"

typedef struct dt_collector dt_collector;

/** Prepares collecting vectors of `layout`, of which rank 0 has copied `own`. Everything must outlive the
 * collector. The caller frees it, after failure too. Local. */
dt_status dt_collector_create(dt_collector **collector, const dt_world *world, const dt_channel *channel,
                              const dt_layout *layout, const dt_own_moments *own);

/** Frees; NULL is allowed. Local. */
void dt_collector_free(dt_collector *collector);

/** For a save that the loops do not know of: has all other ranks copy the moments of step `step`, and sets
 * `*common` to it. Where a rank's state is already one step further, `*common` is that step, and the caller
 * is to copy that and to ask again. Waits for ranks that have yet to come as far. */
dt_status dt_collector_ask(dt_collector *collector, int64_t step, int64_t *common);

/** What dt_checkpoint_write takes the moments of step own->step from; the hashes of their slices go to their
 * places in `hashes`. Valid until the next call. */
dt_checkpoint_moments dt_collector_begin(dt_collector *collector, uint64_t *hashes);

/** Nothing more is asked for of a save: one of dt_collector_ask, or else one that the ranks' loops have
 * begun.
 */
dt_status dt_collector_release(dt_collector *collector, bool asked);

#endif
