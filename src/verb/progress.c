/* `dtrain progress`, with the words of a training run: how far is it? A batch script asks before it requeues
 * itself. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "train/checkpoint.h"
#include "verb/verb.h"

/* The step of the checkpoint that --resume auto would go on from, 0 without one. */
static dt_status find_step(const char *checkpoints_folder, int64_t *step) {
    dt_checkpoint_about about;
    char *path;
    *step = 0;
    DT_TRY(dt_checkpoint_find(checkpoints_folder, "auto", &path));
    if (path == NULL)
        return DT_OK;
    dt_status status = dt_checkpoint_read_about(path, &about);
    if (status == DT_OK) {
        *step = about.step;
        dt_config_free(&about.config);
    }
    free(path);
    return status;
}

/* Where there is nothing yet the run is at step 0; where no run could be, a word of it is wrong. */
static dt_status expect_folder(const char *option, const char *path) {
    struct stat info;
    if (stat(path, &info) != 0)
        return errno == ENOENT ? DT_OK
                               : dt_usage("%s: cannot look at %s: %s; expected a run's folder or nothing yet",
                                          option, path, strerror(errno));
    if (S_ISDIR(info.st_mode))
        return DT_OK;
    return dt_usage("%s: expected %s to be a run's folder or nothing yet, found a file; give the words that "
                    "the run is started with",
                    option, path);
}

static dt_status report(const dt_config *config) {
    int64_t step = 0;
    char *folder = config->checkpoint_dir ? strdup(config->checkpoint_dir)
                                          : dt_file_join(config->out_dir, "checkpoints");
    dt_status status = folder ? DT_OK : dt_fail("out of memory for a folder's name");
    if (status == DT_OK)
        status = expect_folder("out_dir", config->out_dir);
    if (status == DT_OK)
        status = expect_folder(config->checkpoint_dir ? "checkpoint_dir" : "out_dir", folder);
    if (status == DT_OK)
        status = find_step(folder, &step);
    free(folder);
    DT_TRY(status);
    dt_log_open(true, false);
    dt_log_line("%s: step %" PRId64 " of %" PRId64 " in %s",
                step >= config->max_steps ? "complete" : "unfinished", step, config->max_steps,
                config->out_dir);
    return dt_verb_printed("the progress");
}

dt_status dt_verb_progress(int argc, char **argv) {
    dt_config config;
    /* What is wrong with a checkpoint is for the training to say; this answers in one line. */
    dt_log_open(false, false);
    dt_status status = dt_verb_settings(&config, NULL, argc, argv, NULL);
    if (status == DT_OK)
        status = report(&config);
    dt_config_free(&config);
    return status;
}
