/**
 * One process at a time in a folder: a lock file within it, that names its holder.
 *
 * The file, FOLDER/run.lock, stands in the folder itself and is opened without following links, so that every
 * spelling of the folder's name, every link and mount that leads there, and every host, meets the same one.
 * The lock is flock()'s and lives as long as the process does, however that ends (SIGKILL too), so that a
 * lock file which is left behind holds nobody up. Linux carries flock() to an NFS server, where it holds
 * between hosts; after a host has died the server keeps it until the lease of NFSv4 is over, 90 s by default.
 * A file system without locks (some mounts of Lustre) is used without, and the log warns.
 *
 * Where a file system can, the folder itself is locked as well: then nobody gets in by removing the file.
 *
 * The file holds one line for people, "process 4711 on node3 since 2031-05-30T12:00:00Z", and is removed by
 * whoever releases the lock. Whoever holds it can also tell where the folder has been moved to.
 */
#ifndef DT_BASE_LOCK_H
#define DT_BASE_LOCK_H

#include <stdbool.h>

#include "base/status.h"

#define DT_LOCK_NAME "run.lock"

/** All zero when nothing is held. */
typedef struct dt_lock {
    struct dt_lock *within; /**< of the folder that this one lies in, where that is locked too: it is followed
                               first. Set by who took both, which must not move; NULL for none */
    char *folder;           /**< where it was seen last, or NULL when nothing is held */
    char *purpose;          /**< opens the sentences, as in "out_dir: runs/a" */
    int home;               /**< the folder's descriptor */
    int descriptor;         /**< the file's; -1 on a file system without locks */
} dt_lock;

/**
 * Takes the lock of `folder`, which must exist. While another process has it the call waits up to
 * `patience_seconds`, then fails with DT_USAGE and names the holder. `purpose` opens the sentences. A lock
 * that is held already stays. Local.
 */
dt_status dt_lock_take(dt_lock *lock, const char *folder, double patience_seconds, const char *purpose);

/** Fails with DT_USAGE, naming the holder, where another process has the lock of `folder`; changes nothing
 * there. Where the file system has no locks, or there is no such folder, nobody has it. Local. */
dt_status dt_lock_expect_free(const char *folder, const char *purpose);

/** Fails with DT_USAGE, in dt_lock_take's words, where FOLDER/run.lock is there and no file; changes nothing.
 * Local. */
dt_status dt_lock_expect_file(const char *folder, const char *purpose);

/** Whether the lock is held and `folder` is another name of its folder. Local. */
bool dt_lock_covers(const dt_lock *lock, const char *folder);

/**
 * Where the folder of a lock that is held stands now, as a new string that the caller frees. One that was
 * moved while the lock was held is found again, and one that was removed is made and locked anew; the log
 * says so. Fails where something else has taken its name, and it is not known where it is. Any thread. Local.
 */
dt_status dt_lock_follow(dt_lock *lock, char **folder);

/** Removes the file and lets the lock go; one that is not held is fine. Local. */
void dt_lock_release(dt_lock *lock);

#endif
