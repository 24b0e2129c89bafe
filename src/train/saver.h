/**
 * Checkpoints beside training: a thread of rank 0 copies the state and writes the copy while steps go on.
 *
 *     loop     asks | forward, backward, exchange .... | update | decides | ...
 *     writer        | copies the state | writes, syncs .......... | renames, links, drops old ones | says so
 *
 * A save may be on trial: it gets its name, and older checkpoints go, only when the caller has decided that
 * it is good. So what is saved is what all ranks have, though they need not wait to compare it.
 *
 * The copy is made while the next step computes its gradient, which only reads the weights; the update at its
 * end waits for what is left of the copy (state->at_rest), and nothing else waits for the disk but the next
 * save, a stop and the end. One checkpoint is written at a time, and who asked first comes first: a save that
 * the loop began is finished before that of a signal starts, since what is half written is nearer to being
 * whole than what has not begun.
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

#include "base/status.h"
#include "train/checkpoint.h"
#include "train/metrics.h"
#include "train/state.h"

/** Everything stays the caller's and must outlive the saver. */
typedef struct dt_saver_inputs {
    const char *checkpoints_folder;
    const dt_checkpoint_about *about; /**< but for step and val_loss, which come with each save */
    dt_state *state;
    const dt_metrics *metrics; /**< made durable before each checkpoint, which would drop later lines */
} dt_saver_inputs;

typedef struct dt_saver dt_saver;

/** Bytes of the copy that a saver holds; INT64_MAX where no memory could hold it. */
int64_t dt_saver_bytes(const dt_layout *layout);

/**
 * Allocates the copy and starts the thread. The state as it is counts as saved already: it is fresh, or comes
 * from a checkpoint. The caller frees it, after failure too.
 */
dt_status dt_saver_create(dt_saver **saver, const dt_saver_inputs *inputs);

/** Waits for the write under way, ends the thread and frees. What is still on trial is removed. */
void dt_saver_free(dt_saver *saver);

/**
 * Asks for a checkpoint of the last finished step, unless that step is saved. Waits for the write before it
 * and until the state is held for the copy, no longer. `val_loss` is of these weights, or DT_NULL_REAL;
 * `since_seconds` is when (dt_clock_seconds) training stopped for it. The caller must not hold
 * state->at_rest; any thread may call it. A state that is not finite is not saved, which is a failure.
 *
 * `on_trial`: dt_saver_decide will follow before the next begin. A begin that is not on trial takes one
 * before it that has not been decided for good: it is there for when there is no time to ask.
 */
void dt_saver_begin(dt_saver *saver, double val_loss, double since_seconds, bool on_trial);

/** Whether the save that is on trial may get its name; if not it is removed, and nothing is said: the caller
 * knows why. Does nothing when none is on trial. Any thread. */
void dt_saver_decide(dt_saver *saver, bool good);

/** Waits until all that was asked for is written, or has failed. Nothing may be on trial. */
void dt_saver_wait(dt_saver *saver);

/** Takes `status`, of something else that rank 0 writes, for that of a save, as said above. */
void dt_saver_bear(dt_saver *saver, dt_status status);

/** Waits like dt_saver_wait. Fails when something could not be written and checkpoint_on_error is stop. */
dt_status dt_saver_finish(dt_saver *saver);

/** The checkpoint that was saved last, or NULL; valid after dt_saver_wait until the next begin. */
const char *dt_saver_path(const dt_saver *saver);

/** How long writing the last checkpoint took; 0 before there was one. Any thread. */
double dt_saver_seconds(dt_saver *saver);

#endif
