/**
 * Going on from a checkpoint: which one, whether it fits the run, and its state on every rank.
 */
#ifndef DT_TRAIN_RESUME_H
#define DT_TRAIN_RESUME_H

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "train/checkpoint.h"
#include "train/state.h"

/** What every rank must know of the checkpoint; plain bytes, broadcast by rank 0. */
typedef struct dt_resume {
    int64_t found; /**< 0: a fresh run */
    int64_t step, seed;
    dt_corpus_identity corpus;
    char run_id[DT_RUN_ID_BYTES];
} dt_resume;

/**
 * Resolves config->resume in `checkpoints_folder`. Options that would change the meaning of the run must
 * agree with the checkpoint's or the difference is refused; other changes are logged. On rank 0 `*path`
 * becomes the folder, a new string the caller frees, or NULL for a fresh run; elsewhere NULL. Rank 0, which
 * chooses the text for all, takes the checkpoint's `data` where `config` has none. `config` must agree.
 * Collective.
 */
dt_status dt_resume_find(dt_resume *resume, const dt_world *world, dt_config *config,
                         const char *checkpoints_folder, char **path);

/** Refuses a corpus other than the checkpoint's, naming the difference. Local. */
dt_status dt_resume_check_corpus(const dt_resume *resume, const dt_corpus_identity *corpus,
                                 const char *corpus_path);

/** Loads the checkpoint at `path` on rank 0, the only one that needs to see it, and copies its state to all.
 * Collective. */
dt_status dt_resume_load(const dt_world *world, const char *path, dt_state *state);

#endif
