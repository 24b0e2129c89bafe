/* Rank 0 reads; the others are told. */
#include "train/resume.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/plural.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "checkpoint/choose.h"
#include "optim/moments.h"
#include "config/check.h"
#include "config/length.h"
#include "config/options.h"
#include "config/value.h"
#include "train/resume_tell.h"
#include "train/settings.h"

#define CHECKPOINTS "checkpoints"
#define INIT_FROM   "init_from"

/* A run whose checkpoints are not in a folder of their own: it is where its folder checkpoints/ is now. */
static dt_status settle_beside(dt_config *config, dt_config *saved, const char *path, char *parent) {
    char *usual = dt_file_join(saved->out_dir, CHECKPOINTS), *name = strrchr(parent, '/');
    if (usual == NULL)
        return DT_FAILED;
    const bool known = dt_file_is_same(usual, parent);
    free(usual);
    if (known)
        return dt_config_set(config, "out_dir", saved->out_dir, "resume");
    if (strcmp(name, "/" CHECKPOINTS) != 0)
        return dt_usage(
            "resume: cannot tell which folder to write to, since %s is not in the folder " CHECKPOINTS
            "/ of a run; name the folder with --out-dir",
            path);
    name[name == parent] = 0;
    return dt_config_set(config, "out_dir", parent, "resume");
}

static dt_status settle(dt_config *config, dt_config *saved, const char *path) {
    char *parent = realpath(path, NULL);
    if (parent == NULL)
        return dt_fail("resume: cannot look at %s: %s", path, strerror(errno));
    char *name = strrchr(parent, '/');
    name[name == parent] = 0;
    dt_status status = DT_OK;
    if (saved->checkpoint_dir == NULL)
        status = settle_beside(config, saved, path, parent);
    else if (dt_file_is_same(saved->checkpoint_dir, parent)) {
        status = dt_config_set(config, "out_dir", saved->out_dir, "resume");
        if (status == DT_OK)
            status = dt_config_set(config, "checkpoint_dir", saved->checkpoint_dir, "resume");
    } else
        status =
            dt_usage("resume: cannot tell which folders to write to: the run of %s kept its checkpoints in "
                     "%s, but this one is elsewhere; name the folders with --out-dir and --checkpoint-dir",
                     path, saved->checkpoint_dir);
    free(parent);
    return status;
}

dt_status dt_resume_settle(dt_config *config) {
    dt_checkpoint_about about;
    char *path;
    if (config->resume == NULL || dt_checkpoint_find_is_name(config->resume) ||
        dt_config_is_given(config, "out_dir") || dt_config_is_given(config, "checkpoint_dir"))
        return DT_OK;
    DT_TRY(dt_checkpoint_choose(config->resume, &path));
    dt_status status = dt_checkpoint_choose_expect_own(config->resume, path);
    if (status == DT_OK)
        status = dt_checkpoint_read_about(path, &about);
    if (status == DT_OK) {
        status = settle(config, &about.config, path);
        dt_config_free(&about.config);
    }
    free(path);
    return status;
}

/* Gives the option `key`, which is `value` here, the value that it has on rank 0. */
static dt_status tell_all(const dt_world *world, dt_config *config, const char *key, const char *value) {
    char *text = world->rank == 0 && value ? strdup(value) : NULL;
    size_t length = text ? strlen(text) : 0;
    dt_status status =
        text || value == NULL || world->rank > 0 ? DT_OK : dt_fail("out of memory for a folder's name");
    status = dt_agree(world, status);
    if (status == DT_OK)
        status = dt_world_broadcast_block(world, &text, &length);
    if (status == DT_OK && text && (value == NULL || strcmp(value, text) != 0))
        status = dt_config_set(config, key, text, "resume");
    free(text);
    return dt_agree(world, status);
}

/* Every rank that looks for tokens or makes them does so below out_dir. */
dt_status dt_resume_settle_all(const dt_world *world, dt_config *config) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(config->resume), DT_SAME_TEXT(config->out_dir));
    if (config->resume == NULL)
        return DT_OK;
    DT_TRY(dt_agree(world, world->rank == 0 ? dt_resume_settle(config) : DT_OK));
    DT_TRY(tell_all(world, config, "out_dir", config->out_dir));
    return tell_all(world, config, "checkpoint_dir", config->checkpoint_dir);
}

