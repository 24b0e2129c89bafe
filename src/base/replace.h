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

/** Makes `path` a file of these `length` bytes; one that was there keeps its mode. Local. */
dt_status dt_replace_write(const char *path, const void *bytes, size_t length);

#endif
