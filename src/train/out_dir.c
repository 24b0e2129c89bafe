/* What can go wrong with a place is found here and not a thousand steps later. */
#include "train/out_dir.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "train/checkpoint_place.h"

/* A folder named by an option that cannot be is a wrong config, not a fault of the run. */
static dt_status make_folder(const char *path, const char *option) {
    if (dt_file_make_folder(path) != DT_OK)
        return dt_usage("%s: %s; name a folder that can be written to", option, dt_error());
    return DT_OK;
}

/* Tries what a save will do: a folder beside its final place, and a link called latest. */
static dt_status try_checkpoints(const char *folder, const char *option) {
    struct stat info;
    char *probe = NULL, *latest = dt_file_join(folder, DT_CHECKPOINT_LATEST);
    dt_status status = DT_OK;
    if (latest == NULL || asprintf(&probe, "%s/" DT_CHECKPOINT_PROBE "%ld.tmp", folder, (long)getpid()) < 0)
        status = dt_fail("out of memory for a file's name");
    else if (mkdir(probe, 0777) != 0)
        status = dt_usage("%s: cannot write checkpoints into %s: %s; name a folder that can be written to",
                          option, folder, strerror(errno));
    else {
        rmdir(probe);
        if (lstat(latest, &info) == 0 && !S_ISLNK(info.st_mode))
            status = dt_usage(
                "%s: expected %s to be a symbolic link to the newest checkpoint, found something else; move "
                "it away",
                option, latest);
    }
    free(probe);
    free(latest);
    return status;
}

/* Whether there are checkpoints in `folder`, which need not be there. Not to know would be to write among
 * them. */
static dt_status look_for_checkpoints(const char *folder, bool *found) {
    char **names;
    size_t count;
    *found = false;
    if (!dt_file_is_folder(folder))
        return DT_OK;
    DT_TRY(dt_file_list(folder, &names, &count));
    for (size_t i = 0; i < count; i++)
        *found = *found || dt_checkpoint_place_step(names[i]) >= 0;
    dt_file_free_names(names, count);
    return DT_OK;
}

/* Renames `path` to path.number, if it is there. */
static dt_status keep(const char *path, int64_t number) {
    char *kept = NULL;
    if (asprintf(&kept, "%s.%" PRId64, path, number) < 0)
        return dt_fail("out of memory for a file's name");
    dt_status status = DT_OK;
    if (rename(path, kept) == 0)
        dt_log_line("kept what another run left: %s is now %s", path, kept);
    else if (errno != ENOENT)
        status =
            dt_usage("cannot keep what another run left in %s: %s; give this run an --out-dir of its own",
                     path, strerror(errno));
    free(kept);
    return status;
}

/* The first number that neither name has been kept under. */
static dt_status free_number(const char *metrics, const char *checkpoints, int64_t *number) {
    bool taken = true;
    for (*number = 0; taken;) {
        char *first = NULL, *second = NULL;
        ++*number;
        const bool known = asprintf(&first, "%s.%" PRId64, metrics, *number) >= 0 &&
                           asprintf(&second, "%s.%" PRId64, checkpoints, *number) >= 0;
        taken = known && (dt_file_exists(first) || dt_file_exists(second));
        free(first);
        free(second);
        if (!known)
            return dt_fail("out of memory for a file's name");
    }
    return DT_OK;
}

static dt_status clear(const char *metrics, const char *checkpoints) {
    bool any;
    int64_t number;
    DT_TRY(look_for_checkpoints(checkpoints, &any));
    if (!any && !dt_file_exists(metrics))
        return DT_OK;
    DT_TRY(free_number(metrics, checkpoints, &number));
    if (any)
        DT_TRY(keep(checkpoints, number));
    return keep(metrics, number);
}

/* The lock of one folder, whose file `suffix` names within or beside it. */
static dt_status claim_folder(dt_lock *lock, const char *folder, const char *suffix, const char *option,
                              double patience_seconds) {
    char *path = NULL, *purpose = NULL;
    dt_status status = DT_OK;
    if (asprintf(&path, "%s%s", folder, suffix) < 0)
        path = NULL;
    if (asprintf(&purpose, "%s: %s", option, folder) < 0)
        purpose = NULL;
    if (path == NULL || purpose == NULL)
        status = dt_fail("out of memory for a file's name");
    else
        status = dt_lock_take(lock, path, patience_seconds, purpose);
    free(path);
    free(purpose);
    return status;
}

/* Checkpoints are locked from beside, since a fresh run moves their folder away. */
static dt_status claim_both(dt_out_dir_claim *claim, const dt_config *config, double patience_seconds) {
    if (dt_file_is_folder(config->out_dir))
        DT_TRY(claim_folder(&claim->out_dir, config->out_dir, "/run.lock", "out_dir", patience_seconds));
    if (config->checkpoint_dir == NULL || !dt_file_is_folder(config->checkpoint_dir))
        return DT_OK;
    return claim_folder(&claim->checkpoint_dir, config->checkpoint_dir, ".lock", "checkpoint_dir",
                        patience_seconds);
}

dt_status dt_out_dir_claim_existing(dt_out_dir_claim *claim, const dt_config *config,
                                    const char *checkpoints_folder) {
    if (!dt_file_is_folder(checkpoints_folder))
        return DT_OK;
    DT_TRY(claim_both(claim, config, DT_OUT_DIR_PATIENCE_SECONDS));
    return dt_checkpoint_place_clear(checkpoints_folder);
}

void dt_out_dir_release(dt_out_dir_claim *claim) {
    dt_lock_release(&claim->checkpoint_dir);
    dt_lock_release(&claim->out_dir);
}

dt_status dt_out_dir_prepare(dt_out_dir_claim *claim, const dt_config *config, const char *checkpoints_folder,
                             bool fresh) {
    const char *option = config->checkpoint_dir ? "checkpoint_dir" : "out_dir";
    char *metrics = dt_file_join(config->out_dir, "metrics.jsonl");
    if (metrics == NULL)
        return dt_fail("out of memory for a file's name");
    /* Before anything is made that would be left behind. */
    dt_status status =
        dt_file_is_folder(metrics)
            ? dt_usage("out_dir: expected %s to be a file or nothing yet, found a folder; move "
                       "it away or name another out_dir",
                       metrics)
            : make_folder(config->out_dir, "out_dir");
    if (status == DT_OK)
        status = make_folder(checkpoints_folder, option);
    if (status == DT_OK)
        status = claim_both(claim, config, 0.0);
    if (status == DT_OK)
        status = dt_checkpoint_place_clear(checkpoints_folder);
    if (status == DT_OK && fresh)
        status = clear(metrics, checkpoints_folder);
    /* Anew, where it was moved away. */
    if (status == DT_OK)
        status = make_folder(checkpoints_folder, option);
    if (status == DT_OK)
        status = try_checkpoints(checkpoints_folder, option);
    free(metrics);
    return status;
}
