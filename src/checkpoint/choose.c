/* From the plainest meaning to the widest: what is a checkpoint is taken as it is. */
#include "checkpoint/choose.h"

#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/file.h"
#include "checkpoint/checkpoint.h"
#include "checkpoint/metadata.h"
#include "checkpoint/path.h"

#define CHECKPOINTS "checkpoints"

/* The folder of checkpoints of the run `folder`, or `folder` itself where it is one: a new string, NULL where
 * it is neither or memory is short. */
static char *checkpoints_of(const char *folder) {
    char *below = dt_file_join(folder, CHECKPOINTS), *link = dt_file_join(folder, DT_CHECKPOINT_LATEST),
         *found = NULL;
    if (below && dt_file_is_folder(below))
        found = strdup(below);
    else if (link && dt_file_is_there(link))
        found = strdup(folder);
    free(below);
    free(link);
    return found;
}

/* The part of `name` before a last "/latest" or "/best", which `*link` then is; NULL where it ends otherwise.
 */
static char *run_of_link(const char *name, const char **link) {
    const char *slash = strrchr(name, '/');
    if (slash == NULL || slash == name)
        return NULL;
    *link = slash + 1;
    return strcmp(*link, DT_CHECKPOINT_LATEST) == 0 || strcmp(*link, DT_CHECKPOINT_BEST) == 0
               ? strndup(name, (size_t)(slash - name))
               : NULL;
}

/* What the run that `name` names has; `*path` NULL where it names none. */
static dt_status choose_of_run(const char *name, char **path) {
    const char *link = DT_CHECKPOINT_LATEST;
    char *run = dt_file_exists(name) ? NULL : run_of_link(name, &link);
    char *folder = checkpoints_of(run ? run : name);
    const dt_status status = folder ? dt_checkpoint_find_link(folder, link, path) : DT_OK;
    free(folder);
    free(run);
    return status;
}

dt_status dt_checkpoint_choose(const char *name, char **path) {
    *path = NULL;
    if (strcmp(name, DT_CHECKPOINT_LATEST) == 0 || strcmp(name, DT_CHECKPOINT_BEST) == 0)
        return dt_checkpoint_find_link(CHECKPOINTS, name, path);
    if (dt_checkpoint_find_is_name(name)) {
        DT_TRY(dt_checkpoint_find(CHECKPOINTS, name, path));
        return *path
                   ? DT_OK
                   : dt_usage(
                         "there is no checkpoint in " CHECKPOINTS
                         "/ of the working folder; name a checkpoint's folder, a run's folder (its latest is "
                         "taken) or RUN/best");
    }
    const dt_status status = dt_checkpoint_metadata_expect(name);
    if (status == DT_OK) {
        *path = strdup(name);
        return *path ? DT_OK : dt_fail("out of memory for the name of a folder");
    }
    if (status != DT_USAGE)
        return status;
    DT_TRY(choose_of_run(name, path));
    if (*path != NULL)
        return DT_OK;
    DT_TRY(dt_checkpoint_metadata_expect(name) == DT_USAGE ? DT_OK : DT_FAILED);
    return dt_usage("%s, a run's folder (its latest is taken) or RUN/best", dt_error());
}

dt_status dt_checkpoint_choose_expect_own(const char *name, const char *path) {
    const char *link;
    char *run = run_of_link(name, &link), *folder = checkpoints_of(run ? run : name);
    char *inside = dt_file_join(path, ".."), *real = realpath(path, NULL);
    dt_status status = DT_OK;
    if (folder && inside && real && !dt_file_is_same(folder, inside))
        status = dt_usage(
            "resume: %s means a checkpoint in %s, but a link there leads to %s; name that by its path "
            "to go on there, or name the folder to write to with --out-dir",
            name, folder, real);
    free(real);
    free(inside);
    free(folder);
    free(run);
    return status;
}
