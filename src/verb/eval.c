/* `dtrain eval CHECKPOINT --data F`: how well a trained model predicts a text. Ranks share the windows. */
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/elementary.h"
#include "base/log.h"
#include "base/plural.h"
#include "base/suffix.h"
#include "comm/agree.h"
#include "comm/placement.h"
#include "config/list.h"
#include "data/batch.h"
#include "infer/evaluate.h"
#include "infer/model_file.h"
#include "infer/token_losses.h"
#include "train/corpus_delivery.h"
#include "train/corpus_index.h"
#include "train/stop.h"
#include "train/token_cache.h"
#include "verb/verb.h"

/* A model folder does not say what it was trained on. */
static dt_status check_flags(const dt_model_file *model, const dt_verb_flags *f) {
    if (model->pretrained && f->data == NULL)
        return dt_usage("eval: %s is no checkpoint of dtrain and names no text; give one by --data FILE",
                        model->path);
    if (model->pretrained && f->split && strcmp(f->split, "all") != 0)
        return dt_usage(
            "--split: %s is no checkpoint of dtrain and does not say what it was trained on; give "
            "--split all, or leave it out",
            model->path);
    return DT_OK;
}

/* Whether what was trained on is asked for by name. */
static bool is_of_training(const dt_verb_flags *f) {
    return f->split && strcmp(f->split, "train") == 0;
}

/* What the run's own files hold says nothing of a text that is named here. */
static dt_status set_data_format(dt_config *config, const dt_verb_flags *f) {
    if (f->data_format)
        return dt_config_set(config, "data_format", f->data_format, "--data-format");
    return f->data ? dt_config_set(config, "data_format", "auto", "--data") : DT_OK;
}

/* Where the run's folder is now, which may have been moved, as a new string: the folder of its checkpoints/,
 * or what it was called. */
static char *find_run(const dt_model_file *model) {
    static const char name[] = "/checkpoints";
    char *folder = realpath(model->path, NULL), *slash = folder ? strrchr(folder, '/') : NULL;
    if (slash) {
        *slash = 0;
        if (strcmp(folder, name) != 0 && dt_has_suffix(folder, name)) {
            folder[strlen(folder) - strlen(name)] = 0;
            return folder;
        }
    }
    free(folder);
    return strdup(model->about.config.out_dir);
}

/* The run's own text, or what is kept of it, as a new list. */
static dt_status find_own(const dt_world *world, const dt_model_file *model, const dt_verb_flags *f,
                          dt_config *config, char **list) {
    const bool validates = config->validation_data && !is_of_training(f);
    const char *data = validates ? config->validation_data : config->data;
    *list = NULL;
    if (!validates)
        DT_TRY(dt_token_cache_find_stream(world, config, data, &model->tokenizer, model->about.corpus.hash,
                                          list));
    if (*list == NULL && data)
        *list = strdup(data);
    return dt_agree(world, *list || data == NULL ? DT_OK : dt_fail("out of memory for the name of the text"));
}

/* The text of --data, or else the run's own. */
static dt_status open_corpus(const dt_world *world, const dt_model_file *model, const dt_verb_flags *f,
                             dt_corpus *corpus) {
    dt_config config = model->about.config; /* its strings stay the model's */
    char *run = world->rank == 0 ? find_run(model) : NULL, *list = NULL;
    size_t length = run ? strlen(run) : 0;
    dt_status status =
        dt_agree(world, run || world->rank > 0 ? DT_OK : dt_fail("out of memory for a folder's name"));
    if (status == DT_OK)
        status = dt_world_broadcast_block(world, &run, &length);
    config.out_dir = run;
    if (status == DT_OK && f->data == NULL)
        status = find_own(world, model, f, &config, &list);
    if (status == DT_OK) {
        const dt_corpus_index_inputs inputs = {.config = &config,
                                               .data = f->data ? f->data_list : list,
                                               .tokenizer = model->tokenizer.kind ? &model->tokenizer : NULL,
                                               .V = model->layout.shape.V,
                                               .visits = true,
                                               .holds = true,
                                               .stop_requested = dt_stop_requested};
        status = dt_corpus_index_open(corpus, world, &inputs);
    }
    free(run);
    free(list);
    return status;
}

/* Where no text is named the run's own is read, which may have been changed since: a loss of it is then none
 * that training's can be compared with. */
static void warn_of_other_text(const dt_verb_flags *f, const dt_checkpoint_about *about,
                               const dt_corpus *corpus) {
    const bool validates = about->config.validation_data && !is_of_training(f);
    const uint64_t known = validates ? about->validation_hash : about->corpus.hash;
    if (f->data == NULL && known != 0 && dt_corpus_index_identity(corpus).hash != known)
        dt_log_warn("%s is no longer the text that the checkpoint was %s: it has changed since, so its loss "
                    "does not compare with the run's; give the former text with --data",
                    corpus->path, validates ? "evaluated on" : "trained on");
}

