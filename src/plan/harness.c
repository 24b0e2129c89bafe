/* train/run.c without what benchmarks have no use for. */
#include "infer/model_file.h"
#include "plan/harness.h"

#include "base/memory.h"
#include "base/philox.h"
#include "comm/agree.h"
#include "allreduce/tree.h"
#include "train/need.h"
#include "train/settings.h"

static int never(void) {
    return 0;
}

/* Lanes of one window, filled with tokens that nothing can be learned from. */
static dt_status create_tokens(dt_harness *rig, const dt_world *world, const dt_config *c) {
    int64_t first, end;
    rig->lanes =
        (dt_lanes){.B = c->batch_size, .T = c->max_seq_len, .windows = c->batch_size, .lane_windows = 1};
    dt_step_slots(c->batch_size, c->micro_batch_size, world->rank, world->size, &first, &end);
    rig->shard.first_token = first * c->max_seq_len;
    rig->shard.tokens_count = (end - first) * c->max_seq_len + 1;
    rig->shard.tokens = dt_memory_alloc(rig->shard.tokens_count, 1, "the benchmark's tokens");
    if (rig->shard.tokens == NULL)
        return DT_FAILED;
    const dt_philox_key key = dt_philox_derive(0, DT_PURPOSE_SAMPLE, 1);
    for (int64_t i = 0; i < rig->shard.tokens_count; i++) {
        const int64_t at = rig->shard.first_token + i;
        rig->shard.tokens[i] =
            (uint8_t)(dt_philox(key, (uint32_t)at, (uint32_t)(at >> 32), 0, 0).w0 % DT_VOCAB);
    }
    return DT_OK;
}

/* What a rank makes by itself. */
static dt_status create_own(dt_harness *rig, const dt_world *world, const dt_config *c, int threads) {
    rig->gpt = (dt_gpt){&rig->layout, dt_kernels_best((dt_dtype)c->compute_dtype), c->dropout, 0};
    DT_TRY(dt_state_create(&rig->state, &rig->layout));
    dt_layout_init_parameters(&rig->layout, 0, rig->state.parameters);
    DT_TRY(dt_weights_create(&rig->weights, &rig->gpt, rig->state.parameters));
    DT_TRY(create_tokens(rig, world, c));
    DT_TRY(
        dt_workers_create(&rig->workers, threads, rig->gpt.kernels, &rig->layout.shape, c->micro_batch_size));
    dt_workers_pack(&rig->workers, &rig->gpt, &rig->weights);
    return dt_hooks_create(&rig->hooks, NULL, &rig->layout);
}

static dt_status create_step(dt_harness *rig, const dt_world *world, const dt_config *c) {
    const dt_step_inputs inputs = {
        .world = world,
        .gpt = &rig->gpt,
        .weights = &rig->weights,
        .lanes = &rig->lanes,
        .shard = &rig->shard,
        .workers = &rig->workers,
        .hooks = rig->hooks,
        .state = &rig->state,
        .B = c->batch_size,
        .u = c->micro_batch_size,
        .bucket_bytes = c->bucket_bytes,
        .exchange = dt_settings_allreduce(c),
        .schedule = {.peak = c->learning_rate, .max_steps = c->max_steps},
        .adamw = {.weight_decay = c->weight_decay, .beta1 = c->beta1, .beta2 = c->beta2},
        .grad_clip = c->grad_clip,
        .spans = &rig->spans,
        .stop_reason = never};
    return dt_step_create(&rig->step, &inputs);
}

dt_status dt_harness_create(dt_harness *rig, const dt_world *world, const dt_config *config, int threads) {
    *rig = (dt_harness){0};
    DT_TRY(
        dt_agree(world, dt_tree_expect_ranks(world->size, dt_step_micro_batches(config->batch_size,
                                                                                config->micro_batch_size))));
    DT_TRY(dt_agree(world, dt_layout_create(&rig->layout, dt_model_file_shape(config))));
    const dt_allreduce_options exchange = dt_settings_allreduce(config);
    DT_TRY(dt_need_check(world, dt_need_bytes(&rig->layout, config, world, &exchange, threads,
                                              config->batch_size * config->max_seq_len)));
    DT_TRY(dt_agree(world, create_own(rig, world, config, threads)));
    return create_step(rig, world, config);
}

void dt_harness_free(dt_harness *rig) {
    dt_step_free(rig->step);
    dt_hooks_free(rig->hooks);
    dt_workers_free(&rig->workers);
    dt_spans_free(&rig->spans);
    dt_shard_free(&rig->shard);
    dt_weights_free(&rig->weights);
    if (rig->state.layout)
        dt_state_free(&rig->state);
    dt_layout_free(&rig->layout);
    *rig = (dt_harness){0};
}

dt_status dt_harness_step(dt_harness *rig, dt_step_result *result) {
    return dt_step_run(rig->step, result, NULL, NULL);
}
