/**
 * A folder made for work that may come to nothing: then it goes again, with those above it that were made for
 * it.
 */
#ifndef DT_BASE_MADE_FOLDER_H
#define DT_BASE_MADE_FOLDER_H

#include <stddef.h>

#include "base/status.h"

typedef struct dt_made_folder {
    char *path;
    size_t there; /**< bytes of `path` that named a folder before; 0: none */
} dt_made_folder;

/** Makes folder `path` and its missing parents; one that exists is fine. The caller ends it by one of the two
 * below, after failure too. Local. */
dt_status dt_made_folder_begin(dt_made_folder *made, const char *path);

/** Leaves the folder where it is. One that is all zero is fine. Local. */
void dt_made_folder_keep(dt_made_folder *made);

/** Removes of the folders that were not there before those that are empty. One that is all zero is fine.
 * Local. */
void dt_made_folder_undo(dt_made_folder *made);

#endif
