/* flock() on a file that goes away with its holder. */
#include "base/lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/host.h"
#include "base/log.h"

#define HOLDER_BYTES     512
#define LOOK_NANOSECONDS 100000000L

/* What a try at the lock came to. */
typedef enum outcome { TAKEN, BUSY, REPLACED, WITHOUT_LOCKS, FOREIGN, BROKEN } outcome;

static bool same(const struct stat *a, const struct stat *b) {
    return a->st_ino == b->st_ino && a->st_dev == b->st_dev;
}

static bool leads_to(const char *path, int home) {
    struct stat held, named;
    return fstat(home, &held) == 0 && stat(path, &named) == 0 && same(&held, &named);
}

/* Whoever had the lock before may have removed the file after it was opened here: that lock locks nothing. */
static bool is_in_place(int home, int descriptor) {
    struct stat held, named;
    return fstat(descriptor, &held) == 0 && fstatat(home, DT_LOCK_NAME, &named, AT_SYMLINK_NOFOLLOW) == 0 &&
           same(&held, &named);
}

/* On WITHOUT_LOCKS and BROKEN errno tells the cause. */
static outcome lock_file(int descriptor) {
    int failed;
    do
        failed = flock(descriptor, LOCK_EX | LOCK_NB);
    while (failed && errno == EINTR);
    if (!failed)
        return TAKEN;
    if (errno == EWOULDBLOCK)
        return BUSY;
    return errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOLCK ? WITHOUT_LOCKS : BROKEN;
}

/*
 * With the file in hand, the folder itself as well: people remove the file of a run that lives, taking it for
 * a leftover. NFS cannot lock a folder, which is no reason to do without the file.
 */
static outcome lock_folder(int home) {
    if (lock_file(home) != BUSY)
        return TAKEN;
    (void)unlinkat(home, DT_LOCK_NAME, 0);
    return BUSY;
}

/* What is opened is a file of this lock alone: what is written into it shows nowhere else. */
static outcome open_file(int home, int *descriptor) {
    struct stat info;
    /* NFS wants a file that may be written to for a lock that excludes others. */
    *descriptor = openat(home, DT_LOCK_NAME, O_RDWR | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0666);
    if (*descriptor < 0)
        return errno == ELOOP || errno == EISDIR || errno == ENXIO ? FOREIGN : BROKEN;
    if (fstat(*descriptor, &info) == 0 && S_ISREG(info.st_mode))
        return TAKEN;
    close(*descriptor);
    return FOREIGN;
}

/*
 * The file is another user's, who may read it at most to us. Whoever holds it also holds the folder, where
 * that can be locked; what nobody holds is left over from a run that was killed, and goes.
 */
