/* What can go wrong with a place is found here and not a thousand steps later. */
#include "train/out_dir.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "train/aside.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/links.h"
#include "checkpoint/metadata.h"
#include "checkpoint/path.h"
#include "train/metrics.h"
#include "train/metrics_lines.h"
#include "train/out_dir_look.h"
#include "train/tensorboard.h"

/* A folder named by an option that cannot be is a wrong config, not a fault of the run. */
static dt_status make_folder(const char *path, const char *option) {
    if (dt_file_make_folder(path) != DT_OK)
        return dt_usage("%s: %s; name a folder that you can write to", option, dt_error());
    return DT_OK;
}

/* A save will replace the link: another user's, in a folder like /tmp, cannot be. */
static dt_status try_latest(const char *folder, const char *option) {
    const int64_t step = dt_checkpoint_path_follow(folder, DT_CHECKPOINT_LATEST);
    if (step >= 0 && dt_checkpoint_path_point(folder, DT_CHECKPOINT_LATEST, step) != DT_OK)
        return dt_usage(
            "%s: %s; name a folder that you can write to, or ask the owner of the link to remove it", option,
            dt_error());
    return DT_OK;
}

/* Makes and removes a folder and a file in it; 0, or the errno of what did not work. */
static int try_files(const char *folder, const char *file) {
    if (mkdir(folder, 0777) != 0)
        return errno;
    const int descriptor = open(file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    const int failed = descriptor < 0 ? errno : 0;
    if (descriptor >= 0) {
        close(descriptor);
        unlink(file);
    }
    rmdir(folder);
    return failed;
}

/* Tries what a save will do: a folder beside its final place, and links called latest and best. */
static dt_status try_checkpoints(const char *folder, const char *option) {
    /* As long as the name of any step, while it is written. */
    static const char any[] = "/" DT_CHECKPOINT_PROBE DT_CHECKPOINT_PREFIX "999999999999999999.";
    char *probe = NULL, *file = NULL;
    const int written = asprintf(&probe, "%s%s%ld.tmp", folder, any, (long)getpid());
    if (written < 0 || asprintf(&file, "%s/" DT_CHECKPOINT_OPTIMIZER, probe) < 0) {
        if (written >= 0)
            free(probe);
        return dt_fail("out of memory for a file's name");
    }
    const int failed = try_files(probe, file);
    free(probe);
    free(file);
    if (failed == ENAMETOOLONG)
        return dt_out_dir_look_refuse_length(folder, option);
    if (failed)
        return dt_usage("%s: cannot write checkpoints into %s: %s; %s", option, folder, strerror(failed),
                        failed == ENOSPC || failed == EDQUOT ? "make room there, or name another folder"
                                                             : "name a folder that you can write to");
    DT_TRY(dt_out_dir_look_link(folder, DT_CHECKPOINT_LATEST, option));
    DT_TRY(dt_out_dir_look_link(folder, DT_CHECKPOINT_BEST, option));
    return try_latest(folder, option);
}

static dt_status claim_folder(dt_lock *lock, const char *folder, const char *option,
                              double patience_seconds) {
    char *purpose = NULL;
    if (asprintf(&purpose, "%s: %s", option, folder) < 0)
        return dt_fail("out of memory for a file's name");
    const dt_status status = dt_lock_take(lock, folder, patience_seconds, purpose);
    free(purpose);
    return status;
}

/* The folders that are there, which may be one. */
static dt_status claim_both(dt_out_dir_claim *claim, const dt_config *config, const char *checkpoints_folder,
                            double patience_seconds) {
    if (dt_file_is_folder(config->out_dir))
        DT_TRY(claim_folder(&claim->out_dir, config->out_dir, "out_dir", patience_seconds));
    if (!dt_file_is_folder(checkpoints_folder) || dt_lock_covers(&claim->out_dir, checkpoints_folder))
        return DT_OK;
    claim->checkpoints.within = config->checkpoint_dir ? NULL : &claim->out_dir;
    return claim_folder(&claim->checkpoints, checkpoints_folder, dt_out_dir_look_option(config),
                        patience_seconds);
}

dt_status dt_out_dir_claim_existing(dt_out_dir_claim *claim, const dt_config *config,
                                    const char *checkpoints_folder) {
    if (!dt_file_is_folder(checkpoints_folder))
        return DT_OK;
    DT_TRY(claim_both(claim, config, checkpoints_folder, DT_OUT_DIR_PATIENCE_SECONDS));
    return dt_checkpoint_path_clear(checkpoints_folder);
}

dt_lock *dt_out_dir_checkpoints_lock(dt_out_dir_claim *claim) {
    return claim->checkpoints.folder ? &claim->checkpoints : &claim->out_dir;
}

void dt_out_dir_release(dt_out_dir_claim *claim) {
    dt_lock_release(&claim->checkpoints);
    dt_lock_release(&claim->out_dir);
}

/* One checkpoint's run; "" where it cannot be told. */
static dt_status read_run_id(const char *folder, const char *name, char run_id[DT_RUN_ID_BYTES]) {
    dt_checkpoint_about about;
    char *path = dt_file_join(folder, name);
    run_id[0] = 0;
    if (path == NULL)
        return DT_FAILED;
    if (dt_checkpoint_read_about(path, &about) == DT_OK) {
        memcpy(run_id, about.run_id, sizeof about.run_id);
        dt_config_free(&about.config);
    }
    free(path);
    return DT_OK;
}

/* A run other than `run_id` that has checkpoints in `folder`, or ""; `*holds` becomes true where `run_id` has
 * one. */
static dt_status find_other_run(const char *folder, const char *run_id, char other[DT_RUN_ID_BYTES],
                                bool *holds) {
    char **names;
    size_t count;
    other[0] = 0;
    if (!dt_file_is_folder(folder))
        return DT_OK;
    DT_TRY(dt_file_list(folder, &names, &count));
    dt_status status = DT_OK;
    for (size_t i = 0; status == DT_OK && *other == 0 && i < count; i++) {
        if (dt_checkpoint_path_step(names[i]) >= 0)
            status = read_run_id(folder, names[i], other);
        if (strcmp(other, run_id) == 0) {
            *holds = true;
            other[0] = 0;
        }
    }
    dt_file_free_names(names, count);
    return status;
}

static dt_status refuse_run(const char *folder, const char *other, const char *option, const char *run_id,
                            const char *resumed_from) {
    return dt_usage(
        "cannot resume: %s is a checkpoint of run %s, but %s holds run %s, which it would overwrite; name "
        "another folder with %s (a new one, or that of run %s), go on with run %s by --resume auto, or leave "
        "--resume out: then a new run starts there, and what is there is kept beside it",
        resumed_from, run_id, folder, other, option, run_id, other);
}

/* The run that wrote the lines of the folder last; all zero where there are none. */
static dt_status read_last_run(const char *out_dir, dt_metrics_run *last) {
    char *metrics = dt_file_join(out_dir, DT_METRICS_NAME);
    *last = (dt_metrics_run){0};
    if (metrics == NULL)
        return DT_FAILED;
    const dt_status status = dt_file_is_folder(metrics) ? DT_OK : dt_metrics_last_run(metrics, last);
    free(metrics);
    return status;
}

/* Whether a run of the config `saved` keeps its checkpoints in `folder`, and its lines elsewhere than
 * `config`: `*shared`. */
static dt_status look_who_keeps(const dt_config *saved, const dt_config *config, const char *folder,
                                bool *shared) {
    char *its =
        saved->checkpoint_dir ? strdup(saved->checkpoint_dir) : dt_file_join(saved->out_dir, "checkpoints");
    if (its == NULL)
        return dt_fail("out of memory for a folder's name");
    *shared = dt_file_is_same(its, folder) && !dt_file_is_same(saved->out_dir, config->out_dir);
    free(its);
    return DT_OK;
}

dt_status dt_out_dir_expect_own(const dt_config *config, const char *checkpoints_folder,
                                const char *checkpoint) {
    dt_checkpoint_about about;
    dt_metrics_run here, there;
    if (dt_checkpoint_read_about(checkpoint, &about) != DT_OK)
        return DT_OK; /* for who reads the rest of it to say */
    bool shared = false;
    dt_status status = look_who_keeps(&about.config, config, checkpoints_folder, &shared);
    if (shared) {
        status = read_last_run(config->out_dir, &here);
        if (status == DT_OK)
            status = read_last_run(about.config.out_dir, &there);
        if (status == DT_OK && strcmp(there.run_id, about.run_id) == 0 &&
            strcmp(here.run_id, about.run_id) != 0)
            status = dt_usage(
                "cannot resume: %s is a checkpoint of run %s, whose out_dir is %s, and not %s; give "
                "this run a --checkpoint-dir of its own, or go on with that run by --out-dir %s",
                checkpoint, about.run_id, about.config.out_dir, config->out_dir, about.config.out_dir);
    }
    dt_config_free(&about.config);
    return status;
}

/* By the lines of the run; one that another has begun from this very checkpoint is its own. */
static dt_status find_run_in_lines(const dt_config *config, const char *run_id, int64_t step,
                                   const char *resumed_from, char own_run_id[DT_RUN_ID_BYTES]) {
    dt_metrics_run last;
    DT_TRY(read_last_run(config->out_dir, &last));
    const bool began_here = strcmp(last.parent_run_id, run_id) == 0 && last.start_step == step;
    if (*last.run_id && strcmp(last.run_id, run_id) != 0 && !began_here)
        return refuse_run(config->out_dir, last.run_id, "--out-dir", run_id, resumed_from);
    memcpy(own_run_id, last.run_id, sizeof last.run_id);
    return DT_OK;
}

dt_status dt_out_dir_find_run(const dt_config *config, const char *checkpoints_folder, const char *run_id,
                              int64_t step, const char *resumed_from, char own_run_id[DT_RUN_ID_BYTES]) {
    char other[DT_RUN_ID_BYTES];
    bool holds = false;
    DT_TRY(find_run_in_lines(config, run_id, step, resumed_from, own_run_id));
    DT_TRY(find_other_run(checkpoints_folder, run_id, other, &holds));
    if (*other)
        return refuse_run(checkpoints_folder, other,
                          config->checkpoint_dir ? "--checkpoint-dir" : "--out-dir", run_id, resumed_from);
    if (holds)
        DT_TRY(dt_out_dir_expect_own(config, checkpoints_folder, resumed_from));
    if (holds)
        snprintf(own_run_id, DT_RUN_ID_BYTES, "%s", run_id);
    return DT_OK;
}

/* All that can be wrong with the paths, before anything in them is changed. */
static dt_status open_paths(dt_out_dir_claim *claim, const dt_config *config, const dt_out_dir_names *names,
                            const char *checkpoints_folder) {
    const char *option = dt_out_dir_look_option(config);
    DT_TRY(dt_out_dir_look_paths(config, names, checkpoints_folder));
    DT_TRY(claim_both(claim, config, checkpoints_folder, 0.0));
    DT_TRY(dt_out_dir_look_unused(names));
    DT_TRY(make_folder(config->out_dir, "out_dir"));
    DT_TRY(make_folder(checkpoints_folder, option));
    DT_TRY(claim_both(claim, config, checkpoints_folder, 0.0));
    DT_TRY(dt_checkpoint_path_clear(checkpoints_folder));
    DT_TRY(dt_checkpoint_links_restore(checkpoints_folder));
    return try_checkpoints(checkpoints_folder, option);
}

dt_status dt_out_dir_prepare(dt_out_dir_claim *claim, const dt_config *config, const char *checkpoints_folder,
                             int64_t resume_step) {
    dt_out_dir_names names;
    dt_status status = dt_out_dir_names_create(&names, config->out_dir);
    if (status == DT_OK)
        status = open_paths(claim, config, &names, checkpoints_folder);
    if (status == DT_OK)
        status = resume_step == DT_OUT_DIR_FRESH
                     ? dt_aside_all(names.metrics, checkpoints_folder, names.tensorboard)
                     : dt_aside_later(names.metrics, checkpoints_folder, resume_step);
    dt_out_dir_names_free(&names);
    return status;
}
