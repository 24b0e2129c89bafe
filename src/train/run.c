/* From a config to a run, phase by phase; after each phase in which one rank alone can fail, the ranks agree.
 */
#include "comm/contract.h"
#include "infer/model_file.h"
#include "infer/sample.h"
#include "train/run.h"
#include "train/settings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/minmax.h"
#include "base/progress.h"
#include "comm/agree.h"
#include "comm/placement.h"
#include "allreduce/tree.h"
#include "comm/watchdog.h"
#include "config/check.h"
#include "model/flop.h"
#include "train/corpus_index.h"
#include "optim/moments.h"
#include "train/identity.h"
#include "train/metrics_lines.h"
#include "train/need.h"
#include "train/out_dir_look.h"
#include "train/products.h"
#include "train/resume.h"
#include "train/resume_tell.h"
#include "train/run_corpus.h"
#include "train/stop.h"
#include "train/vocabulary.h"

static int node_threads(const dt_world *world, int threads) {
    const dt_placement placement = dt_placement_look(world, threads);
    return dt_placement_node_threads(&placement.own, threads);
}

/* A run saves. What cannot be counted is more than there is, and refused as such. */
static dt_need_job need_job(const dt_run *run, int threads, int64_t corpus_bytes) {
    return (dt_need_job){.layout = &run->layout,
                         .config = &run->about.config,
                         .rank = run->world->rank,
                         .size = run->world->size,
                         .host_ranks = run->world->host_ranks,
                         .threads = threads,
                         .node_threads = node_threads(run->world, threads),
                         .team_threads = run->team_threads,
                         .corpus_bytes = corpus_bytes,
                         .saves = true};
}

/* Before what is large is allocated; the last thing that decides how large it is is the corpus. */
static dt_status check_memory(dt_run *run, const dt_run_corpus_inputs *inputs, int64_t first_slot,
                              int64_t end_slot) {
    const dt_corpus *validation = inputs->config->validation_data ? &run->validation_corpus : &run->corpus;
    const int64_t streams = dt_streams_tokens(&run->streams, first_slot, end_slot) * run->corpus.token_bytes;
    int threads;
    int64_t first, end;
    dt_need need;
    DT_TRY(dt_agree(run->world, dt_workers_count(&threads)));
    dt_run_corpus_evaluated(inputs, &run->corpus, validation, &first, &end);
    dt_need_job job = need_job(run, threads, streams + (end - first) * validation->token_bytes);
    job.held_bytes = run->corpus.held.bytes + run->validation_corpus.held.bytes;
    DT_TRY(dt_need_choose_teams(run->world, &job, &need));
    run->team_threads = job.team_threads;
    return dt_need_check(run->world, &job, &need);
}

/* NULL where the corpus is tokens alone. */
static const dt_tokenizer *tokenizer_of(const dt_run *run) {
    return run->tokenizer.kind ? &run->tokenizer : NULL;
}

static dt_run_corpus_inputs corpus_inputs(dt_run *run, const dt_resume *resume) {
    return (dt_run_corpus_inputs){.world = run->world,
                                  .config = &run->about.config,
                                  .resume = resume,
                                  .tokenizer = run->tokenizer.kind ? &run->tokenizer : NULL,
                                  .V = run->layout.shape.V,
                                  .visits = run->rehearses};
}

/* The tokenizer says how many rows the embedding has: one at least, where its tokens are not known yet. */
static dt_status create_layout(dt_run *run) {
    dt_shape shape;
    dt_layout_free(&run->layout);
    DT_TRY(dt_model_file_shape(&run->about.config, tokenizer_of(run), &shape));
    shape.V = dt_max(shape.V, 1);
    run->about.V = shape.V;
    return dt_layout_create(&run->layout, shape);
}

