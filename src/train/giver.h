/**
 * What a rank other than 0 does for a checkpoint where the ranks share AdamW's moments out: a thread copies
 * its own moments when one is due, and gives them to rank 0's writer (train/collector.h) while training goes
 * on.
 *
 *     loop      begins | forward, backward, allreduce .... | update |
 *     giver            | copies its moments | gives them, span by span, as rank 0 asks .. | released
 *
 * Rank 0 asks, and a giver answers; so no more is on its way than rank 0 has room for:
 *
 * - COPY with a step: the giver copies its state as soon as that is of this step or a later one, unless it
 * has such a copy, and answers with the copy's step. This is for a save that the loops do not know of.
 * - SLICE with a step, a vector and a span: it answers with the hash of its part of this span in the copy of
 *   this step, and then with the part.
 * - RETURN: it lets the copy go that COPY asked for.
 * - RELEASE: it lets the copy go that its loop has begun.
 * - LEAVE: it ends.
 *
 * All functions are local but for dt_giver_dismiss, and take NULL where said.
 */
#ifndef DT_TRAIN_GIVER_H
#define DT_TRAIN_GIVER_H

#include <stdint.h>

#include "base/status.h"
#include "comm/channel.h"
#include "comm/world.h"
#include "optim/moments.h"
#include "optim/state.h"

/** What rank 0 asks for. */
typedef enum dt_giver_topic {
    DT_GIVER_COPY,
    DT_GIVER_SLICE,
    DT_GIVER_RETURN,
    DT_GIVER_RELEASE,
    DT_GIVER_LEAVE
} dt_giver_topic;

/** A message of rank 0's; all ranks run the same program, so that its bytes mean the same everywhere. */
typedef struct dt_giver_request {
    int64_t topic, step, vector, span;
} dt_giver_request;

typedef struct dt_giver dt_giver;

/** Allocates the copy of what this rank has of `state`, which `moments` shares out, and starts the thread.
 * Everything must outlive the giver. The caller frees it, after failure too. */
dt_status dt_giver_create(dt_giver **giver, const dt_world *world, const dt_channel *channel, dt_state *state,
                          const dt_moments *moments);

/** Waits until rank 0 dismisses it (dt_giver_dismiss), ends the thread and frees; NULL is allowed. */
void dt_giver_free(dt_giver *giver);

/** The loop's part of a save, at the step at which rank 0's loop calls dt_saver_begin: waits until rank 0 has
 * what it asked for before, and until the state is held for the copy, no longer. NULL is allowed. The caller
 * must not hold the state. */
void dt_giver_begin(dt_giver *giver);

/** Lets all givers go; called once, by rank 0, when it asks for nothing more. */
dt_status dt_giver_dismiss(const dt_channel *channel, const dt_world *world);

#endif
