/**
 * Checkpoints beside training: a thread of rank 0 copies the state and writes the copy while steps go on.
 *
 *     loop     asks | forward, backward, allreduce .... | update | decides | ...
 *     writer        | copies the state | writes, syncs .......... | renames, links, drops old ones | says so
 *
 * A save may be on trial: it gets its name, and older checkpoints go, only when the caller has decided that
 * it is good. So what is saved is what all ranks have, though they need not wait to compare it.
 *
 * The state is hashed as it is copied, tensor by tensor, and what is written must have these hashes: a copy
 * that was damaged while it waited for the disk is refused, and so is one of another state than the caller
 * compared.
 *
 * The copy is made while the next step computes its gradient, which only reads the weights; the update at its
 * end waits for what is left of the copy (dt_state_hold), and nothing else waits for the disk but the next
 * save, a stop and the end. One checkpoint is written at a time, and who asked first comes first: a save that
 * the loop began is finished before that of a signal starts, since what is half written is nearer to being
 * whole than what has not begun.
 *
 * Where ranks share AdamW's moments out, rank 0 copies the weights and its own, the others copy theirs at the
 * same step (dt_giver_begin), and the writer collects them as it writes (train/collector.h). Of a save that
 * only a signal asks for, it first finds a step that all ranks can copy.
 *
 * What rank 0 cannot write is reported at once. By checkpoint_on_error it then is a warning, or the run is
 * asked to stop after the step that is under way, tries once more to save, and fails with the first sentence.
 *
 * All functions are local and take NULL, which the ranks have that write nothing.
 */
#ifndef DT_TRAIN_SAVER_H
#define DT_TRAIN_SAVER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/lock.h"
#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "comm/channel.h"
#include "comm/world.h"
#include "optim/moments.h"
#include "optim/state.h"
#include "train/metrics.h"
#include "train/saver_trial.h"

/** Everything stays the caller's and must outlive the saver. */
typedef struct dt_saver_inputs {
    const char *checkpoints_folder;   /**< at the start */
    dt_lock *lock;                    /**< that holds this folder and tells where it is now; or NULL */
    const dt_checkpoint_about *about; /**< but for step and val_loss, which come with each save */
    const dt_tokenizer *tokenizer;
    dt_state *state;
    dt_metrics *metrics;   /**< made durable before each checkpoint, which would drop later lines */
    const dt_world *world; /**< where `moments` shares the state's moments out; elsewhere NULL, as are */
    const dt_moments *moments;
    const dt_channel *channel; /**< over which other ranks give theirs (train/giver.h) */
} dt_saver_inputs;

typedef struct dt_saver dt_saver;

/**
 * Allocates the copy and starts the thread. The state as it is counts as saved already: it is fresh, or comes
 * from a checkpoint. The caller frees it, after failure too.
 */
dt_status dt_saver_create(dt_saver **saver, const dt_saver_inputs *inputs);

/** Waits for the write under way, ends the thread and frees. What is still on trial is removed. */
void dt_saver_free(dt_saver *saver);

/**
 * Asks for a checkpoint of the last finished step, unless that step is saved; if it is, but without a
 * validation loss, it is given `val_loss`. Waits for the write before it and until the state is held for the
 * copy, no longer. `val_loss` is of these weights, or DT_NULL_REAL; `since_seconds` is when
 * (dt_clock_seconds) training stopped for it. The caller must not hold the state; any thread may call
 * it. Where ranks share the moments out, dt_giver_begin is called on the others too, unless `kind` is
 * DT_SAVE_MAKESHIFT. A state that is not finite is not saved, which is a failure. Unless `kind` waits for
 * nothing, dt_saver_decide must follow before the next begin that does not.
 */
void dt_saver_begin(dt_saver *saver, double val_loss, double since_seconds, dt_save_kind kind);

/**
 * Decides on the save that waits for it. `state_hash`, of optim/fingerprint.h, is what the caller compared,
 * or DT_SAVE_UNSEEN: a copy on trial that has another is removed too, which is a failure. Of one that is BAD
 * nothing is said: the caller knows why. Does nothing when none waits. Any thread.
 */
void dt_saver_decide(dt_saver *saver, dt_save_verdict verdict, uint64_t state_hash);

/** Waits until all that was asked for is written, or has failed. Nothing may be on trial. */
void dt_saver_wait(dt_saver *saver);

/** Takes `status`, of something else that rank 0 writes, for that of a save, as said above. */
void dt_saver_bear(dt_saver *saver, dt_status status);

/** Waits like dt_saver_wait. Fails when something could not be written and checkpoint_on_error is stop. */
dt_status dt_saver_finish(dt_saver *saver);

/** The checkpoint that was saved last, or NULL; valid after dt_saver_wait until the next begin. */
const char *dt_saver_path(const dt_saver *saver);

/** Waits like dt_saver_wait. Where the folder of checkpoints stands now, which may have been moved since the
 * last save, or NULL without a saver; valid until the next begin. */
const char *dt_saver_checkpoints_folder(dt_saver *saver);

/** The lowest validation loss that a checkpoint in the folder had at the start, infinite for none or without
 * a saver; valid before the first begin. */
double dt_saver_best(const dt_saver *saver);

/** How long writing the last checkpoint took; 0 before there was one. Any thread. */
double dt_saver_seconds(dt_saver *saver);

#endif