static outcome clear_foreign(int home) {
    const int file = openat(home, DT_LOCK_NAME, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    outcome found = file < 0 ? TAKEN : lock_file(file);
    if (found == TAKEN)
        found = lock_file(home);
    if (found == TAKEN)
        found = unlinkat(home, DT_LOCK_NAME, 0) == 0 ? REPLACED : BROKEN;
    const int cause = found == BROKEN || found == WITHOUT_LOCKS ? EACCES : errno;
    if (file >= 0)
        close(file);
    errno = cause;
    return found == WITHOUT_LOCKS ? BROKEN : found;
}

static outcome try_in(const char *folder, int home, int *descriptor) {
    struct stat info;
    outcome found = open_file(home, descriptor);
    int cause = errno;
    if (found == BROKEN && cause == EACCES && faccessat(home, DT_LOCK_NAME, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
        return clear_foreign(home);
    errno = cause;
    if (found != TAKEN)
        return found;
    found = lock_file(*descriptor);
    cause = errno;
    if (found == TAKEN && (!is_in_place(home, *descriptor) || !leads_to(folder, home)))
        found = REPLACED;
    /* A tree that was copied by hard links shares the file: this name gets one of its own. */
    if (found == TAKEN && fstat(*descriptor, &info) == 0 && info.st_nlink > 1 &&
        unlinkat(home, DT_LOCK_NAME, 0) == 0)
        found = REPLACED;
    if (found == TAKEN)
        found = lock_folder(home);
    if (found == WITHOUT_LOCKS)
        (void)unlinkat(home, DT_LOCK_NAME, 0);
    if (found != TAKEN)
        close(*descriptor);
    errno = cause;
    return found;
}

/* On TAKEN and WITHOUT_LOCKS `*home` stays open. */
static outcome try_once(const char *folder, int *home, int *descriptor) {
    *descriptor = -1;
    *home = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (*home < 0 && errno == EACCES)
        *home = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (*home < 0)
        return BROKEN;
    const outcome found = try_in(folder, *home, descriptor);
    const int cause = errno;
    if (found != TAKEN)
        *descriptor = -1;
    if (found != TAKEN && found != WITHOUT_LOCKS)
        close(*home);
    errno = cause;
    return found;
}

/* The line of the file; a holder that has not written it yet is "another process". */
static void read_holder(const char *folder, char holder[HOLDER_BYTES]) {
    char *path = dt_file_join(folder, DT_LOCK_NAME);
    const int descriptor = path ? open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC) : -1;
    const ssize_t length = descriptor < 0 ? -1 : read(descriptor, holder, HOLDER_BYTES - 1);
    if (descriptor >= 0)
        close(descriptor);
    free(path);
    holder[length > 0 ? length : 0] = 0;
    holder[strcspn(holder, "\n")] = 0;
    if (holder[0] == 0)
        snprintf(holder, HOLDER_BYTES, "another process");
}

/* The lock holds without the line too, so a full disk is no reason to fail here. */
static void write_holder(int descriptor) {
    char host[DT_HOST_BYTES], stamp[32], line[HOLDER_BYTES];
    dt_host_name(host);
    dt_clock_stamp(stamp, sizeof stamp);
    const int length =
        snprintf(line, sizeof line, "process %ld on %s since %s\n", (long)getpid(), host, stamp);
    if (ftruncate(descriptor, 0) != 0 || pwrite(descriptor, line, (size_t)length, 0) != length)
        return;
    (void)fsync(descriptor);
}

/* Tries until the lock is taken, cannot be, or patience has run out. */
static outcome try_patiently(const char *folder, double patience_seconds, const char *purpose, int *home,
                             int *descriptor) {
    const double start = dt_clock_seconds();
    const struct timespec pause = {.tv_nsec = LOOK_NANOSECONDS};
    bool told = false;
    for (;;) {
        const outcome found = try_once(folder, home, descriptor);
        if (found == REPLACED)
            continue;
        if (found != BUSY || dt_clock_seconds() - start >= patience_seconds)
            return found;
        if (!told) {
            char holder[HOLDER_BYTES];
            read_holder(folder, holder);
            dt_log_line("%s is in use by %s; waiting up to %.0f s for it to end", purpose, holder,
                        patience_seconds);
        }
        told = true;
        nanosleep(&pause, NULL);
    }
}

static dt_status refuse_busy(const char *folder, const char *purpose) {
    char holder[HOLDER_BYTES];
    read_holder(folder, holder);
    return dt_usage("%s is in use by %s, and two runs must not write to one place: wait for that one or end "
                    "it, or name another folder for this run",
                    purpose, holder);
}

static dt_status refuse_foreign(const char *folder, const char *purpose) {
    return dt_usage("%s: expected %s/" DT_LOCK_NAME " to be a lock file or not to exist yet, found a "
                    "symbolic link, a folder or something else; remove it, or name another folder",
                    purpose, folder);
}

dt_status dt_lock_expect_file(const char *folder, const char *purpose) {
    struct stat info;
    char *path = dt_file_join(folder, DT_LOCK_NAME);
    if (path == NULL)
        return DT_FAILED;
    const bool foreign = lstat(path, &info) == 0 && !S_ISREG(info.st_mode);
    free(path);
    return foreign ? refuse_foreign(folder, purpose) : DT_OK;
}

dt_status dt_lock_expect_free(const char *folder, const char *purpose) {
    char *path = dt_file_join(folder, DT_LOCK_NAME);
    if (path == NULL)
        return DT_FAILED;
    const int descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    free(path);
    if (descriptor < 0)
        return DT_OK;
    /* Closing it gives a lock back that was got. */
    const bool busy = flock(descriptor, LOCK_SH | LOCK_NB) != 0 && errno == EWOULDBLOCK;
    close(descriptor);
    return busy ? refuse_busy(folder, purpose) : DT_OK;
}

/* Takes the lock of a folder; opens the descriptors of `lock`. */
static dt_status take(dt_lock *lock, const char *folder, double patience_seconds, const char *purpose) {
    switch (try_patiently(folder, patience_seconds, purpose, &lock->home, &lock->descriptor)) {
    case BUSY:
        return refuse_busy(folder, purpose);
    case FOREIGN:
        return refuse_foreign(folder, purpose);
    case REPLACED:
    case BROKEN:
        return dt_usage("%s: cannot lock %s/" DT_LOCK_NAME ": %s; name a folder that you can write to",
                        purpose, folder, strerror(errno));
    case WITHOUT_LOCKS:
        dt_log_warn("%s: the file system cannot lock %s/" DT_LOCK_NAME " (%s): make sure that no second "
                    "run writes there",
                    purpose, folder, strerror(errno));
        return DT_OK;
    case TAKEN:
        write_holder(lock->descriptor);
    }
    return DT_OK;
}

dt_status dt_lock_take(dt_lock *lock, const char *folder, double patience_seconds, const char *purpose) {
    DT_ASSERT(patience_seconds >= 0.0);
    if (lock->folder)
        return DT_OK;
    dt_lock taken = {0};
    char *own_folder = strdup(folder), *own_purpose = strdup(purpose);
    const dt_status status = own_folder && own_purpose ? take(&taken, folder, patience_seconds, purpose)
                                                       : dt_fail("out of memory for a lock");
    if (status != DT_OK) {
        free(own_folder);
        free(own_purpose);
        return status;
    }
    taken.within = lock->within;
    taken.folder = own_folder;
    taken.purpose = own_purpose;
    *lock = taken;
    return DT_OK;
}

bool dt_lock_covers(const dt_lock *lock, const char *folder) {
    return lock->folder && leads_to(folder, lock->home);
}

/* The kernel knows the name that an open folder has now. */
static bool find_moved(const dt_lock *lock, char path[PATH_MAX]) {
    char link[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", lock->home);
    const ssize_t length = readlink(link, path, PATH_MAX - 1);
    if (length < 0)
        return false;
    path[length] = 0;
    return leads_to(path, lock->home);
}

/* Makes the folder of a lock, but not those around one that lies within another: they are that one's. */
static dt_status make_folder(const dt_lock *lock, const char *folder) {
    if (lock->within == NULL)
        return dt_file_make_folder(folder);
    if (!dt_file_is_folder(folder) && mkdir(folder, 0777) != 0)
        return dt_fail("cannot make folder %s: %s", folder, strerror(errno));
    return DT_OK;
}

/* The folder is gone, and nothing, or an empty one, has taken its name. */
static dt_status make_anew(dt_lock *lock) {
    dt_lock made = {.within = lock->within};
    const char *slash = strrchr(lock->folder, '/');
    char *folder = lock->within && lock->within->folder && slash
                       ? dt_file_join(lock->within->folder, slash + 1)
                       : strdup(lock->folder);
    dt_status status = folder ? make_folder(lock, folder) : dt_fail("out of memory for a folder's name");
    if (status == DT_OK)
        status = dt_lock_take(&made, folder, 0.0, lock->purpose);
    free(folder);
    DT_TRY(status);
    dt_log_warn("%s was removed, with all that was in it, while the run was writing to it; the run makes "
                "it again and goes on writing there",
                made.purpose);
    dt_lock gone = *lock;
    *lock = made;
    dt_lock_release(&gone);
    return DT_OK;
}

/* Whether the folder is gone, and one of its name that holds nothing yet stands there, as this process may
 * have made it to write into it. */
static bool is_refilled(const dt_lock *lock) {
    struct stat info;
    char **names;
    size_t count;
    bool empty = true;
    if (fstat(lock->home, &info) != 0 || info.st_nlink != 0 ||
        dt_file_list(lock->folder, &names, &count) != DT_OK)
        return false;
    for (size_t i = 0; i < count; i++)
        empty = empty && names[i][0] == '.';
    dt_file_free_names(names, count);
    return empty;
}

static dt_status follow(dt_lock *lock) {
    char moved[PATH_MAX];
    struct stat info;
    /* Else the folder around this one would be made on the way to it, and be another than the one that is
     * held. */
    if (lock->within && lock->within->folder)
        DT_TRY(follow(lock->within));
    if (leads_to(lock->folder, lock->home))
        return DT_OK;
    if (find_moved(lock, moved)) {
        char *folder = strdup(moved);
        if (folder == NULL)
            return dt_fail("out of memory for a folder's name");
        dt_log_warn("%s was moved to %s while the run was writing to it; the run goes on writing there",
                    lock->purpose, folder);
        free(lock->folder);
        lock->folder = folder;
        return DT_OK;
    }
    if ((lstat(lock->folder, &info) != 0 && errno == ENOENT) || is_refilled(lock))
        return make_anew(lock);
    return dt_fail("%s was moved away while the run was writing to it, and %s is another folder now",
                   lock->purpose, lock->folder);
}

dt_status dt_lock_follow(dt_lock *lock, char **folder) {
    DT_ASSERT(lock->folder != NULL);
    static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    pthread_mutex_lock(&mutex);
    dt_status status = follow(lock);
    *folder = status == DT_OK ? strdup(lock->folder) : NULL;
    if (status == DT_OK && *folder == NULL)
        status = dt_fail("out of memory for a folder's name");
    pthread_mutex_unlock(&mutex);
    return status;
}

void dt_lock_release(dt_lock *lock) {
    if (lock->folder == NULL)
        return;
    (void)flock(lock->home, LOCK_UN); /* before another can take the file, for which it asks first */
    /* While it is still locked: a file that another process has taken over is not removed. */
    if (lock->descriptor >= 0) {
        if (is_in_place(lock->home, lock->descriptor))
            (void)unlinkat(lock->home, DT_LOCK_NAME, 0);
        close(lock->descriptor);
    }
    close(lock->home);
    free(lock->folder);
    free(lock->purpose);
    *lock = (dt_lock){0};
}
