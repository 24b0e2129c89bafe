/**
 * A training step on random tokens, without corpus, checkpoint or output: what benchmarks run.
 */
#ifndef DT_BENCH_RIG_H
#define DT_BENCH_RIG_H

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "data/batch.h"
#include "model/gpt.h"
#include "train/hooks.h"
#include "train/state.h"
#include "train/step.h"
#include "train/workers.h"

typedef struct dt_rig {
    dt_layout layout;
    dt_gpt gpt;
    dt_state state;
    dt_lanes lanes; /**< one window each */
    dt_shard shard;
    dt_workers workers;
    dt_hooks *hooks; /**< none */
    dt_step *step;
} dt_rig;

/**
 * Makes a rig for the model, batch and optimizer that `config` describes, with `threads` threads a rank. The
 * rig must not move in memory afterwards and is to be freed also on failure; on failure all ranks return the
 * same code. `config` and `threads` must agree. Collective.
 */
dt_status dt_rig_create(dt_rig *rig, const dt_world *world, const dt_config *config, int threads);

/** Frees what the rig holds; one that is all zero is fine. Collective, unless all zero. */
void dt_rig_free(dt_rig *rig);

/** Takes one step as training would. A failure ends the job, as in training. Collective. */
dt_status dt_rig_step(dt_rig *rig, dt_step_result *result);

#endif
