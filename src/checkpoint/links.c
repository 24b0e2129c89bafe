/* Renames and two links; no checkpoint is removed. */
#include "checkpoint/links.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"
#include "base/log.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/path.h"

static dt_status no_memory(const char *folder) {
    return dt_fail("out of memory while looking at the links in %s", folder);
}

/* The name that the copy of the checkpoint of `step` is to have, as a new string; NULL on failure. */
static char *choose_name(const char *folder, const char *link, int64_t step) {
    char *path = NULL;
    if (asprintf(&path, "%s/" DT_CHECKPOINT_PREFIX "%" PRId64, folder, step) < 0) {
        (void)no_memory(folder);
        return NULL;
    }
    if (dt_checkpoint_path_clear_name(path) != DT_OK) {
        free(path);
        return NULL;
    }
    for (int64_t number = 1; dt_file_is_there(path); number++) {
        free(path);
        if (asprintf(&path, "%s/%s.%" PRId64, folder, link, number) < 0) {
            (void)no_memory(folder);
            return NULL;
        }
    }
    return path;
}

static dt_status make_link(const char *folder, const char *link, const char *copy, int64_t step) {
    char *name = choose_name(folder, link, step);
    if (name == NULL)
        return DT_FAILED;
    dt_status status = dt_file_rename(copy, name);
    if (status == DT_OK)
        status = dt_checkpoint_path_point(folder, link, step);
    if (status == DT_OK)
        dt_log_line("%s was a folder, as a copy that follows links makes it; the folder is now %s, and the "
                    "link is back",
                    copy, name);
    free(name);
    return status;
}

bool dt_checkpoint_links_is_copy(const char *folder, const char *link) {
    struct stat info;
    dt_checkpoint_about about;
    char *copy = dt_file_join(folder, link);
    const bool found = copy && lstat(copy, &info) == 0 && S_ISDIR(info.st_mode) &&
                       dt_checkpoint_read_about(copy, &about) == DT_OK;
    if (found)
        dt_config_free(&about.config);
    free(copy);
    return found;
}

static dt_status restore(const char *folder, const char *link) {
    struct stat info;
    dt_checkpoint_about about;
    char *copy = dt_file_join(folder, link);
    if (copy == NULL)
        return DT_FAILED;
    dt_status status = DT_OK;
    if (lstat(copy, &info) == 0 && S_ISDIR(info.st_mode) && dt_checkpoint_read_about(copy, &about) == DT_OK) {
        status = make_link(folder, link, copy, about.step);
        dt_config_free(&about.config);
    }
    free(copy);
    return status;
}

dt_status dt_checkpoint_links_restore(const char *folder) {
    DT_TRY(restore(folder, DT_CHECKPOINT_LATEST));
    return restore(folder, DT_CHECKPOINT_BEST);
}