static dt_status create_data(dt_run *run, const dt_resume *resume) {
    const dt_config *c = &run->about.config;
    int64_t first, end;
    dt_run_corpus_inputs inputs = corpus_inputs(run, resume);
    DT_TRY(dt_run_corpus_open(&inputs, &run->corpus));
    DT_TRY(dt_agree(run->world, create_layout(run)));
    run->about.corpus = dt_corpus_index_identity(&run->corpus);
    DT_TRY(dt_agree(run->world, dt_resume_check_corpus(resume, &run->about.corpus, run->corpus.path,
                                                       run->corpus.sources)));
    DT_TRY(dt_agree(run->world,
                    dt_streams_cut(&run->streams, run->corpus.total.tokens, dt_settings_train_ratio(c),
                                   c->batch_size, c->max_seq_len, (uint64_t)c->seed, c->shuffle)));
    dt_step_slots(c->batch_size, c->micro_batch_size, run->world->rank, run->world->size, &first, &end);
    if (c->leftover_windows == DT_LEFTOVER_SPREAD)
        dt_streams_spread(&run->streams);
    DT_TRY(dt_agree(run->world, dt_settings_settle_length(&run->about.config, run->corpus.total.tokens)));
    inputs.V = run->layout.shape.V;
    DT_TRY(dt_run_corpus_open_validation(&inputs, &run->validation_corpus));
    DT_TRY(check_memory(run, &inputs, first, end));
    if (!dt_is_null_int(c->eval_cadence))
        run->about.validation_hash = c->validation_data
                                         ? dt_corpus_index_identity(&run->validation_corpus).hash
                                         : run->about.corpus.hash;
    return dt_run_corpus_load(&inputs, &run->corpus, &run->validation_corpus, &run->streams, first, end,
                              &run->shard);
}

static dt_status create_model(dt_run *run, const dt_resume *resume) {
    const dt_config *c = &run->about.config;
    DT_TRY(dt_products_open(run->world, c, run->about.products));
    if (resume->found)
        dt_resume_tell_products(resume->products, run->about.products);
    const bool is_sharded = c->shard_optimizer && run->world->size > 1;
    const dt_allreduce_options allreduce = dt_settings_allreduce(c);
    if (is_sharded)
        DT_TRY(dt_moments_create(&run->moments, run->world,
                                 dt_step_micro_batches(c->batch_size, c->micro_batch_size),
                                 run->layout.elements, c->bucket_bytes, &allreduce));
    dt_status status = is_sharded ? dt_moments_create_state(&run->moments, &run->state, &run->layout)
                                  : dt_state_create(&run->state, &run->layout);
    run->gpt = (dt_gpt){&run->layout, dt_products_kernels(c), c->dropout, (uint64_t)c->seed};
    if (status == DT_OK)
        status = dt_weights_create(&run->weights, &run->gpt, run->state.parameters);
    DT_TRY(dt_agree(run->world, status));
    if (resume->found)
        return dt_resume_load(run->world, run->resumed_from, &run->state, is_sharded ? &run->moments : NULL);
    if (run->init.found)
        return dt_init_from_load(&run->init, run->world, &run->state);
    dt_layout_init_parameters(&run->layout, (uint64_t)c->seed, run->state.parameters);
    dt_state_arrive(&run->state, 0);
    return DT_OK;
}

static dt_status create_workers(dt_run *run) {
    const dt_config *c = &run->about.config;
    int threads;
    DT_TRY(dt_workers_count(&threads));
    DT_TRY(dt_hooks_create(&run->hooks, c->hooks, &run->layout, c->batch_size));
    const dt_need_job job = need_job(run, threads, 0);
    const dt_workers_plan whom = {threads, dt_need_teams(&job),
                                  dt_placement_has_threads(run->world, threads)};
    DT_TRY(dt_workers_create(&run->workers, &whom, run->gpt.kernels, &run->layout.shape, c->micro_batch_size,
                             (dt_recompute)c->recompute));
    dt_workers_pack(&run->workers, &run->gpt, &run->weights);
    return DT_OK;
}

