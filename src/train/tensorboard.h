/**
 * What a run tells TensorBoard (`tensorboard: true`): every line of metrics.jsonl once more, as events.
 *
 *     OUT_DIR/tensorboard/events.out.tfevents.SECONDS.HOST.RUN
 *
 * Each number of a line that has a step becomes a scalar of that step, each sample a text, and the config the
 * hyperparameters of the run. As lines are the source, what metrics.jsonl has TensorBoard has. Tags:
 *
 *     loss, val_loss               loss/train, loss/validation
 *     val_bits_per_byte            loss/validation_bits_per_byte
 *     times, KEY_ms                time/KEY_ms
 *     other numbers, KEY           run/KEY
 *     KEY of a hook or an event    NAME/KEY
 *     sample                       sample
 *
 * A run that goes on opens a file of its own, which starts with a SessionLog START of the first step that it
 * may write: readers then drop what older files have of that step and later ones, and show each step once.
 *
 * What cannot be written ends no run: the log warns once, and says when writing works again. Where the file
 * is removed another one follows. Rank 0 alone; all functions are local and take NULL, which stands for
 * `tensorboard: false`.
 */
#ifndef DT_TRAIN_TENSORBOARD_H
#define DT_TRAIN_TENSORBOARD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "config/config.h"

#define DT_TENSORBOARD_NAME "tensorboard"

typedef struct dt_tensorboard dt_tensorboard;

/**
 * Opens a new file below `config`'s out_dir for run `run_id`, which goes on after `start_step`. Fails with
 * DT_USAGE where there can be none. The caller ends it with dt_tensorboard_free, after failure too.
 */
dt_status dt_tensorboard_open(dt_tensorboard **tensorboard, const dt_config *config, const char *run_id,
                              int64_t start_step);

/** Fails with DT_USAGE where `folder` is something else, a link into nowhere, or cannot be written to. */
dt_status dt_tensorboard_expect(const char *folder);

/** Fails with DT_USAGE where a run that lives writes its events in `folder`. */
dt_status dt_tensorboard_expect_unused(const char *folder);

/** Whether `folder` is one and has event files in it. */
bool dt_tensorboard_has_files(const char *folder);

/** Writes what one line of metrics.jsonl, `length` bytes, says. One thread at a time. */
void dt_tensorboard_take(dt_tensorboard *tensorboard, const char *line, size_t length);

/** Notes that the run has come to its last step. */
void dt_tensorboard_finish(dt_tensorboard *tensorboard);

/** Closes the file and frees. */
void dt_tensorboard_free(dt_tensorboard *tensorboard);

#endif