/* What the loss is of: of the text it was trained on what was kept for validation, of any other all. */
static dt_status choose_split(const dt_verb_flags *f, const dt_checkpoint_about *about,
                              const dt_corpus *corpus, dt_evaluate_range *range, const char **what) {
    const dt_corpus_identity identity = dt_corpus_index_identity(corpus);
    const bool own = identity.hash == about->corpus.hash && identity.file_bytes == about->corpus.file_bytes;
    const char *split = f->split ? f->split : own ? "validation" : "all";
    double ratio = about->config.train_ratio;
    if (about->config.validation_data && f->data == NULL)
        ratio = is_of_training(f) ? 1.0 : 0.0; /* each is a text of its own */
    const int64_t tokens = corpus->total.tokens, train = dt_streams_train_tokens(tokens, ratio);
    range->first_token = strcmp(split, "validation") == 0 ? train : 0;
    range->end_token = strcmp(split, "train") == 0 ? train : tokens;
    if (strcmp(split, "train") == 0)
        *what = "its train split";
    else if (strcmp(split, "validation") == 0)
        *what = "its validation split";
    else if (strcmp(split, "all") == 0)
        *what = "all of the text";
    else
        return dt_usage("--split: expected validation, train or all, found \"%s\"", split);
    return DT_OK;
}

/* The windows, as far as they are whole ones, and what there is behind them. */
static void print_windows(const dt_model_file *model, const dt_corpus *corpus, const char *what,
                          const dt_evaluator *e) {
    char windows[96], step[48] = "";
    if (!model->pretrained)
        snprintf(step, sizeof step, " after step %" PRId64, model->about.step);
    if (e->windows > 0)
        snprintf(windows, sizeof windows, "%" PRId64 " window%s of %" PRId64 " token%s", e->windows,
                 dt_plural_s(e->windows), e->T, dt_plural_s(e->T));
    else
        snprintf(windows, sizeof windows,
                 "one window of %" PRId64 " token%s, shorter than max_seq_len %" PRId64, e->rest,
                 dt_plural_s(e->rest), e->T);
    dt_log_line("%s%s on %s, %s: %s", model->path, step, corpus->path, what, windows);
}

/* With the tokens' bytes, runs with different tokenizers compare. */
static void print_loss(const char *before, const dt_tokenizer *tokenizer, double loss, double targets,
                       int64_t bytes, const char *after) {
    const double bits = loss / DT_ELEMENTARY_LN2;
    const char *unit = tokenizer ? tokenizer->kind->unit : "token";
    char per_byte[48] = "";
    if (bytes > 0 && strcmp(unit, "byte") != 0)
        snprintf(per_byte, sizeof per_byte, "  %.6g bits per byte", bits * targets / (double)bytes);
    dt_log_line("%sloss %.9g nats  perplexity %.6g  %.6g bits per %s%s%s", before, loss,
                dt_elementary_exp(loss), bits, unit, per_byte, after);
}

/* The first loss is that of whole windows, as in training; only the second has the rest too. */
static dt_status print(const dt_world *world, const dt_evaluator *e, double loss) {
    dt_evaluate_counts counts;
    char unknown[64] = "", rest[96];
    DT_TRY(dt_evaluate_count(e, &counts));
    if (e->tokenizer && e->tokenizer->unknown >= 0)
        snprintf(unknown, sizeof unknown, "  %.3g %% unknown",
                 100.0 * (double)counts.unknown / (double)counts.targets);
    const double whole = (double)(e->windows > 0 ? e->windows * e->T : counts.targets);
    print_loss("", e->tokenizer, loss, whole, e->windows > 0 ? counts.bytes : counts.rest_bytes, unknown);
    if (e->windows > 0 && e->rest > 0) {
        snprintf(rest, sizeof rest, "with the last %" PRId64 " token%s, in a shorter window: ", e->rest,
                 dt_plural_s(e->rest));
        print_loss(rest, e->tokenizer, e->loss_with_rest, (double)counts.targets,
                   counts.bytes + counts.rest_bytes, "");
    }
    return world->rank == 0 ? dt_verb_printed("the loss") : DT_OK;
}

/* Each rank is given what it evaluates on. */
static dt_status deliver(const dt_world *world, const dt_config *c, dt_corpus *corpus,
                         const dt_evaluate_range *range) {
    dt_token_span spans[DT_CORPUS_DELIVERY_SPANS] = {0};
    DT_TRY(dt_evaluate_tokens(world, c->max_seq_len, c->micro_batch_size, range, &spans[0].first,
                              &spans[0].end));
    return dt_corpus_delivery_run(world, corpus, spans);
}

