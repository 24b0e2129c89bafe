/* The lock knows where its folder is; this remembers where it was. */
#include "train/saver_folder.h"

#include <stdlib.h>
#include <string.h>

/* Nothing, where it cannot be looked at. */
static struct stat look(const char *name) {
    struct stat info;
    return stat(name, &info) == 0 ? info : (struct stat){0};
}

dt_status dt_saver_folder_open(dt_saver_folder *folder, dt_lock *lock, const char *name) {
    *folder = (dt_saver_folder){.lock = lock, .name = strdup(name)};
    if (folder->name == NULL)
        return dt_fail("out of memory for a folder's name");
    folder->seen = look(name);
    return DT_OK;
}

void dt_saver_folder_free(dt_saver_folder *folder) {
    free(folder->name);
    *folder = (dt_saver_folder){0};
}

dt_status dt_saver_folder_follow(dt_saver_folder *folder) {
    char *name;
    folder->moved = false;
    if (folder->lock == NULL || folder->lock->folder == NULL)
        return DT_OK;
    DT_TRY(dt_lock_follow(folder->lock, &name));
    const struct stat now = look(name);
    folder->moved = strcmp(name, folder->name) != 0 || now.st_ino != folder->seen.st_ino ||
                    now.st_dev != folder->seen.st_dev;
    free(folder->name);
    folder->name = name;
    folder->seen = now;
    return DT_OK;
}
