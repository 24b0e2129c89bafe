/* What --resume means: a path, the latest or the best checkpoint, or the latest if there is one. */
#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/choose.h"
#include "checkpoint/metadata.h"
#include "checkpoint/path.h"

#define AUTO "auto"

/* The folder that the link folder/name points to, as a new string, or NULL when there is no such link. */
static dt_status follow(const char *folder, const char *name, char **path) {
    char target[PATH_MAX];
    char *link = dt_file_join(folder, name);
    *path = NULL;
    if (link == NULL)
        return DT_FAILED;
    ssize_t length = readlink(link, target, sizeof target - 1);
    int cause = errno;
    bool absent = length < 0 && (cause == ENOENT || cause == ENOTDIR);
    dt_status status = DT_OK;
    if (length >= 0) {
        target[length] = 0;
        *path = dt_file_join(folder, target);
    } else if (cause == EINVAL) {
        /* No link but a folder of that name, as copying a tree with its links resolved makes it. */
        *path = dt_file_join(folder, name);
    } else if (!absent)
        dt_status_record("cannot read the link %s: %s", link, strerror(cause));
    if (*path == NULL && !absent)
        status = DT_FAILED;
    free(link);
    return status;
}

/* What the link `name` leads to; `otherwise` is what to do without it. */
static dt_status find_link(const char *folder, const char *name, const char *otherwise, char **path) {
    DT_TRY(follow(folder, name, path));
    if (*path == NULL)
        return dt_usage("there is no %s checkpoint: expected a link %s/%s; %s", name, folder, name,
                        otherwise);
    dt_status status = dt_checkpoint_metadata_expect(*path);
    if (status != DT_OK) {
        status = dt_usage("%s/%s leads to no checkpoint: %s", folder, name, dt_error());
        free(*path);
        *path = NULL;
    }
    return status;
}

/* Whether every byte of the checkpoint is what was saved; says why not. */
static bool is_whole(const char *path) {
    dt_checkpoint_about about;
    if (dt_checkpoint_verify(path, &about) != DT_OK) {
        dt_log_warn("refused as a checkpoint to go on from: %s", dt_error());
        return false;
    }
    dt_config_free(&about.config);
    return true;
}

/* The checkpoint among `names` of the folder with the largest step below `*below`, which becomes that step;
 * NULL when none is left.
 */
static const char *next_older(const char *folder, char *const *names, size_t count, int64_t *below) {
    const char *found = NULL;
    int64_t largest = -1;
    for (size_t i = 0; i < count; i++) {
        const int64_t step = dt_checkpoint_path_step(names[i]);
        if (step > largest && step < *below && dt_checkpoint_path_is_own(folder, names[i])) {
            largest = step;
            found = names[i];
        }
    }
    *below = largest;
    return found;
}

/* The newest whole checkpoint of a step below `below`, as a new string or NULL; counts what it refuses. */
static dt_status find_older(const char *folder, int64_t below, int64_t *refused, char **path) {
    char **names;
    size_t count;
    const char *name;
    *path = NULL;
    if (!dt_file_is_folder(folder))
        return DT_OK;
    DT_TRY(dt_file_list(folder, &names, &count));
    dt_status status = DT_OK;
    while (status == DT_OK && *path == NULL && (name = next_older(folder, names, count, &below)) != NULL) {
        *path = dt_file_join(folder, name);
        if (*path == NULL)
            status = DT_FAILED;
        else if (!is_whole(*path)) {
            free(*path);
            *path = NULL;
            ++*refused;
        }
    }
    dt_file_free_names(names, count);
    return status;
}

/* A folder in the place of the link `latest` says what was the newest when it was copied: what is newer, and
 * whole, stands beside it. */
static dt_status find_newer(const char *folder, char **path) {
    dt_checkpoint_about about;
    int64_t refused = 0;
    char *newest = NULL;
    if (dt_checkpoint_path_step(strrchr(*path, '/') + 1) >= 0 ||
        dt_checkpoint_read_about(*path, &about) != DT_OK)
        return DT_OK;
    dt_config_free(&about.config);
    DT_TRY(find_older(folder, INT64_MAX, &refused, &newest));
    if (newest && dt_checkpoint_path_step(strrchr(newest, '/') + 1) > about.step) {
        free(*path);
        *path = newest;
    } else
        free(newest);
    return DT_OK;
}

/* What `latest` leads to when that is whole, or else the newest that is whole among those older than it. A
 * link that leads nowhere says nothing about steps: then the newest of all. */
static dt_status find_auto(const char *folder, char **path) {
    int64_t below = INT64_MAX, refused = 0;
    const char *what = "is missing";
    DT_TRY(follow(folder, DT_CHECKPOINT_LATEST, path));
    if (*path != NULL) {
        const bool there = dt_file_exists(*path);
        if (there && is_whole(*path))
            return find_newer(folder, path);
        const int64_t step = dt_checkpoint_path_step(strrchr(*path, '/') + 1);
        what = there ? "is refused" : "leads to no checkpoint";
        refused = there;
        below = there && step >= 0 ? step : INT64_MAX;
    }
    const bool linked = *path != NULL;
    free(*path);
    DT_TRY(find_older(folder, below, &refused, path));
    if (*path != NULL)
        dt_log_warn("%s/" DT_CHECKPOINT_LATEST " %s; going on from the newest %scheckpoint there, %s", folder,
                    what, below < INT64_MAX ? "older " : "", *path);
    else if (refused > 0)
        return dt_fail("expected a checkpoint in %s to go on from, found %" PRId64
                       " and none of them whole (dtrain verify says what is wrong with one); name another by "
                       "--resume PATH, or move them away to start afresh",
                       folder, refused);
    else if (linked)
        dt_log_warn("%s/" DT_CHECKPOINT_LATEST
                    " leads to no checkpoint and there is no other; starting afresh",
                    folder);
    return DT_OK;
}

dt_status dt_checkpoint_find_before(const char *checkpoints_folder, int64_t before, char **path) {
    int64_t refused = 0;
    return find_older(checkpoints_folder, before, &refused, path);
}

bool dt_checkpoint_find_is_name(const char *resume) {
    return strcmp(resume, DT_CHECKPOINT_LATEST) == 0 || strcmp(resume, DT_CHECKPOINT_BEST) == 0 ||
           strcmp(resume, AUTO) == 0;
}

dt_status dt_checkpoint_find_link(const char *checkpoints_folder, const char *name, char **path) {
    return find_link(checkpoints_folder, name,
                     strcmp(name, DT_CHECKPOINT_BEST) == 0
                         ? "a run makes it where it evaluates and saves after the same step (eval_cadence, "
                           "checkpoint_cadence); name one by its path, or latest"
                         : "name a checkpoint's folder, a run's folder (its latest is taken) or RUN/best",
                     path);
}

dt_status dt_checkpoint_find(const char *checkpoints_folder, const char *resume, char **path) {
    *path = NULL;
    if (strcmp(resume, DT_CHECKPOINT_LATEST) == 0)
        return find_link(checkpoints_folder, resume,
                         "name one by its path, or give auto, with which a run starts afresh where "
                         "there is none",
                         path);
    if (strcmp(resume, DT_CHECKPOINT_BEST) == 0)
        return dt_checkpoint_find_link(checkpoints_folder, resume, path);
    if (strcmp(resume, AUTO) == 0)
        return find_auto(checkpoints_folder, path);
    return dt_checkpoint_choose(resume, path);
}
