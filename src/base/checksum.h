/**
 * Checksums of what a checkpoint holds: XXH3 of 64 or 128 bits, fed piece by piece, written as hex digits.
 *
 * The digits are those that the command xxhsum prints (-H3 and -H2), so that a person can check a file by
 * hand. They guard against damage, not against someone who means to deceive.
 */
#ifndef DT_BASE_CHECKSUM_H
#define DT_BASE_CHECKSUM_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Room for the digits of the longer kind and the 0 byte. */
#define DT_CHECKSUM_TEXT_BYTES 33

typedef struct dt_checksum {
    struct XXH3_state_s *state;
    int bits; /**< 64 or 128 */
} dt_checksum;

/** Makes a checksum of `bits` bits over nothing so far. Fails when memory is short. The caller frees it.
 * Local. */
dt_status dt_checksum_create(dt_checksum *checksum, int bits);

/** Frees it; one that is all zero is fine. Local. */
void dt_checksum_free(dt_checksum *checksum);

/** Starts again from nothing. Local. */
void dt_checksum_restart(dt_checksum *checksum);

/** Takes in the next `length` bytes. Local. */
void dt_checksum_add(dt_checksum *checksum, const void *bytes, size_t length);

/** Writes bits / 4 hex digits of all that was added, and a 0 byte; more may be added after. Local. */
void dt_checksum_text(const dt_checksum *checksum, char text[DT_CHECKSUM_TEXT_BYTES]);

/** The 128-bit digits of one block of memory. Local. */
void dt_checksum_block(const void *bytes, size_t length, char text[DT_CHECKSUM_TEXT_BYTES]);

/** The 64 bits, as a number, of one block of memory. Local. */
uint64_t dt_checksum_64(const void *bytes, size_t length);

#endif
