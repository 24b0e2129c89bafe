/* train/run.c without what benchmarks have no use for. */
#include "comm/contract.h"
#include "infer/model_file.h"
#include "plan/harness.h"

#include "base/memory.h"
#include "base/philox.h"
#include "comm/agree.h"
#include "comm/placement.h"
#include "optim/moments.h"
#include "allreduce/tree.h"
#include "train/need.h"
#include "train/products.h"
#include "tokenizer/tokens.h"
#include "train/settings.h"

static int never(void) {
    return 0;
}

/* Streams of one window, filled with tokens that nothing can be learned from. */
static dt_status create_tokens(dt_harness *harness, const dt_world *world, const dt_config *c) {
    const int64_t V = harness->layout.shape.V;
    int64_t first, end;
    harness->streams =
        (dt_streams){.B = c->batch_size, .T = c->max_seq_len, .windows = c->batch_size, .stream_windows = 1};
    dt_step_slots(c->batch_size, c->micro_batch_size, world->rank, world->size, &first, &end);
    harness->shard.first_token = first * c->max_seq_len;
    harness->shard.tokens_count = (end - first) * c->max_seq_len + 1;
    harness->shard.token_bytes = dt_tokens_bytes(V);
    uint8_t *tokens = dt_memory_alloc(harness->shard.tokens_count, (size_t)harness->shard.token_bytes,
                                      "the benchmark's tokens");
    if (tokens == NULL)
        return DT_FAILED;
    harness->shard.tokens = tokens;
    const dt_philox_key key = dt_philox_derive(0, DT_PURPOSE_SAMPLE, 1);
    for (int64_t i = 0; i < harness->shard.tokens_count; i++) {
        const int64_t at = harness->shard.first_token + i;
        const int32_t id =
            (int32_t)(dt_philox(key, (uint32_t)at, (uint32_t)(at >> 32), 0, 0).w0 % (uint64_t)V);
        dt_tokens_narrow(tokens + i * harness->shard.token_bytes, &id, harness->shard.token_bytes, 1);
    }
    return DT_OK;
}

static bool is_sharded(const dt_world *world, const dt_config *c) {
    return c->shard_optimizer && world->size > 1;
}

/* What a rank makes by itself. */
static dt_status create_own(dt_harness *harness, const dt_world *world, const dt_config *c,
                            const dt_workers_plan *whom) {
    harness->gpt = (dt_gpt){&harness->layout, dt_products_kernels(c), c->dropout, 0};
    DT_TRY(is_sharded(world, c)
               ? dt_moments_create_state(&harness->moments, &harness->state, &harness->layout)
               : dt_state_create(&harness->state, &harness->layout));
    dt_layout_init_parameters(&harness->layout, 0, harness->state.parameters);
    dt_state_arrive(&harness->state, 0);
    DT_TRY(dt_weights_create(&harness->weights, &harness->gpt, harness->state.parameters));
    DT_TRY(create_tokens(harness, world, c));
    DT_TRY(dt_workers_create(&harness->workers, whom, harness->gpt.kernels, &harness->layout.shape,
                             c->micro_batch_size, (dt_recompute)c->recompute));
    dt_workers_pack(&harness->workers, &harness->gpt, &harness->weights);
    return dt_hooks_create(&harness->hooks, NULL, &harness->layout, 1);
}

static dt_status create_step(dt_harness *harness, const dt_world *world, const dt_config *c) {
    const dt_step_inputs inputs = {
        .world = world,
        .gpt = &harness->gpt,
        .weights = &harness->weights,
        .streams = &harness->streams,
        .shard = &harness->shard,
        .workers = &harness->workers,
        .hooks = harness->hooks,
        .state = &harness->state,
        .moments = harness->state.sharded ? &harness->moments : NULL,
        .B = c->batch_size,
        .u = c->micro_batch_size,
        .bucket_bytes = c->bucket_bytes,
        .allreduce = dt_settings_allreduce(c),
        .lr_schedule = {.peak = c->learning_rate,
                        .max_steps = dt_is_null_int(c->max_steps) ? 1 : c->max_steps},
        .adamw = {.weight_decay = c->weight_decay, .beta1 = c->beta1, .beta2 = c->beta2},
        .grad_clip = c->grad_clip,
        .spans = &harness->spans,
        .stop_reason = never};
    return dt_step_create(&harness->step, &inputs);
}

dt_status dt_harness_create(dt_harness *harness, const dt_world *world, const dt_config *config,
                            int threads) {
    DT_COLLECTIVE(world, DT_SAME_INT(config->batch_size), DT_SAME_INT(config->bucket_bytes),
                  DT_SAME_INT(threads));
    *harness = (dt_harness){0};
    DT_TRY(
        dt_agree(world, dt_tree_expect_ranks(world->size, dt_step_micro_batches(config->batch_size,
                                                                                config->micro_batch_size))));
    dt_shape shape;
    dt_status status = dt_model_file_shape(config, NULL, &shape);
    if (status == DT_OK)
        status = dt_layout_create(&harness->layout, shape);
    DT_TRY(dt_agree(world, status));
    dt_need need;
    dt_need_job job = {.layout = &harness->layout,
                       .config = config,
                       .rank = world->rank,
                       .size = world->size,
                       .host_ranks = world->host_ranks,
                       .threads = threads,
                       .corpus_bytes = config->batch_size * config->max_seq_len * dt_tokens_bytes(shape.V)};
    DT_TRY(dt_need_choose_teams(world, &job, &need));
    DT_TRY(dt_need_check(world, &job, &need));
    harness->team_threads = job.team_threads;
    const dt_workers_plan whom = {threads, dt_need_teams(&job), dt_placement_has_threads(world, threads)};
    char products[DT_MATMUL_NAME_BYTES];
    DT_TRY(dt_products_open(world, config, products));
    const dt_allreduce_options allreduce = dt_settings_allreduce(config);
    if (is_sharded(world, config))
        DT_TRY(dt_moments_create(&harness->moments, world,
                                 dt_step_micro_batches(config->batch_size, config->micro_batch_size),
                                 harness->layout.elements, config->bucket_bytes, &allreduce));
    DT_TRY(dt_agree(world, create_own(harness, world, config, &whom)));
    return create_step(harness, world, config);
}

void dt_harness_free(dt_harness *harness) {
    dt_step_free(harness->step);
    dt_moments_free(&harness->moments);
    dt_hooks_free(harness->hooks);
    dt_workers_free(&harness->workers);
    dt_spans_free(&harness->spans);
    dt_shard_free(&harness->shard);
    dt_weights_free(&harness->weights);
    if (harness->state.layout)
        dt_state_free(&harness->state);
    dt_layout_free(&harness->layout);
    *harness = (dt_harness){0};
}

dt_status dt_harness_step(dt_harness *harness, dt_step_result *result) {
    return dt_step_run(harness->step, result, NULL, NULL);
}