dt_status dt_resume_adopt(dt_config *config, const dt_config *saved) {
    dt_config fitting = *saved;
    /* Where the run is was settled before: it had to be known to find the checkpoint. */
    fitting.out_dir = config->out_dir;
    fitting.checkpoint_dir = config->checkpoint_dir;
    fitting.resume = config->resume;
    /* The time that a job has is no other job's. */
    fitting.stop_after_seconds = config->stop_after_seconds;
    dt_length_replace(config, &fitting);
    DT_TRY(dt_config_adopt(config, &fitting));
    /* What the weights began as is past. */
    return dt_value_copy(config, saved, dt_options_find(INIT_FROM, strlen(INIT_FROM), false));
}

/* What the tokenizer `name` makes against what the checkpoint's own does: `*same`, or a name that is the
 * checkpoint's but whose file is another now. */
static dt_status compare_tokenizers(const char *path, const char *name, const dt_tokenizer *own, bool *same) {
    dt_tokenizer given = {0};
    dt_status status = dt_tokenizer_open(&given, name);
    if (status == DT_OK)
        *same = given.hash == own->hash && given.V == own->V;
    if (status == DT_OK && !*same)
        status =
            dt_usage("cannot resume: %s is not the tokenizer that the checkpoint was trained with: its "
                     "hash is %016" PRIx64 ", expected %016" PRIx64 "; leave tokenizer out to go on with "
                     "the one in %s, or start a new run without --resume",
                     name, given.hash, own->hash, path);
    dt_tokenizer_free(&given);
    return status;
}

/* A tokenizer's file is judged by its content, not by its name. What is of another kind, or gone, is left to
 * the comparison of the options. */
static dt_status find_tokenizer(dt_resume *resume, const dt_config *config, const char *path,
                                const char *saved) {
    const char *name = config->tokenizer;
    if (!dt_config_is_given(config, "tokenizer") || name == NULL || saved == NULL ||
        dt_tokenizer_is_kind(name) || !dt_file_is_there(name))
        return DT_OK;
    dt_tokenizer own = {0};
    char *json = NULL;
    size_t length;
    bool same = false;
    dt_status status = dt_checkpoint_read_tokenizer(path, &json, &length);
    if (status == DT_OK)
        status = dt_tokenizer_create(&own, saved, json, length);
    if (status == DT_OK)
        status = compare_tokenizers(path, name, &own, &same);
    dt_tokenizer_free(&own);
    free(json);
    resume->own_tokenizer = same;
    return status;
}

/* Rank 0's part of dt_resume_find; `*text` becomes the checkpoint's config, for the others. */
static dt_status find(dt_resume *resume, dt_config *config, const char *checkpoints_folder, char **path,
                      char **text) {
    dt_checkpoint_about about;
    DT_TRY(dt_checkpoint_find(checkpoints_folder, config->resume, path));
    if (*path == NULL) {
        dt_log_line("resume: no checkpoint in %s yet, starting fresh", checkpoints_folder);
        return dt_resume_tell_saves(config, checkpoints_folder);
    }
    DT_TRY(dt_checkpoint_read_about(*path, &about));
    resume->found = 1;
    resume->step = about.step;
    resume->seed = about.config.seed;
    resume->corpus = about.corpus;
    memcpy(resume->products, about.products, sizeof resume->products);
    memcpy(resume->run_id, about.run_id, sizeof resume->run_id);
    memcpy(resume->parent_run_id, about.parent_run_id, sizeof resume->parent_run_id);
    const dt_status status = find_tokenizer(resume, config, *path, about.config.tokenizer);
    json_t *object = dt_config_to_json(&about.config);
    *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    dt_config_free(&about.config);
    DT_TRY(status);
    return *text ? DT_OK : dt_fail("out of memory for the config of %s", *path);
}

/* Adds what the checkpoint's config `text` says to this rank's. */
static dt_status adopt_text(const dt_world *world, dt_config *config, const char *text,
                            const dt_resume *resume) {
    dt_config saved;
    dt_status status = dt_config_init(&saved);
    json_t *object = json_loads(text, 0, NULL);
    char *asked = config->init_from ? strdup(config->init_from) : NULL;
    if (status == DT_OK && (object == NULL || (asked == NULL && config->init_from)))
        status = dt_fail("out of memory for the config of the checkpoint");
    if (status == DT_OK)
        status = dt_config_from_json(&saved, object, "config");
    if (status == DT_OK && resume->own_tokenizer)
        status = dt_config_set(config, "tokenizer", saved.tokenizer, "resume");
    if (status == DT_OK)
        status = dt_resume_adopt(config, &saved);
    if (status == DT_OK)
        status = dt_settings_settle_length(config, resume->corpus.tokens);
    if (status == DT_OK)
        status = dt_config_compare(&saved, config, NULL);
    if (status == DT_OK)
        status = dt_config_check(config);
    /* Not before it is known that the run goes on. */
    if (status == DT_OK && world->rank == 0)
        status = dt_resume_tell_changes(&saved, config, asked, resume->step);
    free(asked);
    json_decref(object);
    dt_config_free(&saved);
    return status;
}

