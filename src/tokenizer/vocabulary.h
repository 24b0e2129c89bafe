/**
 * The tokens of a vocabulary: the bytes of each id.
 */
#ifndef DT_TOKENIZER_VOCABULARY_H
#define DT_TOKENIZER_VOCABULARY_H

#include <stddef.h>
#include <stdint.h>

#include "base/status.h"

/** Ids of a vocabulary and bytes of one token, at most. */
#define DT_VOCABULARY_MAX_IDS   (1 << 21)
#define DT_VOCABULARY_MAX_BYTES 65536

/** Tokens lie end to end in `bytes`, in the order in which they were added. */
typedef struct dt_vocabulary {
    int64_t count;   /**< ids are 0..count-1 */
    int64_t *offset; /**< of each id; -1 where an id has no token */
    int32_t *length; /**< of each id, 0 where it has no token */
    uint8_t *bytes;
    int64_t used, capacity; /**< of bytes */
} dt_vocabulary;

/** Makes room for `count` ids, none of which has a token yet. The caller frees it in any case. Local. */
dt_status dt_vocabulary_create(dt_vocabulary *vocabulary, int64_t count);

/** Frees it; one that is all zero is fine. Local. */
void dt_vocabulary_free(dt_vocabulary *vocabulary);

/** Gives an id its bytes. Fails when out of memory. Local. */
dt_status dt_vocabulary_set(dt_vocabulary *vocabulary, int64_t id, const uint8_t *bytes, int64_t length);

/** The bytes of an id; `*length` is 0 where it has none. Local. */
const uint8_t *dt_vocabulary_bytes(const dt_vocabulary *vocabulary, int64_t id, int64_t *length);

#endif
