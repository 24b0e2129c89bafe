/* flock() on a file that goes away with its holder. */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

#define HOLDER_BYTES     512
#define HOST_BYTES       256
#define LOOK_NANOSECONDS 100000000L

/* What a try at the lock came to. */
typedef enum outcome { TAKEN, BUSY, REPLACED, WITHOUT_LOCKS, BROKEN } outcome;

/* Whoever had the lock before may have removed the file after it was opened here: that lock locks nothing. */
static bool is_still_there(int descriptor, const char *path) {
    struct stat held, named;
    return fstat(descriptor, &held) == 0 && stat(path, &named) == 0 && held.st_ino == named.st_ino &&
           held.st_dev == named.st_dev;
}

/* On BROKEN and WITHOUT_LOCKS errno tells the cause; `*descriptor` stays open on TAKEN alone. */
static outcome try_once(const char *path, int *descriptor) {
    /* NFS wants a file that may be written to for a lock that excludes others. */
    *descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (*descriptor < 0)
        return BROKEN;
    int failed;
    do
        failed = flock(*descriptor, LOCK_EX | LOCK_NB);
    while (failed && errno == EINTR);
    if (!failed && is_still_there(*descriptor, path))
        return TAKEN;
    const int cause = failed ? errno : 0;
    close(*descriptor);
    errno = cause;
    if (!failed)
        return REPLACED;
    if (cause == EWOULDBLOCK)
        return BUSY;
    return cause == ENOSYS || cause == EOPNOTSUPP || cause == ENOLCK ? WITHOUT_LOCKS : BROKEN;
}

/* The line of the file; a holder that has not written it yet is "another process". */
static void read_holder(const char *path, char holder[HOLDER_BYTES]) {
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    const ssize_t length = descriptor < 0 ? -1 : read(descriptor, holder, HOLDER_BYTES - 1);
    if (descriptor >= 0)
        close(descriptor);
    holder[length > 0 ? length : 0] = 0;
    holder[strcspn(holder, "\n")] = 0;
    if (holder[0] == 0)
        snprintf(holder, HOLDER_BYTES, "another process");
}

/* The lock holds without the line too, so a full disk is no reason to fail here. */
static void write_holder(int descriptor) {
    char host[HOST_BYTES] = "unknown host", stamp[32], line[HOLDER_BYTES];
    (void)gethostname(host, sizeof host - 1);
    dt_clock_stamp(stamp, sizeof stamp);
    const int length =
        snprintf(line, sizeof line, "process %ld on %s since %s\n", (long)getpid(), host, stamp);
    if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, line, (size_t)length, 0) != length)
        return;
    (void)fsync(descriptor);
}

/* Tries until the lock is taken, cannot be, or patience has run out. */
static outcome try_patiently(const char *path, double patience_seconds, const char *purpose,
                             int *descriptor) {
    const double start = dt_clock_seconds();
    const struct timespec pause = {.tv_nsec = LOOK_NANOSECONDS};
    bool told = false;
    for (;;) {
        const outcome found = try_once(path, descriptor);
        if (found == REPLACED)
            continue;
        if (found != BUSY || dt_clock_seconds() - start >= patience_seconds)
            return found;
        if (!told) {
            char holder[HOLDER_BYTES];
            read_holder(path, holder);
            dt_log_line("%s is in use by %s; waiting up to %.0f s for it to end", purpose, holder,
                        patience_seconds);
        }
        told = true;
        nanosleep(&pause, NULL);
    }
}

dt_status dt_lock_take(dt_lock *lock, const char *path, double patience_seconds, const char *purpose) {
    char holder[HOLDER_BYTES];
    int descriptor;
    if (lock->path)
        return DT_OK;
    switch (try_patiently(path, patience_seconds, purpose, &descriptor)) {
    case BUSY:
        read_holder(path, holder);
        return dt_usage(
            "%s is in use by %s, and two runs must not write to one place: wait for that one or end "
            "it, or name another folder for this run",
            purpose, holder);
    case WITHOUT_LOCKS:
        dt_log_warn("%s: the file system cannot lock %s (%s): nothing but you keeps a second run from "
                    "writing there too",
                    purpose, path, strerror(errno));
        (void)unlink(path);
        return DT_OK;
    case REPLACED:
    case BROKEN:
        return dt_usage("%s: cannot lock %s: %s; name a folder that can be written to", purpose, path,
                        strerror(errno));
    case TAKEN:
        break;
    }
    lock->path = strdup(path);
    if (lock->path == NULL) {
        close(descriptor);
        return dt_fail("out of memory for a lock");
    }
    lock->descriptor = descriptor;
    write_holder(descriptor);
    return DT_OK;
}

void dt_lock_release(dt_lock *lock) {
    if (lock->path == NULL)
        return;
    /* While it is still locked: a file that another process has taken over is not removed. */
    (void)unlink(lock->path);
    close(lock->descriptor);
    free(lock->path);
    *lock = (dt_lock){0};
}
