/**
 * Where checkpoints stand: the folder that a lock holds, wherever it has been moved. All functions are local.
 */
#ifndef DT_TRAIN_SAVER_FOLDER_H
#define DT_TRAIN_SAVER_FOLDER_H

#include <stdbool.h>
#include <sys/stat.h>

#include "base/lock.h"
#include "base/status.h"

/** All zero when there is none. */
typedef struct dt_saver_folder {
    dt_lock *lock;    /**< that holds the folder; NULL, or one that holds none: it stays where it is */
    char *name;       /**< where it is now */
    struct stat seen; /**< what had that name when it was followed last */
    bool moved;       /**< whether it had then another name than before, or was another folder */
} dt_saver_folder;

/** `name` is copied; `lock` must outlive the folder. The caller frees, after failure too. */
dt_status dt_saver_folder_open(dt_saver_folder *folder, dt_lock *lock, const char *name);

/** Frees; all zero is fine. */
void dt_saver_folder_free(dt_saver_folder *folder);

/** Lets `name` be where the folder is now, and `moved` tell of it. As dt_lock_follow otherwise. */
dt_status dt_saver_folder_follow(dt_saver_folder *folder);

#endif
