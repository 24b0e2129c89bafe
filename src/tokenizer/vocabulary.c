/* One block of bytes, and where each token lies in it. */
#include "tokenizer/vocabulary.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"

dt_status dt_vocabulary_create(dt_vocabulary *vocabulary, int64_t count) {
    DT_ASSERT(count >= 0 && count <= DT_VOCABULARY_MAX_IDS);
    *vocabulary = (dt_vocabulary){.count = count,
                                  .offset = dt_memory_alloc(count, sizeof(int64_t), "a vocabulary"),
                                  .length = dt_memory_alloc(count, sizeof(int32_t), "a vocabulary")};
    if (vocabulary->offset == NULL || vocabulary->length == NULL)
        return DT_FAILED;
    for (int64_t id = 0; id < count; id++)
        vocabulary->offset[id] = -1;
    return DT_OK;
}

void dt_vocabulary_free(dt_vocabulary *vocabulary) {
    dt_memory_free(vocabulary->offset);
    dt_memory_free(vocabulary->length);
    free(vocabulary->bytes);
    *vocabulary = (dt_vocabulary){0};
}

dt_status dt_vocabulary_set(dt_vocabulary *vocabulary, int64_t id, const uint8_t *bytes, int64_t length) {
    DT_ASSERT(id >= 0 && id < vocabulary->count && length >= 0 && length <= DT_VOCABULARY_MAX_BYTES);
    if (vocabulary->capacity - vocabulary->used < length + 1) {
        const int64_t capacity = dt_max(2 * vocabulary->capacity, vocabulary->used + length + 4096);
        uint8_t *grown = realloc(vocabulary->bytes, (size_t)capacity);
        if (grown == NULL)
            return dt_fail("out of memory for a vocabulary");
        vocabulary->bytes = grown;
        vocabulary->capacity = capacity;
    }
    memcpy(vocabulary->bytes + vocabulary->used, bytes, (size_t)length);
    vocabulary->offset[id] = vocabulary->used;
    vocabulary->length[id] = (int32_t)length;
    vocabulary->used += length;
    return DT_OK;
}

const uint8_t *dt_vocabulary_bytes(const dt_vocabulary *vocabulary, int64_t id, int64_t *length) {
    static const uint8_t none[1];
    DT_ASSERT(id >= 0 && id < vocabulary->count);
    *length = vocabulary->length[id];
    return vocabulary->offset[id] < 0 ? none : vocabulary->bytes + vocabulary->offset[id];
}
