/* Where a result goes, and how it comes to stand there at once. */
#include "base/replace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/file.h"
#include "base/minmax.h"

/* The name that a file has while it is written is not much longer than its own. */
#define NAME_BYTES 200

/* How long a pipe may be without a reader. */
#define READER_MS      5000
#define READER_LOOK_MS 20

typedef struct destination {
    char *target;    /* where links lead to */
    char *temporary; /* beside it; NULL for what is written to as it is */
    mode_t mode;     /* of the file that stands there; 0: none does */
} destination;

static void free_destination(destination *p) {
    free(p->target);
    free(p->temporary);
}

static dt_status refuse(const char *path, int cause) {
    return dt_fail("cannot write %s: %s", path, strerror(cause));
}

/* The name beside `target`; NULL when out of memory. */
static char *name_temporary(const char *target) {
    char *made = NULL;
    const char *slash = strrchr(target, '/'), *name = slash ? slash + 1 : target;
    return asprintf(&made, "%.*s.%.*s.%ld.tmp", (int)(name - target), target, NAME_BYTES, name,
                    (long)getpid()) < 0
               ? NULL
               : made;
}

/* Whether the file is what this process prints to, as /dev/stdout may be: it goes on there. */
static bool is_own_output(const struct stat *file) {
    for (int stream = STDOUT_FILENO; stream <= STDERR_FILENO; stream++) {
        struct stat own;
        if (fstat(stream, &own) == 0 && own.st_dev == file->st_dev && own.st_ino == file->st_ino)
            return true;
    }
    return false;
}

/* To be freed in any case. */
static dt_status find(const char *path, destination *p) {
    struct stat info;
    const bool there = stat(path, &info) == 0;
    *p = (destination){0};
    if (path[0] == 0 || (!there && errno != ENOENT))
        return refuse(path, errno);
    if (there ? S_ISDIR(info.st_mode) : path[strlen(path) - 1] == '/')
        return refuse(path, EISDIR);
    if (there && faccessat(AT_FDCWD, path, W_OK, AT_EACCESS) != 0)
        return refuse(path, errno);
    const bool regular = !there || (S_ISREG(info.st_mode) && !is_own_output(&info));
    /* A link that leads nowhere is replaced itself. */
    p->target = there && regular ? realpath(path, NULL) : strdup(path);
    if (p->target == NULL)
        return refuse(path, errno);
    p->mode = there ? info.st_mode & 07777 : 0;
    p->temporary = regular ? name_temporary(p->target) : NULL;
    if (regular && p->temporary == NULL)
        return refuse(path, ENOMEM);
    return DT_OK;
}

dt_status dt_replace_create(const char *temporary, const char *path, int *descriptor) {
    unlink(temporary);
    *descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    return *descriptor < 0 ? refuse(path, errno) : DT_OK;
}

dt_status dt_replace_finish(int descriptor, const char *temporary, const char *target, dt_status status) {
    if (status == DT_OK)
        status = dt_file_finish(descriptor, temporary);
    else
        close(descriptor);
    if (status == DT_OK && target != NULL)
        status = dt_file_rename(temporary, target);
    if (status != DT_OK)
        unlink(temporary);
    return status;
}

/* "-" is standard output, as it is standard input where files are read. */
static bool is_standard_output(const char *path) {
    return strcmp(path, "-") == 0;
}

dt_status dt_replace_check(const char *path) {
    destination p;
    if (is_standard_output(path))
        return DT_OK;
    dt_status status = find(path, &p);
    if (status == DT_OK && p.temporary) {
        int descriptor;
        status = dt_replace_create(p.temporary, path, &descriptor);
        if (status == DT_OK) {
            close(descriptor);
            unlink(p.temporary);
        }
    }
    free_destination(&p);
    return status;
}

static dt_status read_start(const char *target, char *bytes, size_t limit, size_t *length) {
    int descriptor;
    int64_t file_bytes;
    DT_TRY(dt_file_open(target, &descriptor, &file_bytes));
    *length = (size_t)dt_min((int64_t)limit, file_bytes);
    const dt_status status = dt_file_read_at(descriptor, target, bytes, *length, 0);
    close(descriptor);
    return status;
}

dt_status dt_replace_peek(const char *path, char *bytes, size_t limit, size_t *length) {
    destination p;
    *length = 0;
    if (is_standard_output(path))
        return DT_OK;
    dt_status status = find(path, &p);
    if (status == DT_OK && p.temporary && dt_file_exists(p.target))
        status = read_start(p.target, bytes, limit, length);
    free_destination(&p);
    return status;
}

static dt_status write_beside(const destination *p, const char *path, const void *bytes, size_t length) {
    int descriptor;
    DT_TRY(dt_replace_create(p->temporary, path, &descriptor));
    dt_status status = dt_file_write(descriptor, path, bytes, length);
    if (status == DT_OK && p->mode != 0 && fchmod(descriptor, p->mode) != 0)
        status = refuse(path, errno);
    return dt_replace_finish(descriptor, p->temporary, p->target, status);
}

/* Opening a pipe waits for its reader, and there may never be one. errno tells why it is -1. */
static int open_to_write(const char *target) {
    const struct timespec pause = {.tv_nsec = 1000000L * READER_LOOK_MS};
    int descriptor;
    for (int waited_ms = 0;; waited_ms += READER_LOOK_MS) {
        descriptor = open(target, O_WRONLY | O_APPEND | O_NONBLOCK | O_CLOEXEC);
        if (descriptor >= 0 || errno != ENXIO || waited_ms >= READER_MS)
            break;
        nanosleep(&pause, NULL);
    }
    /* Writing may wait for the reader. */
    if (descriptor >= 0)
        (void)fcntl(descriptor, F_SETFL, O_APPEND);
    return descriptor;
}

static dt_status write_through(const destination *p, const void *bytes, size_t length) {
    const int descriptor = open_to_write(p->target);
    if (descriptor < 0 && errno == ENXIO)
        return dt_fail(
            "cannot write %s: it is a pipe or a device, and no program reads from it; name a file, or "
            "start the program that reads from it first",
            p->target);
    if (descriptor < 0)
        return refuse(p->target, errno);
    const dt_status status = dt_file_write(descriptor, p->target, bytes, length);
    close(descriptor);
    return status;
}

dt_status dt_replace_write(const char *path, const void *bytes, size_t length) {
    DT_ASSERT(bytes != NULL || length == 0);
    destination p;
    if (is_standard_output(path))
        return dt_file_write(STDOUT_FILENO, "standard output", bytes, length);
    dt_status status = find(path, &p);
    if (status == DT_OK)
        status = p.temporary ? write_beside(&p, path, bytes, length) : write_through(&p, bytes, length);
    free_destination(&p);
    return status;
}
