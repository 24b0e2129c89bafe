/* What the paths say, which a run and its rehearsal hold against the same rules. */
#include "train/out_dir_look.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/lock.h"
#include "checkpoint/links.h"
#include "checkpoint/metadata.h"
#include "checkpoint/path.h"
#include "train/metrics.h"
#include "train/metrics_lines.h"
#include "train/tensorboard.h"

/* As long as the path of any checkpoint's file, while it is written, but for the process's number. */
#define LONGEST_NAME "/" DT_CHECKPOINT_PROBE DT_CHECKPOINT_PREFIX "999999999999999999."

dt_status dt_out_dir_names_create(dt_out_dir_names *names, const char *out_dir) {
    names->metrics = dt_file_join(out_dir, DT_METRICS_NAME);
    names->tensorboard = dt_file_join(out_dir, DT_TENSORBOARD_NAME);
    return names->metrics && names->tensorboard ? DT_OK : DT_FAILED;
}

void dt_out_dir_names_free(dt_out_dir_names *names) {
    free(names->metrics);
    free(names->tensorboard);
    *names = (dt_out_dir_names){0};
}

const char *dt_out_dir_look_option(const dt_config *config) {
    return config->checkpoint_dir ? "checkpoint_dir" : "out_dir";
}

/* `path` without links, as far as it is there, as a new string; NULL when out of memory. */
static char *resolve(const char *path) {
    char *there = strdup(path), *real = NULL, *whole = NULL;
    if (there == NULL)
        return NULL;
    while ((real = realpath(there, NULL)) == NULL && strrchr(there, '/') != NULL)
        *strrchr(there, '/') = 0;
    const char *missing = path + (real ? strlen(there) : 0);
    if (asprintf(&whole, "%s/%s", real ? real : "", missing) < 0)
        whole = NULL;
    free(real);
    free(there);
    return whole;
}

/* A folder in a checkpoint goes with it, once that is removed or replaced by the run that it belongs to. */
static dt_status expect_outside(const char *path, const char *option) {
    char *whole = resolve(path), *rest = whole, *name;
    dt_status status = whole ? DT_OK : dt_fail("out of memory for a folder's name");
    while (status == DT_OK && (name = strsep(&rest, "/")) != NULL)
        if (dt_checkpoint_path_step(name) >= 0)
            status = dt_usage("%s: %s lies in the checkpoint %s, and would be removed together with it; name "
                              "a folder outside of checkpoints",
                              option, path, name);
    free(whole);
    return status;
}

/* The most bytes that the path of a folder of checkpoints may have. */
static int longest_folder(void) {
    return PATH_MAX - 1 - snprintf(NULL, 0, LONGEST_NAME "%ld.tmp/" DT_CHECKPOINT_OPTIMIZER, (long)getpid());
}

dt_status dt_out_dir_look_refuse_length(const char *folder, const char *option) {
    return dt_usage(
        "%s: expected a path of at most %d bytes, which leaves room for the names of a checkpoint's "
        "files, found %zu bytes; name a folder with a shorter path",
        option, longest_folder(), strlen(folder));
}

static bool has_long_name(const char *path) {
    for (size_t length; *path; path += length + (path[length] == '/'))
        if ((length = strcspn(path, "/")) > NAME_MAX)
            return true;
    return false;
}

/* What is there of the way to the folder must be folders, and links that lead to some. */
static dt_status expect_path(const char *path, const char *option) {
    char target[PATH_MAX], *there = strdup(path);
    dt_status status = there ? DT_OK : dt_fail("out of memory for a folder's name");
    if (status == DT_OK && has_long_name(path))
        status = dt_usage("%s: cannot make folder %s: %s; name a folder that you can write to", option, path,
                          strerror(ENAMETOOLONG));
    while (there && !dt_file_is_there(there) && strrchr(there, '/') > there)
        *strrchr(there, '/') = 0;
    const ssize_t length = there && !dt_file_exists(there) ? readlink(there, target, sizeof target - 1) : -1;
    if (status == DT_OK && length >= 0) {
        target[length] = 0;
        status = dt_usage("%s: cannot make folder %s: %s is a link to %s, which does not exist (is its disk "
                          "mounted?); name a folder that you can write to",
                          option, path, there, target);
    }
    free(there);
    return status;
}

static dt_status look_at_folder(const char *path, const char *option) {
    DT_TRY(expect_outside(path, option));
    return expect_path(path, option);
}

dt_status dt_out_dir_look_paths(const dt_config *config, const dt_out_dir_names *names,
                                const char *checkpoints_folder) {
    const char *option = dt_out_dir_look_option(config);
    if (dt_file_is_folder(names->metrics))
        return dt_usage("out_dir: expected %s to be a file or nothing yet, found a folder; move "
                        "it away or name another out_dir",
                        names->metrics);
    DT_TRY(look_at_folder(config->out_dir, "out_dir"));
    DT_TRY(look_at_folder(checkpoints_folder, option));
    if (strlen(checkpoints_folder) > (size_t)longest_folder())
        return dt_out_dir_look_refuse_length(checkpoints_folder, option);
    if (config->tensorboard)
        DT_TRY(dt_tensorboard_expect(names->tensorboard));
    return dt_metrics_expect(names->metrics);
}

