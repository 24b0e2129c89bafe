/**
 * A training step on random tokens, without corpus, checkpoint or output: what benchmarks run.
 */
#ifndef DT_PLAN_HARNESS_H
#define DT_PLAN_HARNESS_H

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "data/batch.h"
#include "model/gpt.h"
#include "step/hooks.h"
#include "optim/state.h"
#include "step/step.h"
#include "step/workers.h"

typedef struct dt_harness {
    dt_layout layout;
    dt_gpt gpt;
    dt_weights weights;
    dt_moments moments; /* with shard_optimizer */
    dt_state state;
    dt_streams streams; /**< one window each */
    dt_shard shard;
    dt_workers workers;
    int64_t team_threads; /**< as chosen for them */
    dt_hooks *hooks;      /**< none */
    dt_spans spans;       /**< switched off, and empty, unless a caller creates and starts it */
    dt_step *step;
} dt_harness;

/**
 * Makes a harness for the model, batch and optimizer that `config` describes, with `threads` threads a rank.
 * The harness must not move in memory afterwards and is to be freed also on failure; on failure all ranks
 * return the same code. `config` and `threads` must agree. Collective.
 */
dt_status dt_harness_create(dt_harness *harness, const dt_world *world, const dt_config *config, int threads);

/** Frees what the harness holds; one that is all zero is fine. Collective, unless all zero. */
void dt_harness_free(dt_harness *harness);

/** Takes one step as training would. A failure ends the job, as in training. Collective. */
dt_status dt_harness_step(dt_harness *harness, dt_step_result *result);

#endif