static dt_status evaluate(const dt_world *world, const dt_model_file *model, const dt_verb_flags *f,
                          dt_corpus *corpus, dt_evaluator *evaluator, dt_workers *workers) {
    const dt_config *c = &model->about.config;
    dt_evaluate_range range = {
        .max_windows = DT_NULL_INT, .with_rest = true, .keep_losses = f->losses != NULL, .on_all = true};
    const char *what = "";
    double loss;
    bool complete;
    int threads;
    DT_TRY(check_flags(model, f));
    if (f->windows)
        DT_TRY(dt_verb_count("windows", f->windows, &range.max_windows));
    if (f->losses)
        DT_TRY(dt_agree(world, world->rank == 0 ? dt_token_losses_check(f->losses) : DT_OK));
    DT_TRY(open_corpus(world, model, f, corpus));
    dt_corpus_warn(corpus);
    warn_of_other_text(f, &model->about, corpus);
    DT_TRY(choose_split(f, &model->about, corpus, &range, &what));
    DT_TRY(deliver(world, c, corpus, &range));
    dt_status status = dt_workers_count(&threads);
    /* Without a backward pass nothing of a layer is wanted again, and all layers can share one's memory. */
    const dt_workers_plan whom = {threads, threads, dt_placement_has_threads(world, threads)};
    if (status == DT_OK)
        status = dt_workers_create(workers, &whom, model->gpt.kernels, &model->layout.shape,
                                   c->micro_batch_size, DT_RECOMPUTE_LAYER);
    range.teams = workers->teams;
    if (status == DT_OK)
        status = dt_evaluate_create(evaluator, world, corpus, c->max_seq_len, c->micro_batch_size, &range);
    DT_TRY(dt_agree(world, status));
    dt_corpus_drop_outside(corpus, 0, 0);
    evaluator->told_as = corpus->path;
    evaluator->stop_requested = dt_stop_requested;
    DT_TRY(dt_evaluate_run(evaluator, &model->gpt, &model->weights, workers, &loss, &complete));
    if (!complete)
        return dt_stopped("asked to stop while evaluating on %s", corpus->path);
    if (!isfinite(loss) || !isfinite(evaluator->loss_with_rest))
        return dt_fail(
            "expected a finite loss of %s on %s, found %g: the weights are finite, but too large to "
            "compute with; use an earlier checkpoint",
            model->path, corpus->path, loss);
    if (f->losses)
        DT_TRY(dt_token_losses_write(evaluator, f->losses));
    print_windows(model, corpus, what, evaluator);
    return print(world, evaluator, loss);
}

/* Rank 0 says which folder it is: "latest" may come to mean another while the ranks look. */
static dt_status find(const dt_world *world, const char *name, char **path) {
    *path = NULL;
    DT_TRY(dt_agree(world, world->rank == 0 ? dt_model_file_find(name, path) : DT_OK));
    size_t length = *path ? strlen(*path) : 0;
    return dt_world_broadcast_block(world, path, &length);
}

static dt_status run(const dt_world *world, const char *name, const dt_verb_flags *f) {
    dt_model_file model = {0};
    char *path;
    dt_corpus corpus = {0};
    dt_evaluator evaluator = {0};
    dt_workers workers = {0};
    dt_status status = find(world, name, &path);
    if (status == DT_OK)
        status = dt_agree(
            world, dt_model_file_load(&model, path, &(dt_model_file_flags){f->compute_dtype, f->tokenizer}));
    if (status == DT_OK)
        status = dt_agree(world, set_data_format(&model.about.config, f));
    if (status == DT_OK)
        status = dt_agree(world, evaluate(world, &model, f, &corpus, &evaluator, &workers));
    dt_workers_free(&workers);
    dt_evaluate_free(&evaluator);
    dt_corpus_close(&corpus);
    dt_model_file_free(&model);
    free(path);
    return status;
}

dt_status dt_verb_eval(const dt_verb *verb, int argc, char **argv) {
    dt_verb_flags f = {0};
    const char *name;
    dt_world world;
    DT_TRY(dt_stop_prepare());
    DT_TRY(dt_world_open(&world));
    dt_stop_attend(NULL, NULL); /* nothing is to be left of what was unpacked */
    dt_log_open(world.rank == 0, dt_log_find_terminal());
    dt_status status = dt_verb_same_launch(&world, argc, argv);
    if (status == DT_OK)
        status = dt_agree(&world, dt_verb_checkpoint(verb, argc, argv, &f, &name, NULL));
    if (status == DT_OK)
        status = run(&world, name, &f);
    if (status == DT_STOPPED)
        status = *dt_error() ? dt_fail("%s: nothing was found", dt_error()) : DT_FAILED;
    dt_stop_finish();
    free(f.data_list);
    return dt_verb_leave(&world, status);
}
