/* Names, links and renames. What is in the folder is checkpoint.c's matter. */
#include "checkpoint/path.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/log.h"
#include "base/suffix.h"

#define HIDDEN_PREFIX   "." DT_CHECKPOINT_PREFIX
#define HIDDEN_LINK     "." DT_CHECKPOINT_LATEST "."
#define HIDDEN_BEST     "." DT_CHECKPOINT_BEST "."
#define TEMPORARY_END   ".tmp"
#define REPLACED_END    ".replaced"
#define REMOVED_MARK    DT_CHECKPOINT_METADATA ".removed" /* of a checkpoint that is being removed */
#define NAME_DIGITS_MAX 18                                /* so that the number fits an int64_t */

static bool starts(const char *name, const char *with) {
    return strncmp(name, with, strlen(with)) == 0;
}

int64_t dt_checkpoint_path_step(const char *name) {
    if (!starts(name, DT_CHECKPOINT_PREFIX))
        return -1;
    const char *digits = name + strlen(DT_CHECKPOINT_PREFIX);
    size_t length = strlen(digits);
    if (length == 0 || length > NAME_DIGITS_MAX || strspn(digits, "0123456789") != length)
        return -1;
    /* Of two names of one step, only that which a save would give it can be found by the number again. */
    if (*digits == '0' && length > 1)
        return -1;
    return strtoll(digits, NULL, 10);
}

/* Whether `name` is in the folder, or cannot be told to be absent. */
static bool may_hold(const char *folder, const char *name) {
    struct stat info;
    char path[PATH_MAX];
    const int needed = snprintf(path, sizeof path, "%s/%s", folder, name);
    if (needed < 0 || (size_t)needed >= sizeof path)
        return true;
    return stat(path, &info) == 0 || (errno != ENOENT && errno != ENOTDIR);
}

static bool is_own(const char *path) {
    return may_hold(path, DT_CHECKPOINT_METADATA) || may_hold(path, REMOVED_MARK);
}

bool dt_checkpoint_path_is_own(const char *folder, const char *name) {
    char path[PATH_MAX];
    if (dt_checkpoint_path_step(name) < 0)
        return false;
    const int needed = snprintf(path, sizeof path, "%s/%s", folder, name);
    return needed < 0 || (size_t)needed >= sizeof path || is_own(path);
}

dt_status dt_checkpoint_path_clear_name(const char *path) {
    if (!dt_file_is_there(path) || is_own(path))
        return DT_OK;
    char *free_name = NULL;
    for (int64_t number = 1;; number++) {
        if (asprintf(&free_name, "%s.%" PRId64, path, number) < 0)
            return dt_fail("out of memory for a file's name");
        if (!dt_file_is_there(free_name))
            break;
        free(free_name);
    }
    const dt_status status = dt_file_rename(path, free_name);
    if (status == DT_OK)
        dt_log_warn("%s was no checkpoint and stood in the place of one; it is now %s", path, free_name);
    free(free_name);
    return status;
}

static dt_status create_names(dt_checkpoint_path *paths, const char *folder, int64_t step) {
    long pid = (long)getpid();
    *paths = (dt_checkpoint_path){.folder = folder};
    paths->latest = dt_file_join(folder, DT_CHECKPOINT_LATEST);
    /* asprintf leaves its pointer undefined on failure. */
    if (asprintf(&paths->final, "%s/" DT_CHECKPOINT_PREFIX "%" PRId64, folder, step) < 0)
        paths->final = NULL;
    if (asprintf(&paths->temporary, "%s/" HIDDEN_PREFIX "%" PRId64 ".%ld" TEMPORARY_END, folder, step, pid) <
        0)
        paths->temporary = NULL;
    if (asprintf(&paths->aside, "%s/" HIDDEN_PREFIX "%" PRId64 REPLACED_END, folder, step) < 0)
        paths->aside = NULL;
    if (asprintf(&paths->link, "%s/" HIDDEN_LINK "%ld" TEMPORARY_END, folder, pid) < 0)
        paths->link = NULL;
    bool complete = paths->latest && paths->final && paths->temporary && paths->aside && paths->link;
    return complete ? DT_OK : dt_fail("out of memory while saving a checkpoint in %s", folder);
}

