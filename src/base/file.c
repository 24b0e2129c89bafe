/* The only place that talks to the file system call by call. Formats are defined where they are used. */
#include "base/file.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <inttypes.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/assert.h"
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

/* How long a pipe may be without a writer, and with one that writes nothing. */
#define WRITER_MS  5000
#define SILENCE_MS 60000

/* What is read to its end, be it a file, a pipe or a terminal. */
typedef struct source {
    const char *path;
    int descriptor;
    bool bounded; /* one that could be silent for ever */
} source;

/* Never waits for a writer here; standard input is the caller's and stays as it is. */
static dt_status open_source(const char *path, source *from) {
    struct stat info;
    if (strcmp(path, "-") == 0) {
        *from = (source){path, STDIN_FILENO, false};
        return DT_OK;
    }
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (descriptor < 0)
        return dt_fail("cannot open %s: %s", path, strerror(errno));
    const bool file = fstat(descriptor, &info) == 0 && (S_ISREG(info.st_mode) || S_ISDIR(info.st_mode));
    *from = (source){path, descriptor, !file && !isatty(descriptor)};
    return DT_OK;
}

static void close_source(const source *from) {
    if (from->descriptor != STDIN_FILENO)
        close(from->descriptor);
}

/* Whether there is something to read, or the end, within so many milliseconds (-1: however long it takes). */
static bool await(const source *from, int milliseconds) {
    struct pollfd wanted = {.fd = from->descriptor, .events = POLLIN};
    int found;
    do
        found = poll(&wanted, 1, milliseconds);
    while (found < 0 && errno == EINTR);
    return found != 0;
}

/* `*got` bytes of the next ones, 0 at the end. */
static dt_status read_some(const source *from, char *bytes, size_t capacity, ssize_t *got) {
    bool waited = await(from, from->bounded ? WRITER_MS : -1);
    *got = read(from->descriptor, bytes, capacity);
    /* Of a pipe nothing can be read either way, but only one that has a writer says so. */
    if (!waited && *got < 0 && errno == EAGAIN) {
        waited = await(from, SILENCE_MS - WRITER_MS);
        *got = read(from->descriptor, bytes, capacity);
    }
    if (*got > 0 || (*got == 0 && waited))
        return DT_OK;
    if (*got < 0 && errno == EINTR)
        return read_some(from, bytes, capacity, got);
    if (*got < 0 && errno != EAGAIN)
        return dt_fail("cannot read %s: %s", from->path, strerror(errno));
    return dt_fail(
        "cannot read %s: it is a pipe or a device, and %s; name a file, or start the program that writes "
        "to it first",
        from->path, *got == 0 ? "no program writes to it" : "nothing has come from it for a minute");
}

dt_status dt_file_read(const char *path, int64_t limit_bytes, char **bytes, size_t *length) {
    DT_ASSERT(limit_bytes >= 0);
    source from;
    ssize_t got = 1;
    DT_TRY(open_source(path, &from));
    size_t capacity = 1 << 16, used = 0;
    char *block = malloc(capacity + 1);
    dt_status status = block ? DT_OK : dt_fail("out of memory while reading %s", path);
    while (status == DT_OK && (status = read_some(&from, block + used, capacity - used, &got)) == DT_OK &&
           got > 0) {
        used += (size_t)got;
        if ((int64_t)used > limit_bytes)
            status =
                dt_fail("cannot read %s: expected at most %" PRId64 " bytes, found more", path, limit_bytes);
        else if (used == capacity) {
            char *larger = realloc(block, 2 * capacity + 1);
            if (larger == NULL)
                status = dt_fail("out of memory while reading %s", path);
            else {
                block = larger;
                capacity *= 2;
            }
        }
    }
    close_source(&from);
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
    DT_ASSERT(limit_bytes >= 0);
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
    DT_ASSERT(descriptor >= 0 && offset >= 0);
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
    DT_ASSERT(descriptor >= 0);
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

dt_status dt_file_rename(const char *from, const char *to) {
    return rename(from, to) == 0 ? DT_OK : dt_fail("cannot rename %s to %s: %s", from, to, strerror(errno));
}

dt_status dt_file_sync_folder(const char *path) {
    int descriptor = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0)
        return dt_fail("cannot open folder %s: %s", path, strerror(errno));
    return dt_file_finish(descriptor, path);
}

/* `partial`, which is `path` or stands above it, is no folder and cannot be made: mkdir() gave `cause`. */
static dt_status refuse_folder(const char *path, const char *partial, int cause) {
    char target[PATH_MAX];
    const ssize_t length = readlink(partial, target, sizeof target - 1);
    if (cause != EEXIST)
        return dt_fail("cannot make folder %s: %s", path, strerror(cause));
    if (length < 0 || dt_file_exists(partial))
        return dt_fail("cannot make folder %s: it, or a folder above it, is a file", path);
    target[length] = 0;
    return dt_fail("cannot make folder %s: %s is a link to %s, which does not exist (is its disk mounted?)",
                   path, partial, target);
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
            status = refuse_folder(path, partial, cause);
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

bool dt_file_is_there(const char *path) {
    struct stat info;
    return lstat(path, &info) == 0;
}

bool dt_file_is_folder(const char *path) {
    struct stat info;
    return stat(path, &info) == 0 && S_ISDIR(info.st_mode);
}

bool dt_file_is_same(const char *path, const char *other) {
    struct stat a, b;
    return stat(path, &a) == 0 && stat(other, &b) == 0 && a.st_dev == b.st_dev && a.st_ino == b.st_ino;
}

char *dt_file_join(const char *folder, const char *name) {
    char *joined = NULL;
    const bool alone = name[0] == '/' || folder[0] == 0;
    const char *slash = alone || folder[strlen(folder) - 1] == '/' ? "" : "/";
    if (asprintf(&joined, "%s%s%s", alone ? "" : folder, slash, name) >= 0)
        return joined;
    dt_status_record("out of memory for the name of %s in %s", name, folder);
    return NULL;
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
