/* The only file that knows which hash it is. */
#include "base/checksum.h"

#include <inttypes.h>
#include <stdio.h>
#include <xxhash.h>

#include "base/assert.h"

static void print_128(XXH128_hash_t hash, char *text) {
    snprintf(text, DT_CHECKSUM_TEXT_BYTES, "%016" PRIx64 "%016" PRIx64, hash.high64, hash.low64);
}

dt_status dt_checksum_create(dt_checksum *checksum, int bits) {
    DT_ASSERT(bits == 64 || bits == 128);
    checksum->bits = bits;
    checksum->state = XXH3_createState();
    if (checksum->state == NULL)
        return dt_fail("out of memory while preparing a checksum");
    dt_checksum_restart(checksum);
    return DT_OK;
}

void dt_checksum_free(dt_checksum *checksum) {
    XXH3_freeState(checksum->state);
    *checksum = (dt_checksum){0};
}

void dt_checksum_restart(dt_checksum *checksum) {
    DT_ASSERT(checksum->state != NULL);
    if (checksum->bits == 64)
        XXH3_64bits_reset(checksum->state);
    else
        XXH3_128bits_reset(checksum->state);
}

void dt_checksum_add(dt_checksum *checksum, const void *bytes, size_t length) {
    DT_ASSERT(checksum->state != NULL && (bytes != NULL || length == 0));
    if (checksum->bits == 64)
        XXH3_64bits_update(checksum->state, bytes, length);
    else
        XXH3_128bits_update(checksum->state, bytes, length);
}

void dt_checksum_text(const dt_checksum *checksum, char text[DT_CHECKSUM_TEXT_BYTES]) {
    DT_ASSERT(checksum->state != NULL);
    if (checksum->bits == 64)
        snprintf(text, DT_CHECKSUM_TEXT_BYTES, "%016" PRIx64, XXH3_64bits_digest(checksum->state));
    else
        print_128(XXH3_128bits_digest(checksum->state), text);
}

void dt_checksum_block(const void *bytes, size_t length, char text[DT_CHECKSUM_TEXT_BYTES]) {
    print_128(XXH3_128bits(bytes, length), text);
}

uint64_t dt_checksum_64(const void *bytes, size_t length) {
    return XXH3_64bits(bytes, length);
}
