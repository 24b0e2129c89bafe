/* A rename, or a copy that is whole before it has its name. */
#include "base/move.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "base/progress.h"

/* A slice of a copy: long enough to be fast, short enough to show that it moves. */
#define SLICE_BYTES ((size_t)1 << 20)

static dt_status refuse(const char *from, const char *to, int cause) {
    return dt_fail("cannot move %s to %s: %s", from, to, strerror(cause));
}

static dt_status copy_bytes(int source, const char *from, int64_t bytes, int target, const char *to) {
    char *slice = malloc(SLICE_BYTES);
    dt_status status = slice ? DT_OK : dt_fail("out of memory while copying %s", from);
    for (int64_t at = 0; status == DT_OK && at < bytes;) {
        const size_t length = bytes - at < (int64_t)SLICE_BYTES ? (size_t)(bytes - at) : SLICE_BYTES;
        status = dt_file_read_at(source, from, slice, length, at);
        if (status == DT_OK)
            status = dt_file_write(target, to, slice, length);
        at += (int64_t)length;
        dt_progress_mark();
    }
    free(slice);
    return status;
}

static dt_status copy_file(const char *from, const char *to, mode_t mode) {
    int source, target;
    int64_t bytes;
    DT_TRY(dt_file_open(from, &source, &bytes));
    dt_status status = dt_file_create(to, &target);
    if (status == DT_OK) {
        (void)fchmod(target, mode & 07777);
        status = copy_bytes(source, from, bytes, target, to);
        const dt_status finished = dt_file_finish(target, to);
        status = status == DT_OK ? finished : status;
    }
    close(source);
    return status;
}

static dt_status copy_link(const char *from, const char *to) {
    char target[4096];
    const ssize_t length = readlink(from, target, sizeof target - 1);
    if (length < 0)
        return refuse(from, to, errno);
    target[length] = 0;
    return symlink(target, to) == 0 ? DT_OK : refuse(from, to, errno);
}

static dt_status copy_tree(const char *from, const char *to);

static dt_status copy_folder(const char *from, const char *to, mode_t mode) {
    char **names;
    size_t count;
    if (mkdir(to, 0777) != 0)
        return refuse(from, to, errno);
    DT_TRY(dt_file_list(from, &names, &count));
    dt_status status = DT_OK;
    for (size_t i = 0; status == DT_OK && i < count; i++) {
        char *old = dt_file_join(from, names[i]), *new = dt_file_join(to, names[i]);
        status = old && new ? copy_tree(old, new) : DT_FAILED;
        free(old);
        free(new);
    }
    dt_file_free_names(names, count);
    if (status == DT_OK)
        status = dt_file_sync_folder(to);
    (void)chmod(to, mode & 07777); /* last: it may forbid to write into it */
    return status;
}

static dt_status copy_tree(const char *from, const char *to) {
    struct stat info;
    if (lstat(from, &info) != 0)
        return refuse(from, to, errno);
    if (S_ISDIR(info.st_mode))
        return copy_folder(from, to, info.st_mode);
    return S_ISLNK(info.st_mode) ? copy_link(from, to) : copy_file(from, to, info.st_mode);
}

/* What failed first is what is told. */
static dt_status drop_copy(const char *copy) {
    char cause[DT_ERROR_BYTES];
    snprintf(cause, sizeof cause, "%s", dt_error());
    (void)dt_file_remove_tree(copy);
    return dt_fail("%s", cause);
}

static dt_status copy_and_remove(const char *from, const char *to) {
    char *copy = NULL;
    if (asprintf(&copy, "%s.tmp", to) < 0)
        return dt_fail("out of memory while copying %s", from);
    dt_status status = copy_tree(from, copy);
    if (status == DT_OK)
        status = dt_file_rename(copy, to);
    if (status != DT_OK)
        status = drop_copy(copy);
    free(copy);
    return status == DT_OK ? dt_file_remove_tree(from) : status;
}

dt_status dt_move_tree(const char *from, const char *to) {
    if (dt_file_is_there(to))
        return refuse(from, to, EEXIST);
    if (rename(from, to) == 0)
        return DT_OK;
    return errno == EXDEV ? copy_and_remove(from, to) : refuse(from, to, errno);
}
