/**
 * Aligned memory whose size cannot overflow unnoticed.
 */
#ifndef DT_BASE_MEMORY_H
#define DT_BASE_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/align.h"
#include "base/status.h"

/**
 * A block of `count` zeroed elements of `size` bytes, aligned to DT_MEMORY_ALIGN. The caller owns it and
 * gives it back with dt_memory_free. A large block lies on huge pages where the kernel has some, and is
 * rounded up to whole ones. `what` names the block in the sentence of a failure. Returns NULL, with a
 * sentence recorded, when `count` is negative, the product overflows or memory is short; a count of 0 is a
 * valid block. Local.
 */
void *dt_memory_alloc(int64_t count, size_t size, const char *what);

/** The same but for the zeros: a large block takes memory as the caller fills it, which it does from end to
 * end. Local. */
void *dt_memory_alloc_untouched(int64_t count, size_t size, const char *what);

/** Bytes that a block of `count` elements of `size` bytes takes, rounded up as dt_memory_alloc does: a block
 * of 2 MB or more to whole huge pages. INT64_MAX where they cannot be counted. Local. */
int64_t dt_memory_block_bytes(int64_t count, size_t size);

/**
 * Fails, with `what` in the sentence, where `count` elements of `size` bytes are more than this host has
 * left. The kernel lends more than it has and ends a process when the loan is used, so whoever is about to
 * use much asks here first; dt_memory_alloc does. Small amounts are not looked at. Local.
 */
dt_status dt_memory_expect(int64_t count, size_t size, const char *what);

/** Gives a block back; NULL is allowed. Local. */
void dt_memory_free(void *block);

/** `count` rounded up to a whole number of aligned units of floats. Local. */
int64_t dt_memory_round_floats(int64_t count);

/** Bytes of this process that are in memory now (VmRSS), or 0 where the kernel does not tell. Local. */
int64_t dt_memory_resident_bytes(void);

#endif