dt_status dt_resume_find(dt_resume *resume, const dt_world *world, dt_config *config,
                         const char *checkpoints_folder, char **path) {
    DT_COLLECTIVE(world, DT_SAME_TEXT(config->resume), DT_SAME_TEXT(checkpoints_folder));
    char *text = NULL;
    size_t length = 0;
    memset(resume, 0, sizeof *resume);
    *path = NULL;
    if (config->resume == NULL)
        return DT_OK;
    DT_TRY(dt_agree(world, world->rank == 0 ? find(resume, config, checkpoints_folder, path, &text) : DT_OK));
    DT_TRY(dt_world_broadcast(world, resume, (int64_t)sizeof *resume));
    if (text)
        length = strlen(text);
    DT_TRY(dt_world_broadcast_block(world, &text, &length));
    dt_status status = DT_OK;
    if (text)
        status = adopt_text(world, config, text, resume);
    else if (config->init_from == NULL) /* or else it says more of the config */
        status = dt_config_check(config);
    free(text);
    return dt_agree(world, status);
}

dt_status dt_resume_check_corpus(const dt_resume *resume, const dt_corpus_identity *corpus,
                                 const char *corpus_path, int64_t files) {
    const dt_corpus_identity *saved = &resume->corpus;
    if (!resume->found)
        return DT_OK;
    if (saved->file_bytes != corpus->file_bytes || saved->tokens != corpus->tokens)
        return dt_usage(
            "%s %s not the text that the checkpoint was trained on: expected %" PRId64 " bytes and %" PRId64
            " tokens, found %" PRId64 " and %" PRId64
            "; give that text by --data, or start a new run in another --out-dir without --resume",
            corpus_path, dt_plural(files, "is", "are"), saved->file_bytes, saved->tokens, corpus->file_bytes,
            corpus->tokens);
    if (saved->hash != corpus->hash)
        return dt_usage(
            "%s %s not the text that the checkpoint was trained on: it is as long, but its content hash is "
            "%016" PRIx64 ", expected %016" PRIx64
            "; give that text by --data, or start a new run in another --out-dir without --resume",
            corpus_path, dt_plural(files, "is", "are"), corpus->hash, saved->hash);
    return DT_OK;
}

/* Where rank 0 deals what it reads. */
typedef struct dealer {
    const dt_moments *moments;
    dt_state *state;
} dealer;

static dt_status deal(void *context, int section, int64_t first, const float *elements, int64_t count) {
    const dealer *to = context;
    return dt_moments_deal(to->moments, to->state, section, first, elements, count);
}

/* Loads into `state`, whose moments the ranks share out: they go on piece by piece as they are read, so that
 * no rank ever has those of others. */
static dt_status load_sharded(const dt_world *world, const char *path, dt_state *state,
                              const dt_moments *moments) {
    if (world->rank != 0)
        return dt_agree(world, dt_moments_receive(moments, state));
    dealer to = {moments, state};
    dt_status status = dt_checkpoint_load_to(path, state, &(dt_safetensors_sink){deal, &to});
    if (dt_moments_deal_end(moments) != DT_OK)
        status = DT_FAILED;
    return dt_agree(world, status);
}

static dt_status load_whole(const dt_world *world, const char *path, dt_state *state, int64_t bytes) {
    DT_TRY(dt_agree(world, world->rank == 0 ? dt_checkpoint_load(path, state, true) : DT_OK));
    DT_TRY(dt_world_broadcast(world, state->exp_avg, bytes));
    return dt_world_broadcast(world, state->exp_avg_sq, bytes);
}

dt_status dt_resume_load(const dt_world *world, const char *path, dt_state *state,
                         const dt_moments *moments) {
    DT_COLLECTIVE(world, DT_SAME_INT(state->layout->elements), DT_SAME_INT(state->sharded));
    const int64_t bytes = state->layout->elements * (int64_t)sizeof(float);
    DT_TRY(state->sharded ? load_sharded(world, path, state, moments)
                          : load_whole(world, path, state, bytes));
    DT_TRY(dt_world_broadcast(world, state->parameters, bytes));
    int64_t step = state->step;
    DT_TRY(dt_world_broadcast(world, &step, (int64_t)sizeof step));
    dt_state_arrive(state, step);
    return DT_OK;
}