dt_status dt_out_dir_look_unused(const dt_out_dir_names *names) {
    DT_TRY(dt_metrics_expect_unused(names->metrics));
    return dt_tensorboard_expect_unused(names->tensorboard);
}

dt_status dt_out_dir_look_link(const char *folder, const char *name, const char *option) {
    struct stat info;
    char *path = dt_file_join(folder, name);
    if (path == NULL)
        return DT_FAILED;
    dt_status status = DT_OK;
    if (lstat(path, &info) == 0 && !S_ISLNK(info.st_mode))
        status =
            dt_usage("%s: expected %s to be a symbolic link to a checkpoint, found something else; move it "
                     "away",
                     option, path);
    free(path);
    return status;
}

/* ---- a rehearsal ---- */

/* Makes and removes a folder in `folder`, whose time of change stays; 0, or the errno of what did not work.
 */
static int try_folder(const char *folder) {
    struct stat before;
    char *probe = NULL;
    if (stat(folder, &before) != 0)
        return errno;
    if (asprintf(&probe, "%s/.dtrain-%ld.tmp", folder, (long)getpid()) < 0)
        return ENOMEM;
    const int failed = mkdir(probe, 0700) == 0 ? 0 : errno;
    const struct timespec times[2] = {{.tv_nsec = UTIME_OMIT}, before.st_mtim};
    if (!failed) {
        rmdir(probe);
        (void)utimensat(AT_FDCWD, folder, times, 0);
    }
    free(probe);
    return failed;
}

/* 0, or the errno with which a run would fail to make something in `folder`. Permissions alone do not tell:
 * /proc gives them to root. A file without a name is the lightest trial, and not every file system has it. */
static int try_folder_lightly(const char *folder) {
    if (access(folder, W_OK | X_OK) != 0)
        return errno;
    const int file = open(folder, O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
    if (file < 0)
        return errno == EOPNOTSUPP || errno == EISDIR || errno == ENOENT || errno == EINVAL
                   ? try_folder(folder)
                   : errno;
    close(file);
    return 0;
}

/* Whether a folder can be written to, or made: then what is there of its path must let it. */
static dt_status expect_writable(const char *path, const char *option) {
    char *there = strdup(path);
    if (there == NULL)
        return dt_fail("out of memory for a folder's name");
    while (!dt_file_exists(there) && strrchr(there, '/') > there)
        *strrchr(there, '/') = 0;
    const char *folder = dt_file_exists(there) ? there : ".";
    const bool is_folder = dt_file_is_folder(folder);
    const int failed = is_folder ? try_folder_lightly(folder) : ENOTDIR;
    const dt_status status = failed == 0
                                 ? DT_OK
                                 : dt_usage("%s: cannot write to %s: %s; name a folder that you can write to",
                                            option, folder, is_folder ? strerror(failed) : "it is no folder");
    free(there);
    return status;
}

static dt_status expect_lockable(const char *folder, const char *option) {
    char *purpose = NULL;
    if (asprintf(&purpose, "%s: %s", option, folder) < 0)
        return dt_fail("out of memory for a file's name");
    dt_status status = dt_lock_expect_file(folder, purpose);
    if (status == DT_OK)
        status = dt_lock_expect_free(folder, purpose);
    free(purpose);
    return status;
}

/* The copy of a checkpoint that a tree has where its links were followed becomes a link again. */
static dt_status expect_link(const char *folder, const char *name, const char *option) {
    return dt_checkpoint_links_is_copy(folder, name) ? DT_OK : dt_out_dir_look_link(folder, name, option);
}

static dt_status look_at_links(const char *folder, const char *option) {
    DT_TRY(expect_link(folder, DT_CHECKPOINT_LATEST, option));
    return expect_link(folder, DT_CHECKPOINT_BEST, option);
}

static dt_status pass_over(void *context, const char *line, size_t length) {
    (void)context, (void)line, (void)length;
    return DT_OK;
}

/* A run that goes on reads the lines that are there. */
static dt_status expect_lines(const dt_config *config, const char *metrics) {
    return config->resume && dt_file_exists(metrics) ? dt_metrics_walk(metrics, pass_over, NULL) : DT_OK;
}

static dt_status rehearse(const dt_config *config, const dt_out_dir_names *names,
                          const char *checkpoints_folder) {
    const char *option = dt_out_dir_look_option(config);
    DT_TRY(dt_out_dir_look_paths(config, names, checkpoints_folder));
    DT_TRY(expect_lockable(config->out_dir, "out_dir"));
    DT_TRY(expect_lockable(checkpoints_folder, option));
    DT_TRY(dt_out_dir_look_unused(names));
    DT_TRY(expect_writable(config->out_dir, "out_dir"));
    DT_TRY(expect_writable(checkpoints_folder, option));
    DT_TRY(look_at_links(checkpoints_folder, option));
    return expect_lines(config, names->metrics);
}

dt_status dt_out_dir_look_rehearse(const dt_config *config, const char *checkpoints_folder) {
    dt_out_dir_names names;
    dt_status status = dt_out_dir_names_create(&names, config->out_dir);
    if (status == DT_OK)
        status = rehearse(config, &names, checkpoints_folder);
    dt_out_dir_names_free(&names);
    return status;
}
