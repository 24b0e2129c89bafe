/**
 * Files that hold a result: whoever looks finds all of the new one or what was there before, and nothing in
 * between. It is written to a temporary file beside the place, which then gets the name:
 *
 *     .<name>.<pid>.tmp
 *
 * A link is followed to the file that it leads to. A pipe or a device cannot be replaced, nor can the file
 * that this process prints to: it is written to. "-" is standard output.
 */
#ifndef DT_BASE_REPLACE_H
#define DT_BASE_REPLACE_H

#include <stddef.h>

#include "base/status.h"

/**
 * Whether dt_replace_write would find its place, for programs that work long before they write: a file that
 * stands there stays as it is, and none is left behind. Fails where not. Local.
 */
dt_status dt_replace_check(const char *path);

/**
 * Reads the start of the file that dt_replace_write would replace, up to `limit` bytes, to `bytes`, and says
 * how many there are. None where the place is free, where the file is empty, and where what stands there is
 * written to and not replaced. Fails where it cannot be read. Local.
 */
dt_status dt_replace_peek(const char *path, char *bytes, size_t limit, size_t *length);

/** Makes `path` a file of these `length` bytes; one that was there keeps its mode. Local. */
dt_status dt_replace_write(const char *path, const void *bytes, size_t length);

/**
 * Creates the file `temporary`, in place of one that a process left which was ended meanwhile; `path` stands
 * in the sentence of a failure. The caller writes it and ends with dt_replace_finish. Local.
 */
dt_status dt_replace_create(const char *temporary, const char *path, int *descriptor);

/**
 * Ends what dt_replace_create began, by the `status` of what was written: where that is good, makes the file
 * durable and gives it the name `target`, or leaves it its own when that is NULL; else, and where it fails in
 * this, removes it. Returns what went wrong first. Local.
 */
dt_status dt_replace_finish(int descriptor, const char *temporary, const char *target, dt_status status);

#endif
