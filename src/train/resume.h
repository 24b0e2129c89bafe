/**
 * Going on from a checkpoint: which one, whether it fits the run, and its state on every rank.
 */
#ifndef DT_TRAIN_RESUME_H
#define DT_TRAIN_RESUME_H

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "checkpoint/checkpoint.h"
#include "optim/moments.h"
#include "optim/state.h"

/** What every rank must know of the checkpoint; plain bytes, broadcast by rank 0. */
typedef struct dt_resume {
    int64_t found; /**< 0: a fresh run */
    int64_t step, seed;
    int64_t own_tokenizer; /**< the one that is given is the checkpoint's, whatever its file is called now */
    dt_corpus_identity corpus;
    char products[DT_MATMUL_NAME_BYTES];                          /**< whose they were until then */
    char run_id[DT_RUN_ID_BYTES], parent_run_id[DT_RUN_ID_BYTES]; /**< of the checkpoint */
    char
        own_run_id[DT_RUN_ID_BYTES]; /**< of the run that goes on; "": a new one begins from the checkpoint */
} dt_resume;

/**
 * Settles out_dir and checkpoint_dir where neither is given and config->resume is a path: a run goes on where
 * its checkpoint lies, be it moved or seen from another folder. Where that cannot be told it fails with
 * DT_USAGE and says which option names it. Local.
 */
dt_status dt_resume_settle(dt_config *config);

/** The same for all ranks: rank 0 looks, and the others are told the folders. Collective. */
dt_status dt_resume_settle_all(const dt_world *world, dt_config *config);

/** Takes from the checkpoint's config every option that is not given in `config`, but for where the run is.
 * Local. */
dt_status dt_resume_adopt(dt_config *config, const dt_config *saved);

/**
 * Resolves config->resume in `checkpoints_folder` and adopts the checkpoint's config, which all ranks then
 * check; where a fresh run is to start from config->init_from, that is for whoever looks there. Options that
 * would change the meaning of the run must agree with the checkpoint's or the differences are refused; other
 * changes are logged, and so is what they make of the learning rate. On rank 0 `*path` becomes the folder, a
 * new string the caller frees, or NULL for a fresh run; elsewhere NULL. `config` must agree. Collective.
 */
dt_status dt_resume_find(dt_resume *resume, const dt_world *world, dt_config *config,
                         const char *checkpoints_folder, char **path);

/** Refuses a corpus of `files` other than the checkpoint's, naming the difference. Local. */
dt_status dt_resume_check_corpus(const dt_resume *resume, const dt_corpus_identity *corpus,
                                 const char *corpus_path, int64_t files);

/** Loads the checkpoint at `path` on rank 0, the only one that needs to see it, and copies its state to all;
 * of moments that `moments` shares out (NULL: none), to each rank its own. Collective. */
dt_status dt_resume_load(const dt_world *world, const char *path, dt_state *state, const dt_moments *moments);

#endif
