/**
 * One process at a time: a lock file that names its holder.
 *
 * The lock is flock()'s and lives as long as the process does, however that ends (SIGKILL too), so that a
 * lock file which is left behind holds nobody up. Linux carries flock() to an NFS server, where it holds
 * between hosts; after a host has died the server keeps it until the lease of NFSv4 is over, 90 s by default.
 * A file system without locks (some mounts of Lustre) is used without, and the log warns.
 *
 * The file holds one line for people, "process 4711 on node3 since 2031-05-30T12:00:00Z", and is removed by
 * whoever releases the lock.
 */
#ifndef DT_BASE_LOCK_H
#define DT_BASE_LOCK_H

#include "base/status.h"

/** All zero when nothing is held. */
typedef struct dt_lock {
    char *path; /**< of the lock file that is held, or NULL */
    int descriptor;
} dt_lock;

/**
 * Takes the lock of file `path`, which is made where it is missing; its folder must exist. While another
 * process has it the call waits up to `patience_seconds`, then fails with DT_USAGE and names the holder.
 * `purpose` ("out_dir: runs/a") opens the sentences. A lock that is held already stays. Local.
 */
dt_status dt_lock_take(dt_lock *lock, const char *path, double patience_seconds, const char *purpose);

/** Removes the file and lets the lock go; one that is not held is fine. Local. */
void dt_lock_release(dt_lock *lock);

#endif
