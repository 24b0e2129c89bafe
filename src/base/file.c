/* The only place that talks to the file system call by call. Formats are defined where they are used. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/progress.h"

dt_status dt_file_open(const char *path, int *descriptor, int64_t *size_bytes) {
    struct stat info;
    /* Regular files do not know O_NONBLOCK; a pipe without a writer would be waited for here, by all ranks.
     */
    int opened = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (opened < 0)
        return dt_fail("cannot open %s: %s", path, strerror(errno));
    if (fstat(opened, &info) != 0 || !S_ISREG(info.st_mode)) {
        close(opened);
        return dt_fail("cannot read %s: expected a regular file, found %s", path,
                       S_ISDIR(info.st_mode) ? "a folder" : "something else");
    }
    *descriptor = opened;
    *size_bytes = (int64_t)info.st_size;
    return DT_OK;
}

dt_status dt_file_read(const char *path, int64_t limit_bytes, char **bytes, size_t *length) {
    bool standard_input = strcmp(path, "-") == 0;
    int descriptor = standard_input ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC);
    if (descriptor < 0)
        return dt_fail("cannot open %s: %s", path, strerror(errno));
    size_t room = 1 << 16, used = 0;
    char *block = malloc(room + 1);
    dt_status status = block ? DT_OK : dt_fail("out of memory while reading %s", path);
    while (status == DT_OK) {
        ssize_t got = read(descriptor, block + used, room - used);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            status = dt_fail("cannot read %s: %s", path, strerror(errno));
        if (got <= 0)
            break;
        used += (size_t)got;
        if ((int64_t)used > limit_bytes)
            status =
                dt_fail("cannot read %s: expected at most %" PRId64 " bytes, found more", path, limit_bytes);
        else if (used == room) {
            char *larger = realloc(block, 2 * room + 1);
            if (larger == NULL)
                status = dt_fail("out of memory while reading %s", path);
            else {
                block = larger;
                room *= 2;
            }
        }
    }
    if (!standard_input)
        close(descriptor);
    if (status != DT_OK) {
        free(block);
        return status;
    }
    block[used] = 0;
    *bytes = block;
    *length = used;
    return DT_OK;
}

dt_status dt_file_read_regular(const char *path, int64_t limit_bytes, char **bytes, size_t *length) {
    int descriptor;
    int64_t size_bytes;
    DT_TRY(dt_file_open(path, &descriptor, &size_bytes));
    if (size_bytes > limit_bytes) {
        close(descriptor);
        return dt_fail("cannot read %s: expected at most %" PRId64 " bytes, found %" PRId64, path,
                       limit_bytes, size_bytes);
    }
    char *block = malloc((size_t)size_bytes + 1);
    dt_status status = block == NULL ? dt_fail("out of memory while reading %s", path)
                                     : dt_file_read_at(descriptor, path, block, (size_t)size_bytes, 0);
    close(descriptor);
    if (status != DT_OK) {
        free(block);
        return status;
    }
    block[size_bytes] = 0;
    *bytes = block;
    *length = (size_t)size_bytes;
    return DT_OK;
}

