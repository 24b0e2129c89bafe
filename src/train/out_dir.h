/**
 * The folder that a run writes to: made, tried before step 1, and cleared for a fresh run without losing
 * another's files.
 */
#ifndef DT_TRAIN_OUT_DIR_H
#define DT_TRAIN_OUT_DIR_H

#include <stdbool.h>

#include "base/status.h"
#include "config/config.h"

/**
 * Makes the folders of `config` and checks that a checkpoint could be put into `checkpoints_folder`. When
 * `fresh` and another run has left its metrics or checkpoints there, they are kept under the next free
 * number, metrics.jsonl.1 and checkpoints.1, and the log says so. Fails with DT_USAGE, naming the option, on
 * a place that cannot be used. Rank 0 alone. Local.
 */
dt_status dt_out_dir_prepare(const dt_config *config, const char *checkpoints_folder, bool fresh);

#endif
