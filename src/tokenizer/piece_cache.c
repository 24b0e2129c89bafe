/* One block of entries, four times as large whenever half of it may be taken. */
#include "tokenizer/piece_cache.h"

#include "base/assert.h"
#include "base/memory.h"

_Static_assert(sizeof(dt_piece_entry) == 64, "an entry is a cache line");

static dt_piece_entry *allocate(int log2) {
    return dt_memory_alloc((int64_t)1 << log2, sizeof(dt_piece_entry), "a cache of tokens");
}

dt_status dt_piece_cache_create(dt_piece_cache *cache) {
    *cache = (dt_piece_cache){.entries = allocate(DT_PIECE_CACHE_MIN), .log2 = DT_PIECE_CACHE_MIN};
    return cache->entries != NULL ? DT_OK : DT_FAILED;
}

void dt_piece_cache_free(dt_piece_cache *cache) {
    dt_memory_free(cache->entries);
    *cache = (dt_piece_cache){0};
}

static void grow(dt_piece_cache *cache) {
    const int log2 = cache->log2 + 2;
    dt_piece_entry *entries = allocate(log2);
    cache->entered = 0;
    if (entries == NULL)
        return;
    dt_memory_free(cache->entries);
    cache->entries = entries;
    cache->log2 = log2;
}

void dt_piece_cache_enter(dt_piece_cache *cache, const dt_piece_key *key, int64_t length, const int32_t *ids,
                          int64_t count) {
    DT_ASSERT(length >= 1 && length <= DT_PIECE_BYTES && count >= 1 && count <= DT_PIECE_TOKENS);
    if (cache->log2 < DT_PIECE_CACHE_MAX && ++cache->entered > (int64_t)1 << (cache->log2 - 1))
        grow(cache);
    dt_piece_entry *entry = dt_piece_cache_at(cache, key);
    memcpy(entry->key, key, sizeof entry->key);
    memcpy(entry->ids, ids, (size_t)count * sizeof *ids);
    entry->length = (uint16_t)length;
    entry->count = (uint16_t)count;
}
