/* A hash table of pieces, and its clearing when it is full. */
#include "tokenizer/piece_counts.h"

#include <stdlib.h>
#include <string.h>

#include "base/checksum.h"
#include "base/minmax.h"

#define FIRST_SLOTS 65536

static dt_status out_of_memory(void) {
    return dt_fail("out of memory for counting the pieces of a text");
}

/* The slot that a piece has, or the empty one where it would be. */
static uint64_t find(const dt_piece_counts *c, const uint8_t *piece, int64_t length) {
    uint64_t at = dt_checksum_64(piece, (size_t)length) & c->slot_mask;
    for (; c->slots[at] >= 0; at = (at + 1) & c->slot_mask) {
        const dt_piece_count *other = &c->pieces[c->slots[at]];
        if (other->length == length && memcmp(c->bytes + other->offset, piece, (size_t)length) == 0)
            break;
    }
    return at;
}

static dt_status set_slots(dt_piece_counts *c, uint64_t slots) {
    int32_t *made = slots == c->slot_mask + 1 ? c->slots : malloc(slots * sizeof *made);
    if (made == NULL)
        return out_of_memory();
    if (made != c->slots)
        free(c->slots);
    c->slots = made;
    c->slot_mask = slots - 1;
    memset(made, -1, slots * sizeof *made);
    for (int64_t i = 0; i < c->count; i++)
        made[find(c, c->bytes + c->pieces[i].offset, c->pieces[i].length)] = (int32_t)i;
    return DT_OK;
}

dt_status dt_piece_counts_create(dt_piece_counts *counts) {
    *counts =
        (dt_piece_counts){.max_pieces = DT_PIECE_COUNTS_MAX_PIECES, .max_bytes = DT_PIECE_COUNTS_MAX_BYTES};
    return set_slots(counts, FIRST_SLOTS);
}

void dt_piece_counts_free(dt_piece_counts *counts) {
    free(counts->pieces);
    free(counts->bytes);
    free(counts->slots);
    *counts = (dt_piece_counts){0};
}

/* Keeps the pieces that occur more often than `limit`; returns how many they would be where `only_count`. */
static int64_t keep_above(dt_piece_counts *c, int64_t limit, bool only_count) {
    int64_t kept = 0, used = 0;
    for (int64_t i = 0; i < c->count; i++) {
        const dt_piece_count piece = c->pieces[i];
        if (piece.count <= limit)
            continue;
        if (!only_count) {
            memmove(c->bytes + used, c->bytes + piece.offset, (size_t)piece.length);
            c->pieces[kept] = (dt_piece_count){used, piece.count, piece.length};
            used += piece.length;
        }
        kept++;
    }
    if (!only_count) {
        c->count = kept;
        c->used = used;
    }
    return kept;
}

static dt_status forget_rarest(dt_piece_counts *c) {
    const int64_t before = c->count;
    int64_t limit = 1;
    while (keep_above(c, limit, true) > before / 2)
        limit *= 2;
    keep_above(c, limit, false);
    c->forgotten += before - c->count;
    c->forgotten_count = dt_max(c->forgotten_count, limit);
    return set_slots(c, c->slot_mask + 1);
}

/* Room for one more piece, or none where the bounds are reached. */
static dt_status reserve(dt_piece_counts *c, int64_t length) {
    if (c->count == c->capacity) {
        const int64_t capacity = dt_max(2 * c->capacity, 4096);
        dt_piece_count *grown = realloc(c->pieces, (size_t)capacity * sizeof *grown);
        if (grown == NULL)
            return out_of_memory();
        c->pieces = grown;
        c->capacity = capacity;
    }
    if (c->used + length > c->bytes_capacity) {
        const int64_t capacity = dt_max(2 * c->bytes_capacity, c->used + length + 65536);
        uint8_t *grown = realloc(c->bytes, (size_t)capacity);
        if (grown == NULL)
            return out_of_memory();
        c->bytes = grown;
        c->bytes_capacity = capacity;
    }
    return 2 * (uint64_t)c->count > c->slot_mask ? set_slots(c, 2 * (c->slot_mask + 1)) : DT_OK;
}

dt_status dt_piece_counts_add(void *context, const uint8_t *piece, int64_t length) {
    dt_piece_counts *c = context;
    uint64_t at = find(c, piece, length);
    if (c->slots[at] >= 0) {
        c->pieces[c->slots[at]].count++;
        return DT_OK;
    }
    if (length > c->max_bytes / 2)
        return dt_usage(
            "expected pieces of text of at most %lld bytes to train a tokenizer on, found one of %lld; "
            "break its lines",
            (long long)(c->max_bytes / 2), (long long)length);
    if (c->count == c->max_pieces || c->used + length > c->max_bytes) {
        c->is_full = c->is_sample;
        if (c->is_full)
            return DT_OK;
        DT_TRY(forget_rarest(c));
    }
    DT_TRY(reserve(c, length));
    at = find(c, piece, length);
    memcpy(c->bytes + c->used, piece, (size_t)length);
    c->pieces[c->count] = (dt_piece_count){c->used, 1, length};
    c->slots[at] = (int32_t)c->count++;
    c->used += length;
    return DT_OK;
}