static dt_status create_step(dt_run *run) {
    const dt_config *c = &run->about.config;
    const dt_step_inputs inputs = {
        .world = run->world,
        .gpt = &run->gpt,
        .weights = &run->weights,
        .streams = &run->streams,
        .shard = &run->shard,
        .workers = &run->workers,
        .hooks = run->hooks,
        .state = &run->state,
        .moments = run->state.sharded ? &run->moments : NULL,
        .B = c->batch_size,
        .u = c->micro_batch_size,
        .bucket_bytes = c->bucket_bytes,
        .allreduce = dt_settings_allreduce(c),
        .lr_schedule = dt_settings_schedule(c),
        .adamw = {.weight_decay = c->weight_decay, .beta1 = c->beta1, .beta2 = c->beta2},
        .grad_clip = c->grad_clip,
        .max_nonfinite = c->on_nonfinite == DT_NONFINITE_SKIP ? c->max_nonfinite : 1,
        .replica_check = &run->replica_check,
        .stop_reason = dt_stop_reason_here,
    };
    DT_TRY(dt_replica_check_create(&run->replica_check, run->world, &run->state, c->check_cadence));
    return dt_step_create(&run->step, &inputs);
}

static dt_status create_observers(dt_run *run) {
    const dt_config *c = &run->about.config;
    dt_corpus *corpus = c->validation_data ? &run->validation_corpus : &run->corpus;
    dt_evaluate_range range = dt_run_corpus_validates(c, &run->corpus, &run->validation_corpus);
    range.teams = run->workers.teams;
    if (!dt_is_null_int(c->eval_cadence))
        DT_TRY(dt_evaluate_create(&run->evaluator, run->world, corpus, c->max_seq_len, c->micro_batch_size,
                                  &range));
    dt_corpus_drop_outside(corpus, 0, 0);
    if (dt_is_null_int(c->sampling_cadence) || run->world->rank != 0)
        return DT_OK;
    DT_TRY(dt_decode_create(&run->decoder, &run->gpt, &run->weights, 1));
    return dt_sample_warn(&run->tokenizer, c->sampling_prompt);
}

/* A stop comes between a step and what is due after it: that is done first when the run goes on. */
static dt_status find_missed(dt_run *run, const char *path) {
    const dt_config *c = &run->about.config;
    bool held;
    DT_TRY(dt_metrics_holds(path, run->start_step, "val_loss", &held));
    run->missed_evaluation = dt_settings_due(c->eval_cadence, run->start_step) && !held;
    DT_TRY(dt_metrics_holds(path, run->start_step, "sample", &held));
    run->missed_sample = dt_settings_due(c->sampling_cadence, run->start_step) && !held;
    return DT_OK;
}

static void remember_loss(void *context, double loss) {
    dt_spike_finding unused;
    (void)dt_spike_look(context, loss, &unused);
}

/* What only rank 0 writes. */
static dt_status open_output(dt_run *run) {
    const dt_config *c = &run->about.config;
    if (run->world->rank != 0)
        return DT_OK;
    char *path = dt_file_join(c->out_dir, DT_METRICS_NAME);
    dt_status status = path ? DT_OK : DT_FAILED;
    if (status == DT_OK)
        status = dt_out_dir_prepare(&run->claim, c, run->checkpoints_folder,
                                    c->resume == NULL ? DT_OUT_DIR_FRESH : run->start_step);
    if (status == DT_OK)
        status = dt_metrics_open(&run->metrics, path, &run->claim.out_dir);
    if (status == DT_OK && c->tensorboard)
        status = dt_tensorboard_open(&run->tensorboard, c, run->about.run_id, run->start_step);
    run->metrics.tensorboard = run->tensorboard;
    if (status == DT_OK)
        status = find_missed(run, path);
    if (status == DT_OK)
        status = dt_spike_create(&run->spike, c->loss_spike_window, c->loss_spike_threshold);
    if (status == DT_OK)
        status = dt_metrics_losses(path, remember_loss, &run->spike);
    free(path);
    return status;
}

