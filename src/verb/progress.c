/* `dtrain progress RUN`, or with the words of a training run: how far is it? A batch script asks before it
 * requeues itself. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "checkpoint/checkpoint.h"
#include "config/length.h"
#include "config/options.h"
#include "train/metrics.h"
#include "train/metrics_lines.h"
#include "train/out_dir.h"
#include "train/resume.h"
#include "train/settings.h"
#include "verb/verb.h"

static bool starts_anew(const dt_config *config) {
    return config->resume != NULL && strcmp(config->resume, "auto") == 0;
}

/* A run whose checkpoints are elsewhere has not come to step 0, unless the same words would start it anew. */
static dt_status expect_none_saved(const dt_config *config, const char *checkpoints_folder) {
    int64_t saved;
    char *metrics = dt_file_join(config->out_dir, DT_METRICS_NAME);
    if (metrics == NULL)
        return DT_FAILED;
    dt_status status = dt_metrics_last_save(metrics, &saved);
    if (status == DT_OK && saved >= 0)
        status = dt_fail("out_dir: %s tells of a checkpoint of step %" PRId64 ", but %s holds none; name the "
                         "folder of checkpoints with --checkpoint-dir",
                         metrics, saved, checkpoints_folder);
    free(metrics);
    return status;
}

/* A folder with neither checkpoints nor lines is no run's, however many files it has. */
static dt_status expect_lines(const dt_config *config, const char *metrics, const char *checkpoints_folder) {
    return dt_file_exists(metrics)
               ? DT_OK
               : dt_usage("out_dir: expected %s to be a run's folder, found no %s in it and no checkpoint in "
                          "%s; give --resume auto too if the run may not have begun",
                          config->out_dir, DT_METRICS_NAME, checkpoints_folder);
}

/* A run that has saved nothing yet says in its lines how far it is to go. */
static dt_status adopt_start(dt_config *config, const char *checkpoints_folder) {
    dt_config saved;
    json_t *start = NULL;
    char *metrics = dt_file_join(config->out_dir, DT_METRICS_NAME);
    dt_status status = dt_config_init(&saved);
    if (status == DT_OK)
        status = metrics ? expect_lines(config, metrics, checkpoints_folder) : DT_FAILED;
    if (status == DT_OK)
        status = dt_metrics_last_start(metrics, &start);
    json_t *options = json_object_get(start, "config");
    if (status == DT_OK && options && dt_config_from_json(&saved, options, metrics) == DT_OK) {
        status = dt_resume_adopt(config, &saved);
        if (status == DT_OK)
            status = dt_settings_settle_length(config,
                                               json_integer_value(json_object_get(start, "corpus_tokens")));
    }
    json_decref(start);
    free(metrics);
    dt_config_free(&saved);
    return status;
}

/* The step of the checkpoint that --resume auto would go on from, 0 without one; it also says what no word of
 * the run does, above all max_steps. */
static dt_status find_step(dt_config *config, const char *checkpoints_folder, int64_t *step) {
    dt_checkpoint_about about;
    char *path;
    *step = 0;
    DT_TRY(dt_checkpoint_find(checkpoints_folder, "auto", &path));
    if (path == NULL && starts_anew(config))
        return DT_OK;
    if (path == NULL) {
        DT_TRY(expect_none_saved(config, checkpoints_folder));
        return adopt_start(config, checkpoints_folder);
    }
    dt_status status = dt_checkpoint_read_about(path, &about);
    if (status == DT_OK) {
        *step = about.step;
        if (dt_config_is_given(config, "out_dir"))
            status = dt_out_dir_expect_own(config, checkpoints_folder, path);
        if (status == DT_OK)
            status = dt_resume_adopt(config, &about.config);
        if (status == DT_OK)
            status = dt_settings_settle_length(config, about.corpus.tokens);
        dt_config_free(&about.config);
    }
    free(path);
    return status;
}

/* A run that is started anew with the same words may find its folder not there; asked of any other, a folder
 * that is not there is a wrong word, as one is where no run could be. */
