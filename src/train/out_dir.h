/**
 * The folder that a run writes to: held against other runs, made, tried before step 1, and cleared for a
 * fresh run without losing another's files.
 */
#ifndef DT_TRAIN_OUT_DIR_H
#define DT_TRAIN_OUT_DIR_H

#include <stdbool.h>

#include "base/lock.h"
#include "base/status.h"
#include "config/config.h"

/** How long a run that resumes waits for the one before it to be gone: a job that is being ended takes its
 * time. */
#define DT_OUT_DIR_PATIENCE_SECONDS 10.0

/** What keeps other runs out. All zero when nothing is held. */
typedef struct dt_out_dir_claim {
    dt_lock out_dir;        /**< OUT_DIR/run.lock */
    dt_lock checkpoint_dir; /**< CHECKPOINT_DIR.lock, where that option is given */
} dt_out_dir_claim;

/**
 * Keeps other runs out of the folders of `config` when there are checkpoints to read, so that what is read
 * stays true, and clears away what a save that died has left; touches nothing otherwise. Waits
 * DT_OUT_DIR_PATIENCE_SECONDS for another run to end, then fails with DT_USAGE, naming its host and process.
 * Rank 0 alone. Local.
 */
dt_status dt_out_dir_claim_existing(dt_out_dir_claim *claim, const dt_config *config,
                                    const char *checkpoints_folder);

/** Lets other runs in; all zero is fine. Local. */
void dt_out_dir_release(dt_out_dir_claim *claim);

/**
 * Makes the folders of `config`, claims what is not claimed yet without waiting, and checks that a checkpoint
 * could be put into `checkpoints_folder`. When `fresh` and another run has left its metrics or checkpoints
 * there, they are kept under the next free number, metrics.jsonl.1 and checkpoints.1, and the log says so.
 * Fails with DT_USAGE, naming the option, on a place that cannot be used. Rank 0 alone. Local.
 */
dt_status dt_out_dir_prepare(dt_out_dir_claim *claim, const dt_config *config, const char *checkpoints_folder,
                             bool fresh);

#endif
