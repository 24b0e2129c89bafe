/**
 * One thread's memory of the pieces it has merged: most of a text is words that have been seen before. A
 * short piece with few tokens has an entry of one cache line; a new piece takes the place of whatever has its
 * entry.
 */
#ifndef DT_TOKENIZER_PIECE_CACHE_H
#define DT_TOKENIZER_PIECE_CACHE_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/status.h"

/** What an entry holds at most. */
#define DT_PIECE_BYTES  24
#define DT_PIECE_TOKENS 9

/** Entries at first and at most, as powers of two. */
#define DT_PIECE_CACHE_MIN 8
#define DT_PIECE_CACHE_MAX 16

/** 64 bytes. A length of 0 is an empty entry. */
typedef struct dt_piece_entry {
    uint64_t key[3]; /**< the bytes, zeros behind them */
    uint16_t length, count;
    int32_t ids[DT_PIECE_TOKENS];
} dt_piece_entry;

/** The bytes of a piece as an entry has them. */
typedef struct dt_piece_key {
    uint64_t words[3];
} dt_piece_key;

/** It begins small, since many an encoder is made for a line, and forgets all when it grows. */
typedef struct dt_piece_cache {
    dt_piece_entry *entries;
    int log2;        /**< of their number */
    int64_t entered; /**< pieces since it has this size */
} dt_piece_cache;

/** Makes an empty cache. The caller frees it in any case. Local. */
dt_status dt_piece_cache_create(dt_piece_cache *cache);

/** Frees it; one that is all zero is fine. Local. */
void dt_piece_cache_free(dt_piece_cache *cache);

/** Enters a piece's tokens, count up to DT_PIECE_TOKENS, where dt_piece_cache_at finds them next. Where there
 * is no memory to grow the cache keeps its size. Local. */
void dt_piece_cache_enter(dt_piece_cache *cache, const dt_piece_key *key, int64_t length, const int32_t *ids,
                          int64_t count);

/** The key of piece[0..length), length from 1 to DT_PIECE_BYTES; memory can be read up to `readable_end`.
 * Local. */
static inline dt_piece_key dt_piece_key_of(const uint8_t *piece, int64_t length,
                                           const uint8_t *readable_end) {
    dt_piece_key key = {{0, 0, 0}};
    if (readable_end - piece < DT_PIECE_BYTES) {
        memcpy(&key, piece, (size_t)length);
        return key;
    }
    /* Whole words, of which what lies behind the piece is blanked: a copy of an unknown length is a call. */
    memcpy(&key, piece, sizeof key);
    const unsigned bits = (unsigned)(8 * length);
    key.words[0] &= bits >= 64 ? UINT64_MAX : ~(UINT64_MAX << bits);
    key.words[1] = bits <= 64 ? 0 : key.words[1] & (bits >= 128 ? UINT64_MAX : ~(UINT64_MAX << (bits - 64)));
    key.words[2] =
        bits <= 128 ? 0 : key.words[2] & (bits >= 192 ? UINT64_MAX : ~(UINT64_MAX << (bits - 128)));
    return key;
}

/** The entry that a piece has or would have. Local. */
static inline dt_piece_entry *dt_piece_cache_at(const dt_piece_cache *cache, const dt_piece_key *key) {
    uint64_t mixed = key->words[0] * UINT64_C(0x9E3779B97F4A7C15) ^
                     key->words[1] * UINT64_C(0xC2B2AE3D27D4EB4F) ^
                     key->words[2] * UINT64_C(0x165667B19E3779F9);
    mixed ^= mixed >> 29;
    mixed *= UINT64_C(0xBF58476D1CE4E5B9);
    return &cache->entries[mixed >> (64 - cache->log2)];
}

/** Whether it is that piece's. Local. */
static inline bool dt_piece_cache_hit(const dt_piece_entry *entry, const dt_piece_key *key, int64_t length) {
    return entry->length == length && entry->key[0] == key->words[0] && entry->key[1] == key->words[1] &&
           entry->key[2] == key->words[2];
}

#endif