static dt_status create_output(dt_run *run) {
    DT_TRY(dt_agree(run->world, open_output(run)));
    DT_TRY(dt_saving_create(&run->saving, run->world,
                            &(dt_saver_inputs){.checkpoints_folder = run->checkpoints_folder,
                                               .lock = dt_out_dir_checkpoints_lock(&run->claim),
                                               .about = &run->about,
                                               .tokenizer = tokenizer_of(run),
                                               .state = &run->state,
                                               .metrics = &run->metrics,
                                               .moments = run->state.sharded ? &run->moments : NULL}));
    DT_TRY(dt_world_broadcast(run->world, &run->missed_evaluation, (int64_t)sizeof run->missed_evaluation));
    DT_TRY(dt_world_broadcast(run->world, &run->missed_sample, (int64_t)sizeof run->missed_sample));
    return dt_validation_open(&run->validation, &(dt_validation_inputs){.world = run->world,
                                                                        .config = &run->about.config,
                                                                        .state = &run->state,
                                                                        .weights_step = &run->weights_step,
                                                                        .gpt = &run->gpt,
                                                                        .weights = &run->weights,
                                                                        .workers = &run->workers,
                                                                        .evaluator = &run->evaluator,
                                                                        .metrics = &run->metrics,
                                                                        .saver = run->saving.saver});
}

/* Before the checkpoints are looked at: a run that still writes there would leave the choice behind. */
static dt_status claim(dt_run *run) {
    const dt_config *c = &run->about.config;
    if (c->resume == NULL || run->rehearses)
        return DT_OK;
    return dt_agree(run->world, run->world->rank == 0
                                    ? dt_out_dir_claim_existing(&run->claim, c, run->checkpoints_folder)
                                    : DT_OK);
}

/* Only where the folders of the run hold something of it does it go on; otherwise another one begins. */
static dt_status find_own_run(const dt_run *run, dt_resume *resume) {
    DT_TRY(dt_agree(run->world,
                    run->resumed_from
                        ? dt_out_dir_find_run(&run->about.config, run->checkpoints_folder, resume->run_id,
                                              resume->step, run->resumed_from, resume->own_run_id)
                        : DT_OK));
    return dt_world_broadcast(run->world, resume->own_run_id, (int64_t)sizeof resume->own_run_id);
}

/* Where the run writes, and nobody else. */
static dt_status create_folders(dt_run *run) {
    dt_config *c = &run->about.config;
    DT_TRY(dt_resume_settle_all(run->world, c));
    run->checkpoints_folder =
        c->checkpoint_dir ? strdup(c->checkpoint_dir) : dt_file_join(c->out_dir, "checkpoints");
    DT_TRY(
        dt_agree(run->world, run->checkpoints_folder ? DT_OK : dt_fail("out of memory for a folder's name")));
    return claim(run);
}

