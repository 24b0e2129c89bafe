/**
 * Whole files, folders and names on disk, with errors that say path and cause, and writes that are durable.
 */
#ifndef DT_BASE_FILE_H
#define DT_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/**
 * Reads all of `path` ("-" is standard input) into a new block with a 0 byte after the last one; the caller
 * frees it with free(). Fails when the file cannot be read or is longer than `limit_bytes`, and for a pipe
 * that no program writes to within 5 s, or nothing comes from for a minute. Local.
 */
dt_status dt_file_read(const char *path, int64_t limit_bytes, char **bytes, size_t *length);

/**
 * The same for a file that must be a regular one, so that neither a pipe nor a device keeps the reader
 * waiting; the size is looked at before anything is allocated. Local.
 */
dt_status dt_file_read_regular(const char *path, int64_t limit_bytes, char **bytes, size_t *length);

/** Opens `path` for reading and tells its size. Fails unless it is a regular file. The caller closes it.
 * Local. */
dt_status dt_file_open(const char *path, int *descriptor, int64_t *size_bytes);

/** Reads exactly `length` bytes at `offset`; a file that ends before is a failure. Repeats short reads.
 * Local. */
dt_status dt_file_read_at(int descriptor, const char *path, void *bytes, size_t length, int64_t offset);

/** Writes all `length` bytes at the file's position, repeating short writes. Local. */
dt_status dt_file_write(int descriptor, const char *path, const void *bytes, size_t length);

/** Creates `path` (which must not exist) for writing. The caller closes it, best by dt_file_finish. Local. */
dt_status dt_file_create(const char *path, int *descriptor);

/** Makes what was written durable (fsync). Local. */
dt_status dt_file_sync(int descriptor, const char *path);

/** Makes what was written durable (fsync) and closes; the descriptor is closed on failure too. Local. */
dt_status dt_file_finish(int descriptor, const char *path);

/** Writes `length` bytes as the new file `path`, durable. Local. */
dt_status dt_file_save(const char *path, const void *bytes, size_t length);

/** Renames `from` to `to`, whose place it takes if something stands there. Local. */
dt_status dt_file_rename(const char *from, const char *to);

/** Makes the names in folder `path` durable (fsync of the folder). Local. */
dt_status dt_file_sync_folder(const char *path);

/** Makes folder `path` and its missing parents; one that exists is fine. Local. */
dt_status dt_file_make_folder(const char *path);

/** Removes `path` and all below it, without following symbolic links; what does not exist is fine. Local. */
dt_status dt_file_remove_tree(const char *path);

/** Whether `path` names something, following symbolic links. Local. */
bool dt_file_exists(const char *path);

/** Whether the name `path` is taken, be it by a link that leads nowhere. Local. */
bool dt_file_is_there(const char *path);

/** Whether `path` is a folder, following symbolic links. Local. */
bool dt_file_is_folder(const char *path);

/** Whether both are there and lead to one file or folder. Local. */
bool dt_file_is_same(const char *path, const char *other);

/** A new string "folder/name", or `name` alone when it is absolute; the caller frees it. When out of memory
 * it records so (DT_FAILED) and is NULL. Local. */
char *dt_file_join(const char *folder, const char *name);

/**
 * The names in folder `path` (without . and ..), sorted by bytes, as a new array of `*count` new strings; the
 * caller frees it with dt_file_free_names. Local.
 */
dt_status dt_file_list(const char *path, char ***names, size_t *count);

/** Frees what dt_file_list made; NULL is allowed. Local. */
void dt_file_free_names(char **names, size_t count);

#endif
