/* How much of the path there was is remembered; rmdir() refuses what is not empty. */
#include "base/made_folder.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

/* Cuts the last name off, and the slashes before it. */
static void cut_name(char *path) {
    size_t length = strlen(path);
    while (length > 0 && path[length - 1] != '/')
        length--;
    while (length > 0 && path[length - 1] == '/')
        length--;
    path[length] = 0;
}

static void cut_slashes(char *path) {
    for (size_t length = strlen(path); length > 0 && path[length - 1] == '/'; length--)
        path[length - 1] = 0;
}

/* The bytes of `path` that name a folder. */
static dt_status find_there(const char *path, size_t *there) {
    char *partial = strdup(path);
    if (partial == NULL)
        return dt_fail("out of memory while making folder %s", path);
    cut_slashes(partial);
    while (*partial && !dt_file_exists(partial))
        cut_name(partial);
    *there = strlen(partial);
    free(partial);
    return DT_OK;
}

dt_status dt_made_folder_begin(dt_made_folder *made, const char *path) {
    *made = (dt_made_folder){.path = strdup(path)};
    if (made->path == NULL)
        return dt_fail("out of memory while making folder %s", path);
    cut_slashes(made->path);
    made->there = strlen(made->path);
    DT_TRY(find_there(path, &made->there));
    return dt_file_make_folder(path);
}

void dt_made_folder_keep(dt_made_folder *made) {
    free(made->path);
    *made = (dt_made_folder){0};
}

void dt_made_folder_undo(dt_made_folder *made) {
    while (made->path && strlen(made->path) > made->there && rmdir(made->path) == 0)
        cut_name(made->path);
    dt_made_folder_keep(made);
}