/* ".checkpoint_step_N.replaced": the save that moved it aside died before or after the new one took its
 * place. */
static dt_status settle_replaced(const char *path, const char *folder, const char *name) {
    char *visible = NULL;
    int length = (int)(strlen(name) - 1 - strlen(REPLACED_END));
    if (asprintf(&visible, "%s/%.*s", folder, length, name + 1) < 0)
        return dt_fail("out of memory while saving a checkpoint in %s", folder);
    dt_status status = DT_OK;
    if (dt_file_is_there(visible))
        status = dt_file_remove_tree(path);
    else
        status = dt_file_rename(path, visible);
    free(visible);
    return status;
}

/* What this file and the trial of a path make for a moment. */
static bool is_leftover(const char *name) {
    return dt_has_suffix(name, TEMPORARY_END) &&
           (starts(name, HIDDEN_PREFIX) || starts(name, HIDDEN_LINK) || starts(name, HIDDEN_BEST) ||
            starts(name, DT_CHECKPOINT_PROBE));
}

/* A leftover that cannot be removed, being read-only or read by somebody over NFS, is in nobody's way. */
static void tell_leftover(void) {
    static atomic_flag told = ATOMIC_FLAG_INIT;
    if (!atomic_flag_test_and_set(&told))
        dt_log_warn("%s; it stays there, and is in the way of nothing", dt_error());
}

static dt_status remove_leftovers(const char *folder) {
    char **names;
    size_t count;
    DT_TRY(dt_file_list(folder, &names, &count));
    dt_status status = DT_OK;
    for (size_t i = 0; status == DT_OK && i < count; i++) {
        bool replaced = starts(names[i], HIDDEN_PREFIX) && dt_has_suffix(names[i], REPLACED_END);
        if (!replaced && !is_leftover(names[i]))
            continue;
        char *path = dt_file_join(folder, names[i]);
        if (path == NULL)
            status = DT_FAILED;
        else if ((replaced ? settle_replaced(path, folder, names[i]) : dt_file_remove_tree(path)) != DT_OK)
            tell_leftover();
        free(path);
    }
    dt_file_free_names(names, count);
    return status;
}

dt_status dt_checkpoint_path_prepare(dt_checkpoint_path *paths, const char *folder, int64_t step) {
    DT_ASSERT(step >= 0);
    DT_TRY(create_names(paths, folder, step));
    /* Not the folders around it: one that has vanished comes back by its lock, or not at all. */
    if (!dt_file_is_folder(folder) && mkdir(folder, 0777) != 0)
        return dt_fail("cannot make folder %s: %s", folder, strerror(errno));
    DT_TRY(remove_leftovers(folder));
    if (mkdir(paths->temporary, 0777) != 0)
        return dt_fail("cannot make folder %s: %s", paths->temporary, strerror(errno));
    return DT_OK;
}

/* Gives `temporary` and `final` each the other's name. Repeating it undoes it. */
static dt_status exchange(const dt_checkpoint_path *paths) {
    if (renameat2(AT_FDCWD, paths->temporary, AT_FDCWD, paths->final, RENAME_EXCHANGE) == 0)
        return DT_OK;
    int cause = errno;
    if (cause == EINVAL || cause == ENOSYS || cause == EOPNOTSUPP) {
        /* A file system without the exchange (NFS, for one). Each step that fails takes back those before it.
         */
        if (rename(paths->final, paths->aside) == 0) {
            if (rename(paths->temporary, paths->final) == 0) {
                if (rename(paths->aside, paths->temporary) == 0)
                    return DT_OK;
                cause = errno;
                rename(paths->final, paths->temporary);
            } else
                cause = errno;
            rename(paths->aside, paths->final);
        } else
            cause = errno;
    }
    return dt_fail("cannot replace %s: %s", paths->final, strerror(cause));
}

/* A file or a folder of a link's name, which a program that follows links may have put there: not ours to
 * replace. */
static bool is_foreign(const char *link) {
    struct stat info;
    return lstat(link, &info) == 0 && !S_ISLNK(info.st_mode);
}

