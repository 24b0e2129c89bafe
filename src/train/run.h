/**
 * A training run: everything that the loop needs, made from a config.
 *
 * This room is a run from start to end. A config enters; a folder with checkpoints and metrics leaves. It
 * decides what happens between steps, and what happens when something goes wrong; steps themselves are
 * step/'s.
 */
#ifndef DT_TRAIN_RUN_H
#define DT_TRAIN_RUN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "data/batch.h"
#include "data/corpus.h"
#include "model/decode.h"
#include "model/gpt.h"
#include "optim/lr_schedule.h"
#include "checkpoint/checkpoint.h"
#include "train/deadline.h"
#include "train/init_from.h"
#include "step/replica_check.h"
#include "infer/evaluate.h"
#include "step/hooks.h"
#include "train/metrics.h"
#include "train/need.h"
#include "train/out_dir.h"
#include "train/saving.h"
#include "train/spike.h"
#include "train/tensorboard.h"
#include "train/utilisation.h"
#include "optim/moments.h"
#include "optim/state.h"
#include "step/step.h"
#include "train/validation.h"
#include "step/workers.h"

typedef struct dt_run {
    const dt_world *world;
    dt_checkpoint_about
        about;          /**< config (with the seed in use), corpus, run_id; owns the config's strings */
    int64_t start_step; /**< the step of the checkpoint that the run goes on from, or 0 */
    char *resumed_from; /**< that checkpoint's path on rank 0, or NULL */
    dt_init_from init;  /**< what a fresh run started from; all zero where that is initial weights */
    bool begins_apart;  /**< that checkpoint is another run's, from which this one begins in other folders */
    bool rehearses;     /**< nothing is written, and no step will be taken */
    bool idle; /**< the checkpoint is at max_steps or beyond: nothing more is made, nothing is opened */
    char *checkpoints_folder;
    dt_out_dir_claim claim; /**< on rank 0: what keeps other runs out of what this one writes */

    dt_tokenizer tokenizer;
    dt_corpus corpus;
    dt_corpus validation_corpus; /**< all zero where validation_data is null */
    dt_streams streams;
    dt_shard shard;

    dt_layout layout;
    dt_gpt gpt;
    dt_weights weights;
    dt_moments moments; /* where the ranks share the state's moments out */
    dt_state state;

    dt_workers workers;
    int64_t team_threads; /**< that work on a micro-batch together, as the config or the memory has it */
    dt_hooks *hooks;
    dt_replica_check replica_check;
    dt_step *step;
    dt_evaluator evaluator; /**< all zero when eval_cadence is null */
    dt_validation validation;
    dt_decoder decoder;          /**< on rank 0, all zero when sampling_cadence is null */
    dt_metrics metrics;          /**< on rank 0 */
    dt_tensorboard *tensorboard; /**< on rank 0, NULL unless the option says so */
    dt_spike spike;              /**< on rank 0 */
    dt_saving saving;

    dt_utilisation utilisation; /**< what a step's time is held against */

    double start_seconds;        /**< when it began to be made, of dt_clock_seconds */
    dt_deadline deadline;        /**< on rank 0 */
    double longest_step_seconds; /**< so far; by whoever holds the state */

    atomic_bool saves_begun; /**< the loop has begun the last of its saves */

    int64_t weights_step; /**< the last step that changed the weights: later ones were skipped */
    bool missed_evaluation, missed_sample; /**< due at start_step, but the run stopped before */
} dt_run;

/**
 * Makes a run from `config`, whose strings it takes over: resolves --resume and the seed, indexes the corpus,
 * loads this rank's shard, initialises or loads the weights and allocates all that steps need. `config` must
 * agree. A request to stop that comes while the text is read gives DT_STOPPED. On failure all ranks return
 * the same code and the run is to be freed too. Collective.
 */
dt_status dt_run_create(dt_run *run, const dt_world *world, dt_config *config);

/**
 * The same for one who wants to know whether the run would come to step 1: all is read, checked and
 * allocated, but no folder, lock, token cache or other file is made or changed, and no step can be taken.
 * Collective.
 */
dt_status dt_run_rehearse(dt_run *run, const dt_world *world, dt_config *config);

/** Frees; all zero is fine. Collective, unless all zero. */
void dt_run_free(dt_run *run);

/** What memory this rank's part of the run takes. Local. */
dt_need dt_run_need(const dt_run *run);

#endif
