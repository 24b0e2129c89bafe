/**
 * The folders that a run writes to: held against other runs, made, tried before step 1, and cleared for it
 * without losing what is there.
 */
#ifndef DT_TRAIN_OUT_DIR_H
#define DT_TRAIN_OUT_DIR_H

#include <stdint.h>

#include "base/lock.h"
#include "base/status.h"
#include "checkpoint/checkpoint.h"
#include "config/config.h"

/** How long a run that resumes waits for the one before it to be gone: a job that is being ended takes its
 * time. */
#define DT_OUT_DIR_PATIENCE_SECONDS 10.0

/** For dt_out_dir_prepare: a run that goes on from no checkpoint. */
#define DT_OUT_DIR_FRESH (-1)

/** What keeps other runs out. All zero when nothing is held. */
typedef struct dt_out_dir_claim {
    dt_lock out_dir;     /**< of OUT_DIR */
    dt_lock checkpoints; /**< of the folder of checkpoints, where that is another */
} dt_out_dir_claim;

/**
 * Keeps other runs out of the folders of `config` when there are checkpoints to read, so that what is read
 * stays true, and clears away what a save that died has left; touches nothing otherwise. Waits
 * DT_OUT_DIR_PATIENCE_SECONDS for another run to end, then fails with DT_USAGE, naming its host and process.
 * Rank 0 alone. Local.
 */
dt_status dt_out_dir_claim_existing(dt_out_dir_claim *claim, const dt_config *config,
                                    const char *checkpoints_folder);

/** The lock that holds the folder of checkpoints. Local. */
dt_lock *dt_out_dir_checkpoints_lock(dt_out_dir_claim *claim);

/** Lets other runs in; all zero is fine. Local. */
void dt_out_dir_release(dt_out_dir_claim *claim);

/**
 * Which run goes on in the folders of `config` from the checkpoint `resumed_from` of step `step` of run
 * `run_id`, by the last run that wrote metrics.jsonl and by every checkpoint that can be read: that very run,
 * or one that began from there and has saved nothing yet, or a new one, "", where they hold none. Folders of
 * another run are refused with DT_USAGE, as by dt_out_dir_expect_own. Changes nothing. Rank 0 alone. Local.
 */
dt_status dt_out_dir_find_run(const dt_config *config, const char *checkpoints_folder, const char *run_id,
                              int64_t step, const char *resumed_from, char own_run_id[DT_RUN_ID_BYTES]);

/**
 * Refuses a checkpoint whose run keeps its lines in another out_dir than that of `config`, though it keeps
 * its checkpoints in this very folder: two runs that were given one checkpoint_dir, of which the second would
 * take the first for itself. Fails with DT_USAGE. Changes nothing. Local.
 */
dt_status dt_out_dir_expect_own(const dt_config *config, const char *checkpoints_folder,
                                const char *checkpoint);

/**
 * Makes the folders of `config`, claims what is not claimed yet without waiting, checks that a checkpoint
 * could be put into `checkpoints_folder`, and then keeps aside what the run would write over
 * (train/aside.h): all that another run has left where `resume_step` is DT_OUT_DIR_FRESH, and otherwise what
 * was done after that step. Fails with DT_USAGE, naming the option, on a place that cannot be used. Rank 0
 * alone. Local.
 */
dt_status dt_out_dir_prepare(dt_out_dir_claim *claim, const dt_config *config, const char *checkpoints_folder,
                             int64_t resume_step);

#endif
