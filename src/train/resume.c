/* Rank 0 reads; the others are told. */
#include "train/resume.h"

#include <inttypes.h>
#include <string.h>

#include "base/log.h"
#include "comm/agree.h"

static void log_change(const char *key, const char *saved, const char *now) {
    dt_log_line("resume: %s was %s and is %s from here on", key, saved, now);
}

/* Rank 0's part of dt_resume_find. */
static dt_status find(dt_resume *resume, dt_config *config, const char *checkpoints_folder, char **path) {
    dt_checkpoint_about about;
    DT_TRY(dt_checkpoint_find(checkpoints_folder, config->resume, path));
    if (*path == NULL) {
        dt_log_line("resume: no checkpoint in %s yet, starting fresh", checkpoints_folder);
        return DT_OK;
    }
    DT_TRY(dt_checkpoint_read_about(*path, &about));
    dt_status status = dt_config_compare(&about.config, config, log_change);
    resume->found = 1;
    resume->step = about.step;
    resume->seed = about.config.seed;
    resume->corpus = about.corpus;
    memcpy(resume->run_id, about.run_id, sizeof resume->run_id);
    if (config->data == NULL) {
        config->data = about.config.data;
        about.config.data = NULL;
    }
    dt_config_free(&about.config);
    return status;
}

dt_status dt_resume_find(dt_resume *resume, const dt_world *world, dt_config *config,
                         const char *checkpoints_folder, char **path) {
    memset(resume, 0, sizeof *resume);
    *path = NULL;
    if (config->resume == NULL)
        return DT_OK;
    DT_TRY(dt_agree(world, world->rank == 0 ? find(resume, config, checkpoints_folder, path) : DT_OK));
    return dt_world_broadcast(world, resume, (int64_t)sizeof *resume);
}

dt_status dt_resume_check_corpus(const dt_resume *resume, const dt_corpus_identity *corpus,
                                 const char *corpus_path) {
    const dt_corpus_identity *saved = &resume->corpus;
    if (!resume->found)
        return DT_OK;
    if (saved->file_bytes != corpus->file_bytes || saved->tokens != corpus->tokens)
        return dt_usage(
            "%s is not the text that the checkpoint was trained on: expected %" PRId64 " bytes and %" PRId64
            " tokens, found %" PRId64 " and %" PRId64
            "; give that text by --data, or start a new run in another --out-dir without --resume",
            corpus_path, saved->file_bytes, saved->tokens, corpus->file_bytes, corpus->tokens);
    if (saved->hash != corpus->hash)
        return dt_usage(
            "%s is not the text that the checkpoint was trained on: it is as long, but its content hash is "
            "%016" PRIx64 ", expected %016" PRIx64
            "; give that text by --data, or start a new run in another --out-dir without --resume",
            corpus_path, corpus->hash, saved->hash);
    return DT_OK;
}

dt_status dt_resume_load(const dt_world *world, const char *path, dt_state *state) {
    DT_TRY(dt_agree(world, world->rank == 0 ? dt_checkpoint_load(path, state, true) : DT_OK));
    const int64_t bytes = state->layout->elements * (int64_t)sizeof(float);
    DT_TRY(dt_world_broadcast(world, state->parameters, bytes));
    DT_TRY(dt_world_broadcast(world, state->exp_avg, bytes));
    DT_TRY(dt_world_broadcast(world, state->exp_avg_sq, bytes));
    return dt_world_broadcast(world, &state->step, (int64_t)sizeof state->step);
}