static dt_status expect_folder(const dt_config *config, const char *option, const char *path) {
    struct stat info;
    if (stat(path, &info) == 0)
        return S_ISDIR(info.st_mode)
                   ? DT_OK
                   : dt_usage("%s: expected %s to be a run's folder, found a file; name a folder", option,
                              path);
    if (errno != ENOENT)
        return dt_usage("%s: cannot look at %s: %s; expected a run's folder", option, path, strerror(errno));
    if (starts_anew(config))
        return DT_OK;
    return dt_usage("%s: expected %s to be a run's folder, found nothing there; give --resume auto too if "
                    "the run may not have begun",
                    option, path);
}

/* Where nobody has named a place for checkpoints, they need not be there yet. */
static dt_status expect_checkpoints(const dt_config *config, const char *folder) {
    struct stat info;
    if (config->checkpoint_dir)
        return expect_folder(config, "checkpoint_dir", folder);
    return stat(folder, &info) == 0 || errno != ENOENT ? expect_folder(config, "out_dir", folder) : DT_OK;
}

static dt_status report(dt_config *config) {
    int64_t step = 0;
    DT_TRY(dt_resume_settle(config));
    char *folder = config->checkpoint_dir ? strdup(config->checkpoint_dir)
                                          : dt_file_join(config->out_dir, "checkpoints");
    dt_status status = folder ? DT_OK : dt_fail("out of memory for a folder's name");
    if (status == DT_OK)
        status = expect_folder(config, "out_dir", config->out_dir);
    if (status == DT_OK)
        status = expect_checkpoints(config, folder);
    if (status == DT_OK)
        status = find_step(config, folder, &step);
    free(folder);
    DT_TRY(status);
    dt_log_open(true, false);
    /* Before the text is read nobody knows what an epoch is. */
    char end[32] = "an end not known yet";
    dt_length_settle(config, 0.0);
    if (!dt_is_null_int(config->max_steps))
        snprintf(end, sizeof end, "%" PRId64, config->max_steps);
    const bool complete = !dt_is_null_int(config->max_steps) && step >= config->max_steps;
    dt_log_line("%s: step %" PRId64 " of %s in %s", complete ? "complete" : "unfinished", step, end,
                config->out_dir);
    return dt_verb_printed("the progress");
}

/* Whether a word is the flag --out-dir, with or without a value in it. */
static bool names_out_dir(const char *word) {
    return strncmp(word, "--", 2) == 0 &&
           dt_options_spells("out_dir", word + 2, strcspn(word + 2, "="), true);
}

/* "progress RUN .." is "progress --out-dir RUN ..": `words` has room for one more than `argc`. */
static dt_status name_run(int argc, char **argv, char **words) {
    static char flag[] = "--out-dir";
    words[0] = flag;
    for (int i = 0; i < argc; i++) {
        if (i > 0 && names_out_dir(argv[i]))
            return dt_usage("progress: expected one run, found %s and %s; leave one of them out", argv[0],
                            argv[i]);
        words[i + 1] = argv[i];
    }
    return **argv != 0 ? DT_OK : dt_usage("progress: expected a run's folder, found an empty word");
}

dt_status dt_verb_progress(const dt_verb *verb, int argc, char **argv) {
    dt_config config = {0};
    dt_verb_flags flags;
    const bool named = argc > 0 && argv[0][0] != '-';
    /* What is wrong with a checkpoint is for the training to say; this answers in one line. */
    dt_log_open(false, false);
    char **words = dt_memory_alloc(argc + 1, sizeof *words, "the words of the command line");
    dt_status status = words == NULL ? DT_FAILED : named ? name_run(argc, argv, words) : DT_OK;
    if (status == DT_OK)
        status = dt_verb_settings(&config, &flags, NULL, verb, named ? argc + 1 : argc, named ? words : argv,
                                  DT_VERB_RESUMES);
    if (status == DT_OK)
        status = report(&config);
    dt_config_free(&config);
    dt_memory_free(words);
    return status;
}