/* The checkpoint stands and `latest` cannot take its name at once, for `cause`. Without a link --resume auto
 * finds the newest; with that of an older one it would go back. */
static void do_without_link(const dt_checkpoint_path *paths, int cause) {
    (void)unlink(paths->link);
    if (is_foreign(paths->latest)) {
        dt_log_warn("%s is saved, but %s is no link to it: found a file or folder of that name, which stays; "
                    "move it away before the run is to go on",
                    paths->final, paths->latest);
        return;
    }
    const bool removed = unlink(paths->latest) == 0 || errno == ENOENT;
    if (removed && symlink(strrchr(paths->final, '/') + 1, paths->latest) == 0)
        return;
    dt_log_warn("%s is saved, but the link %s cannot be made to lead to it: %s; %s", paths->final,
                paths->latest, strerror(cause),
                removed ? "it is left out, and --resume auto takes the newest checkpoint"
                        : "it still leads to an older one, so name the new one to --resume");
}

dt_status dt_checkpoint_path_publish(const dt_checkpoint_path *paths) {
    DT_TRY(dt_checkpoint_path_clear_name(paths->final));
    bool replaces = dt_file_is_there(paths->final);
    int cause = symlink(strrchr(paths->final, '/') + 1, paths->link) == 0 ? 0 : errno;
    DT_TRY(replaces ? exchange(paths) : dt_file_rename(paths->temporary, paths->final));
    if (cause == 0 && is_foreign(paths->latest))
        cause = EEXIST;
    if (cause == 0 && rename(paths->link, paths->latest) != 0)
        cause = errno;
    if (cause)
        do_without_link(paths, cause);
    /* From here on the new one stands, whole: what still fails is worth a warning, not the loss of the save.
     */
    if (dt_file_sync_folder(paths->folder) != DT_OK)
        dt_log_warn("%s is saved, but might not outlast a power failure: %s", paths->final, dt_error());
    else if (replaces && dt_file_remove_tree(paths->temporary) != DT_OK)
        dt_log_warn("%s is saved, but what it replaces is still there: %s", paths->final, dt_error());
    return DT_OK;
}

void dt_checkpoint_path_abandon(const dt_checkpoint_path *paths) {
    char cause[DT_ERROR_BYTES];
    snprintf(cause, sizeof cause, "%s", dt_error());
    if (paths->link != NULL)
        unlink(paths->link);
    if (paths->temporary != NULL && dt_file_is_there(paths->temporary) &&
        dt_file_remove_tree(paths->temporary) != DT_OK)
        dt_log_warn("a checkpoint that could not be saved is still there: %s", dt_error());
    (void)dt_fail("%s", cause);
}

void dt_checkpoint_path_free(dt_checkpoint_path *paths) {
    free(paths->final);
    free(paths->temporary);
    free(paths->aside);
    free(paths->latest);
    free(paths->link);
    *paths = (dt_checkpoint_path){0};
}

dt_status dt_checkpoint_path_clear(const char *folder) {
    return dt_file_is_folder(folder) ? remove_leftovers(folder) : DT_OK;
}

int64_t dt_checkpoint_path_follow(const char *folder, const char *link) {
    /* A longer path leads nowhere. */
    char target[NAME_MAX + 1], path[PATH_MAX];
    const int needed = snprintf(path, sizeof path, "%s/%s", folder, link);
    const ssize_t length =
        needed < 0 || (size_t)needed >= sizeof path ? -1 : readlink(path, target, sizeof target - 1);
    if (length < 0)
        return -1;
    target[length] = 0;
    return dt_checkpoint_path_step(target);
}

dt_status dt_checkpoint_path_point(const char *folder, const char *link, int64_t step) {
    DT_ASSERT(step >= 0);
    char target[sizeof DT_CHECKPOINT_PREFIX + NAME_DIGITS_MAX + 2];
    char *path = dt_file_join(folder, link), *temporary = NULL;
    snprintf(target, sizeof target, DT_CHECKPOINT_PREFIX "%" PRId64, step);
    if (asprintf(&temporary, "%s/.%s.%ld" TEMPORARY_END, folder, link, (long)getpid()) < 0)
        temporary = NULL;
    dt_status status = DT_OK;
    if (path == NULL || temporary == NULL)
        status = dt_fail("out of memory while pointing %s in %s to a checkpoint", link, folder);
    else if (is_foreign(path))
        status = dt_fail(
            "expected %s to be a symbolic link, found a file or folder of that name; move it away", path);
    else if (symlink(target, temporary) != 0)
        status = dt_fail("cannot make the link %s: %s", temporary, strerror(errno));
    else if ((status = dt_file_rename(temporary, path)) != DT_OK)
        unlink(temporary);
    free(path);
    free(temporary);
    return status;
}

