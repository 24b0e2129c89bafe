/**
 * How much memory can still be had before the kernel starts to end processes.
 */
#ifndef DT_BASE_AVAILABLE_H
#define DT_BASE_AVAILABLE_H

#include <stdbool.h>
#include <stdint.h>

/**
 * Bytes that a process may still take: what the kernel calls MemAvailable, or what a limit on the process's
 * control group (version 1 or 2, or one around it) leaves, whichever is less. File pages and the kernel's
 * caches, which it gives up before, count as free in both. INT64_MAX where neither is told. `root` is where
 * proc/ and sys/ are mounted, "" for the running system. Local.
 */
int64_t dt_available_bytes(const char *root);

/** Whether it is a limit on a control group that leaves so little, and not the host. Local. */
bool dt_available_is_limited(const char *root);

#endif