dt_status dt_file_read_at(int descriptor, const char *path, void *bytes, size_t length, int64_t offset) {
    size_t done = 0;
    while (done < length) {
        ssize_t got = pread(descriptor, (char *)bytes + done, length - done, (off_t)(offset + (int64_t)done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return dt_fail("cannot read %s at byte %" PRId64 ": %s", path, offset + (int64_t)done,
                           strerror(errno));
        if (got == 0)
            return dt_fail("cannot read %s: expected %zu bytes at byte %" PRId64
                           ", but the file ends at byte "
                           "%" PRId64 "; was it cut off or changed while in use?",
                           path, length, offset, offset + (int64_t)done);
        done += (size_t)got;
        dt_progress_mark();
    }
    return DT_OK;
}

dt_status dt_file_create(const char *path, int *descriptor) {
    int opened = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (opened < 0)
        return dt_fail("cannot create %s: %s", path, strerror(errno));
    *descriptor = opened;
    return DT_OK;
}

dt_status dt_file_write(int descriptor, const char *path, const void *bytes, size_t length) {
    size_t done = 0;
    while (done < length) {
        ssize_t put = write(descriptor, (const char *)bytes + done, length - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return dt_fail("cannot write %s: %zu bytes of %zu are missing: %s", path, length - done, length,
                           put < 0 ? strerror(errno) : "the file takes no more");
        done += (size_t)put;
        dt_progress_mark();
    }
    return DT_OK;
}

dt_status dt_file_sync(int descriptor, const char *path) {
    while (fsync(descriptor) != 0)
        if (errno != EINTR)
            return dt_fail("cannot make %s durable: %s", path, strerror(errno));
    return DT_OK;
}

dt_status dt_file_finish(int descriptor, const char *path) {
    const dt_status synced = dt_file_sync(descriptor, path);
    /* After EINTR the descriptor is closed all the same, and what it stood for was made durable before. */
    if (close(descriptor) != 0 && errno != EINTR && synced == DT_OK)
        return dt_fail("cannot make %s durable: %s", path, strerror(errno));
    return synced;
}

dt_status dt_file_save(const char *path, const void *bytes, size_t length) {
    int descriptor = -1;
    DT_TRY(dt_file_create(path, &descriptor));
    dt_status status = dt_file_write(descriptor, path, bytes, length);
    if (status != DT_OK) {
        close(descriptor);
        return status;
    }
    return dt_file_finish(descriptor, path);
}

dt_status dt_file_sync_folder(const char *path) {
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return dt_fail("cannot open folder %s: %s", path, strerror(errno));
    return dt_file_finish(descriptor, path);
}

dt_status dt_file_make_folder(const char *path) {
    char *partial = strdup(path);
    if (partial == NULL)
        return dt_fail("out of memory while making folder %s", path);
    dt_status status = DT_OK;
    for (char *end = partial + 1; status == DT_OK && *partial != 0; end++) {
        if (*end != '/' && *end != 0)
            continue;
        char kept = *end;
        *end = 0;
        const int cause = mkdir(partial, 0777) == 0 ? 0 : errno; /* looking at the folder changes errno */
        if (cause != 0 && !dt_file_is_folder(partial))
            status = dt_fail("cannot make folder %s: %s", path,
                             cause == EEXIST ? "a file stands in its place or above it" : strerror(cause));
        *end = kept;
        if (kept == 0)
            break;
    }
    free(partial);
    return status;
}

static int remove_entry(const char *path, const struct stat *info, int kind, struct FTW *position) {
    (void)info;
    (void)kind;
    (void)position;
    return remove(path);
}

dt_status dt_file_remove_tree(const char *path) {
    struct stat info;
    if (lstat(path, &info) != 0)
        return errno == ENOENT ? DT_OK : dt_fail("cannot look at %s: %s", path, strerror(errno));
    if (nftw(path, remove_entry, 16, FTW_DEPTH | FTW_PHYS) != 0)
        return dt_fail("cannot remove %s: %s", path, strerror(errno));
    return DT_OK;
}

bool dt_file_exists(const char *path) {
    struct stat info;
    return stat(path, &info) == 0;
}

bool dt_file_is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

char *dt_file_join(const char *folder, const char *name) {
    char *joined = NULL;
    if (name[0] == '/' || folder[0] == 0)
        return strdup(name);
    const char *slash = folder[strlen(folder) - 1] == '/' ? "" : "/";
    return asprintf(&joined, "%s%s%s", folder, slash, name) < 0 ? NULL : joined;
}

static int visible(const struct dirent *entry) {
    return strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0;
}

static int by_bytes(const struct dirent **left, const struct dirent **right) {
    return strcmp((*left)->d_name, (*right)->d_name);
}

dt_status dt_file_list(const char *path, char ***names, size_t *count) {
    struct dirent **entries = NULL;
    int found = scandir(path, &entries, visible, by_bytes);
    if (found < 0)
        return dt_fail("cannot list folder %s: %s", path, strerror(errno));
    char **list = calloc((size_t)found + 1, sizeof *list);
    bool complete = list != NULL;
    for (int i = 0; i < found; i++) {
        if (list != NULL)
            complete = (list[i] = strdup(entries[i]->d_name)) != NULL && complete;
        free(entries[i]);
    }
    free(entries);
    if (!complete) {
        dt_file_free_names(list, (size_t)found);
        return dt_fail("out of memory while listing folder %s", path);
    }
    *names = list;
    *count = (size_t)found;
    return DT_OK;
}

void dt_file_free_names(char **names, size_t count) {
    for (size_t i = 0; names != NULL && i < count; i++)
        free(names[i]);
    free(names);
}