dt_status dt_checkpoint_path_unlink(const char *folder, const char *link) {
    struct stat info;
    char *path = dt_file_join(folder, link);
    dt_status status = path ? DT_OK : DT_FAILED;
    if (path && lstat(path, &info) == 0 && S_ISLNK(info.st_mode) && unlink(path) != 0)
        status = dt_fail("cannot remove the link %s: %s", path, strerror(errno));
    free(path);
    return status;
}

/* Removes what the folder holds, but for the mark. */
static dt_status remove_marked(const char *folder) {
    char **names;
    size_t count;
    DT_TRY(dt_file_list(folder, &names, &count));
    dt_status status = DT_OK;
    for (size_t i = 0; status == DT_OK && i < count; i++) {
        if (strcmp(names[i], REMOVED_MARK) == 0)
            continue;
        char *path = dt_file_join(folder, names[i]);
        status = path ? dt_file_remove_tree(path) : DT_FAILED;
        free(path);
    }
    dt_file_free_names(names, count);
    return status;
}

/* For a folder that cannot be renamed: without what vouches for its files it is no checkpoint any more. The
 * mark in its place tells the next removal whose folder it is, should this one not come to its end. */
static dt_status take_apart(const char *folder) {
    char *vouching = dt_file_join(folder, DT_CHECKPOINT_METADATA);
    char *mark = dt_file_join(folder, REMOVED_MARK);
    dt_status status = vouching && mark ? DT_OK : DT_FAILED;
    if (status == DT_OK && dt_file_is_there(vouching))
        status = dt_file_rename(vouching, mark);
    if (status == DT_OK)
        status = remove_marked(folder);
    free(vouching);
    free(mark);
    return status == DT_OK ? dt_file_remove_tree(folder) : status;
}

/* Whether files can be removed from the folder: people protect a checkpoint by making it read-only, which
 * does not keep it from being renamed. */
static dt_status expect_removable(const char *folder) {
    if (faccessat(AT_FDCWD, folder, W_OK | X_OK, AT_EACCESS) == 0 || errno == ENOENT)
        return DT_OK;
    return dt_fail("cannot remove %s, which stays: %s", folder, strerror(errno));
}

/* Gives the checkpoint a name that the next start would remove. Folders of an overlay's lower layer have to
 * stay under theirs. */
static dt_status hide(const char *folder, int64_t step) {
    dt_checkpoint_path paths;
    dt_status status = create_names(&paths, folder, step);
    if (status == DT_OK)
        status = expect_removable(paths.final);
    if (status == DT_OK && rename(paths.final, paths.temporary) != 0)
        status = errno == EXDEV
                     ? take_apart(paths.final)
                     : dt_fail("cannot rename %s to %s: %s", paths.final, paths.temporary, strerror(errno));
    dt_checkpoint_path_free(&paths);
    return status;
}

dt_status dt_checkpoint_path_remove(const char *folder, const int64_t *steps, size_t count) {
    /* Those that stay come first: not one goes before their names are known to outlast a power failure. */
    DT_TRY(dt_file_sync_folder(folder));
    dt_status status = DT_OK;
    char cause[DT_ERROR_BYTES] = "";
    for (size_t i = 0; i < count; i++) /* one that has to stay keeps no other */
        if (hide(folder, steps[i]) != DT_OK && status == DT_OK) {
            status = DT_FAILED;
            snprintf(cause, sizeof cause, "%s", dt_error());
        }
    DT_TRY(dt_file_sync_folder(folder));
    DT_TRY(remove_leftovers(folder));
    return status == DT_OK ? DT_OK : dt_fail("%s", cause);
}
