/* `dtrain eval CHECKPOINT --data F`: how well a trained model predicts a text. Ranks share the windows. */
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "comm/agree.h"
#include "data/batch.h"
#include "train/corpus_index.h"
#include "train/evaluate.h"
#include "train/model_file.h"
#include "verb/verb.h"

typedef struct flags {
    const char *data, *split, *windows;
} flags;

/* The tokens that count: of the text it was trained on what was kept for validation, of any other all. */
static dt_status choose_split(const flags *f, const dt_checkpoint_about *about, const dt_corpus *corpus,
                              int64_t *first_token, const char **what) {
    const dt_corpus_identity identity = dt_corpus_index_identity(corpus);
    const bool own = identity.hash == about->corpus.hash && identity.file_bytes == about->corpus.file_bytes;
    const char *split = f->split ? f->split : own ? "validation" : "all";
    if (strcmp(split, "validation") != 0 && strcmp(split, "all") != 0)
        return dt_usage("--split: expected validation or all, found \"%s\"", split);
    const bool all = strcmp(split, "all") == 0;
    *first_token = all ? 0 : dt_lanes_train_tokens(corpus->total.tokens, about->config.train_ratio);
    *what = all ? "all of the text" : "its validation split";
    return DT_OK;
}

static dt_status evaluate(const dt_world *world, const dt_model_file *model, const flags *f,
                          dt_corpus *corpus, dt_evaluator *evaluator, dt_workers *workers) {
    const dt_config *c = &model->about.config;
    int64_t windows = DT_NULL_INT, first_token = 0;
    const char *what = "";
    double loss;
    bool complete;
    int threads;
    if (f->windows)
        DT_TRY(dt_verb_count("windows", f->windows, &windows));
    DT_TRY(dt_corpus_index_open(corpus, world, f->data ? f->data : c->data));
    dt_corpus_warn(corpus);
    DT_TRY(choose_split(f, &model->about, corpus, &first_token, &what));
    dt_status status = dt_workers_count(&threads);
    if (status == DT_OK)
        status = dt_workers_create(workers, threads, &model->layout.shape, c->micro_batch_size);
    if (status == DT_OK)
        status = dt_evaluate_create(evaluator, world, corpus, first_token, c->max_seq_len,
                                    c->micro_batch_size, windows, true);
    DT_TRY(dt_agree(world, status));
    DT_TRY(dt_evaluate_run(evaluator, &model->gpt, &model->weights, workers, &loss, &complete));
    if (!isfinite(loss))
        return dt_fail(
            "expected a finite loss of %s on %s, found %g: the weights are finite, but too large to "
            "compute with; use an earlier checkpoint",
            model->path, corpus->path, loss);
    dt_log_line("%s after step %" PRId64 " on %s, %s: %" PRId64 " windows of %" PRId64 " tokens", model->path,
                model->about.step, corpus->path, what, evaluator->windows, c->max_seq_len);
    dt_log_line("loss %.9g nats  perplexity %.6g  %.6g bits per character", loss, exp(loss), loss / log(2.0));
    return world->rank == 0 ? dt_verb_printed("the loss") : DT_OK;
}

/* Rank 0 says which folder it is: "latest" may come to mean another while the ranks look. */
static dt_status find(const dt_world *world, const char *name, char **path) {
    *path = NULL;
    DT_TRY(dt_agree(world, world->rank == 0 ? dt_model_file_find(name, path) : DT_OK));
    size_t length = *path ? strlen(*path) : 0;
    return dt_world_broadcast_block(world, path, &length);
}

static dt_status run(const dt_world *world, const char *name, const flags *f) {
    dt_model_file model = {0};
    char *path;
    dt_corpus corpus = {0};
    dt_evaluator evaluator = {0};
    dt_workers workers = {0};
    dt_status status = find(world, name, &path);
    if (status == DT_OK)
        status = dt_agree(world, dt_model_file_load(&model, path));
    if (status == DT_OK)
        status = dt_agree(world, evaluate(world, &model, f, &corpus, &evaluator, &workers));
    dt_workers_free(&workers);
    dt_evaluate_free(&evaluator);
    dt_corpus_close(&corpus);
    dt_model_file_free(&model);
    free(path);
    return status;
}

dt_status dt_verb_eval(int argc, char **argv) {
    flags f = {0};
    const dt_flag own[] = {{"data", true, &f.data},
                           {"split", true, &f.split},
                           {"windows", true, &f.windows},
                           {NULL, false, NULL}};
    const char *name;
    dt_world world;
    DT_TRY(dt_world_open(&world));
    dt_log_open(world.rank == 0, dt_log_find_terminal());
    dt_status status = dt_verb_same_launch(&world, argc, argv);
    if (status == DT_OK)
        status = dt_agree(&world, dt_verb_checkpoint("eval", argc, argv, own, &name));
    if (status == DT_OK)
        status = run(&world, name, &f);
    return dt_verb_leave(&world, status);
}
