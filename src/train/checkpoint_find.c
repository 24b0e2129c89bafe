/* What --resume means: a path, the latest checkpoint, or the latest if there is one. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "train/checkpoint.h"
#include "train/checkpoint_metadata.h"
#include "train/checkpoint_place.h"

static dt_status no_memory(const char *folder) {
    return dt_fail("out of memory while looking for a checkpoint in %s", folder);
}

/* The folder that folder/latest points to, as a new string, or NULL when there is no such link. */
static dt_status follow_latest(const char *folder, char **path) {
    char target[PATH_MAX];
    char *link = dt_file_join(folder, DT_CHECKPOINT_LATEST);
    *path = NULL;
    if (link == NULL)
        return no_memory(folder);
    ssize_t length = readlink(link, target, sizeof target - 1);
    int cause = errno;
    bool absent = length < 0 && (cause == ENOENT || cause == ENOTDIR);
    dt_status status = DT_OK;
    if (length >= 0) {
        target[length] = 0;
        *path = dt_file_join(folder, target);
    } else if (cause == EINVAL) {
        /* No link but a folder of that name, as copying a tree with its links resolved makes it. */
        *path = strdup(link);
    } else if (!absent)
        status = dt_fail("cannot read the link %s: %s", link, strerror(cause));
    if (status == DT_OK && *path == NULL && !absent)
        status = no_memory(folder);
    free(link);
    return status;
}

/* The checkpoint of the largest step, as a new string, or NULL when the folder holds none. */
static dt_status find_newest(const char *folder, char **path) {
    char **names;
    size_t count;
    int64_t newest = -1;
    *path = NULL;
    if (!dt_file_is_folder(folder))
        return DT_OK;
    DT_TRY(dt_file_list(folder, &names, &count));
    dt_status status = DT_OK;
    for (size_t i = 0; status == DT_OK && i < count; i++) {
        int64_t step = dt_checkpoint_place_step(names[i]);
        if (step <= newest)
            continue;
        char *candidate = dt_file_join(folder, names[i]);
        if (candidate == NULL)
            status = no_memory(folder);
        else if (dt_checkpoint_metadata_expect(candidate) == DT_OK) {
            free(*path);
            *path = candidate;
            newest = step;
        } else
            free(candidate);
    }
    dt_file_free_names(names, count);
    if (status != DT_OK) {
        free(*path);
        *path = NULL;
    }
    return status;
}

static dt_status find_latest(const char *folder, char **path) {
    DT_TRY(follow_latest(folder, path));
    if (*path == NULL)
        return dt_usage("there is no latest checkpoint to resume: expected a link %s/" DT_CHECKPOINT_LATEST
                        "; give --resume a path, or auto to start afresh when there is none",
                        folder);
    dt_status status = dt_checkpoint_metadata_expect(*path);
    if (status != DT_OK) {
        status = dt_usage("%s/" DT_CHECKPOINT_LATEST " leads to no checkpoint: %s", folder, dt_error());
        free(*path);
        *path = NULL;
    }
    return status;
}

static dt_status find_auto(const char *folder, char **path) {
    DT_TRY(follow_latest(folder, path));
    if (*path != NULL && dt_checkpoint_metadata_expect(*path) == DT_OK)
        return DT_OK;
    bool dangling = *path != NULL;
    free(*path);
    DT_TRY(find_newest(folder, path));
    if (*path != NULL)
        dt_log_warn("%s/" DT_CHECKPOINT_LATEST " %s; resuming from the newest checkpoint there, %s", folder,
                    dangling ? "leads to no checkpoint" : "is missing", *path);
    else if (dangling)
        dt_log_warn("%s/" DT_CHECKPOINT_LATEST
                    " leads to no checkpoint and there is no other; starting afresh",
                    folder);
    return DT_OK;
}

dt_status dt_checkpoint_find(const char *checkpoints_folder, const char *resume, char **path) {
    *path = NULL;
    if (strcmp(resume, "latest") == 0)
        return find_latest(checkpoints_folder, path);
    if (strcmp(resume, "auto") == 0)
        return find_auto(checkpoints_folder, path);
    DT_TRY(dt_checkpoint_metadata_expect(resume));
    *path = strdup(resume);
    return *path == NULL ? no_memory(checkpoints_folder) : DT_OK;
}