static dt_status create(dt_run *run) {
    dt_config *c = &run->about.config;
    dt_resume resume;
    dt_progress_enter(0, "looking for a checkpoint");
    DT_TRY(create_folders(run));
    DT_TRY(dt_resume_find(&resume, run->world, c, run->checkpoints_folder, &run->resumed_from));
    run->start_step = run->weights_step = resume.step;
    DT_TRY(find_own_run(run, &resume));
    run->idle = resume.found && resume.step >= c->max_steps;
    if (run->idle)
        return DT_OK;
    if (!resume.found)
        DT_TRY(dt_init_from_find(&run->init, run->world, c));
    dt_watchdog_limit(c->hang_timeout_seconds);
    /* What the text cannot change is refused before it is read. */
    DT_TRY(dt_agree(
        run->world,
        dt_tree_expect_ranks(run->world->size, dt_step_micro_batches(c->batch_size, c->micro_batch_size))));
    const char *tokenizer_folder = run->init.own_tokenizer ? run->init.path : run->resumed_from;
    if (c->tokenizer)
        DT_TRY(dt_vocabulary_open(&run->tokenizer, run->world, c->tokenizer, tokenizer_folder));
    DT_TRY(dt_agree(run->world, create_layout(run)));
    DT_TRY(dt_identity_draw(run->world, &run->about, &resume, run->init.run_id, &run->begins_apart));
    /* A long text is read for minutes, and counts. */
    if (run->world->rank == 0 && !run->rehearses)
        dt_deadline_start(&run->deadline, run->start_seconds, c->stop_after_seconds,
                          dt_checkpoint_bytes(&run->layout));
    dt_progress_enter(run->start_step, "reading the text");
    DT_TRY(create_data(run, &resume));
    dt_progress_enter(run->start_step, "making the model");
    DT_TRY(create_model(run, &resume));
    DT_TRY(dt_agree(run->world, create_workers(run)));
    DT_TRY(dt_agree(run->world, create_step(run)));
    DT_TRY(dt_agree(run->world, create_observers(run)));
    DT_TRY(dt_utilisation_measure(&run->utilisation, run->world, run->workers.threads,
                                  run->gpt.kernels->compute, dt_flop_step(&run->layout, c->batch_size)));
    dt_progress_enter(run->start_step, "opening the output");
    if (run->rehearses)
        return dt_agree(run->world,
                        run->world->rank == 0 ? dt_out_dir_look_rehearse(c, run->checkpoints_folder) : DT_OK);
    return create_output(run);
}

static dt_status begin(dt_run *run, const dt_world *world, dt_config *config, bool rehearses) {
    DT_COLLECTIVE(world, DT_SAME_INT(config->max_steps), DT_SAME_INT(config->batch_size),
                  DT_SAME_INT(config->micro_batch_size), DT_SAME_INT(config->seed),
                  DT_SAME_TEXT(config->data), DT_SAME_TEXT(config->out_dir), DT_SAME_TEXT(config->resume));
    *run = (dt_run){.world = world,
                    .rehearses = rehearses,
                    .start_seconds = dt_clock_seconds(),
                    .metrics = {.descriptor = -1}};
    run->about.config = *config;
    *config = (dt_config){0};
    return create(run);
}

dt_status dt_run_create(dt_run *run, const dt_world *world, dt_config *config) {
    return begin(run, world, config, false);
}

dt_status dt_run_rehearse(dt_run *run, const dt_world *world, dt_config *config) {
    return begin(run, world, config, true);
}

void dt_run_free(dt_run *run) {
    dt_deadline_stop(&run->deadline);
    dt_saving_free(&run->saving);
    (void)dt_metrics_close(&run->metrics);
    dt_tensorboard_free(run->tensorboard);
    dt_decode_free(&run->decoder);
    dt_evaluate_free(&run->evaluator);
    dt_step_free(run->step);
    dt_moments_free(&run->moments);
    dt_replica_check_free(&run->replica_check);
    dt_spike_free(&run->spike);
    dt_hooks_free(run->hooks);
    dt_workers_free(&run->workers);
    dt_weights_free(&run->weights);
    dt_state_free(&run->state);
    dt_layout_free(&run->layout);
    dt_shard_free(&run->shard);
    dt_corpus_close(&run->corpus);
    dt_corpus_close(&run->validation_corpus);
    dt_tokenizer_free(&run->tokenizer);
    dt_out_dir_release(&run->claim);
    free(run->resumed_from);
    free(run->checkpoints_folder);
    dt_config_free(&run->about.config);
    *run = (dt_run){.metrics = {.descriptor = -1}};
}

dt_need dt_run_need(const dt_run *run) {
    dt_need need;
    const dt_need_job job = need_job(run, run->workers.threads,
                                     run->shard.tokens_count * run->shard.token_bytes +
                                         (run->evaluator.targets + 1) * run->evaluator.token_bytes);
    (void)dt_need_of(&job, &need);
    return need;
}
