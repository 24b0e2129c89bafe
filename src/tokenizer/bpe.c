/*
 * A short piece is an array that shrinks, and each merge looks through it for the lowest rank. A long one is
 * a linked list with a heap of ranks, whose entries are thrown away when they come up and no longer hold.
 */
#include "tokenizer/bpe.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/memory.h"
#include "base/minmax.h"

/* Up to here looking through costs less than a heap. */
#define SHORT_BYTES 96

#define NO_RANK INT32_MAX

typedef struct dt_bpe_slot {
    int32_t left, right, rank, merged; /* left is -1 in an empty slot */
} slot;

static inline uint64_t hash_pair(int32_t left, int32_t right) {
    const uint64_t pair = (uint64_t)(uint32_t)left << 32 | (uint32_t)right;
    const uint64_t mixed = pair * UINT64_C(0x9E3779B97F4A7C15);
    return mixed ^ mixed >> 32;
}

/* The slot of a pair, or the empty one where it would be. */
static inline slot *find_slot(const dt_bpe *bpe, int32_t left, int32_t right) {
    uint64_t at = hash_pair(left, right) & bpe->slot_mask;
    while (bpe->slots[at].left >= 0 && (bpe->slots[at].left != left || bpe->slots[at].right != right))
        at = (at + 1) & bpe->slot_mask;
    return &bpe->slots[at];
}

/* What a pair becomes and its rank, NO_RANK where the model learned no such pair. */
static inline int32_t find_rank(const dt_bpe *bpe, int32_t left, int32_t right, int32_t *merged) {
    const slot *found = find_slot(bpe, left, right);
    *merged = found->merged;
    return found->left >= 0 ? found->rank : NO_RANK;
}

/* The slots of a table that `count` entries fill at most to the half, less one. */
static uint64_t mask_for(int64_t count) {
    uint64_t slots = 16;
    while (slots < 2 * (uint64_t)count)
        slots *= 2;
    return slots - 1;
}

/* ---- making ---- */

static dt_status add_merges(dt_bpe *bpe, const dt_bpe_merge *merges, int64_t count, const char *where) {
    bpe->slot_mask = mask_for(count);
    bpe->slots =
        dt_memory_alloc((int64_t)bpe->slot_mask + 1, sizeof *bpe->slots, "the merges of a tokenizer");
    if (bpe->slots == NULL)
        return DT_FAILED;
    for (uint64_t i = 0; i <= bpe->slot_mask; i++)
        bpe->slots[i].left = -1;
    for (int64_t i = 0; i < count; i++) {
        slot *mine = find_slot(bpe, merges[i].left, merges[i].right);
        if (mine->left >= 0)
            return dt_usage("%s: expected merges of different pairs, found merge %lld to be merge %d again",
                            where, (long long)i, mine->rank);
        *mine = (slot){merges[i].left, merges[i].right, (int32_t)i, merges[i].merged};
    }
    return DT_OK;
}

/* Where in `wholes` a token of these bytes is, or would be. */
static uint64_t find_whole(const dt_bpe *bpe, const uint8_t *bytes, int64_t length) {
    uint64_t at = dt_checksum_64(bytes, (size_t)length) & bpe->whole_mask;
    for (; bpe->wholes[at] >= 0; at = (at + 1) & bpe->whole_mask) {
        int64_t other_length;
        const uint8_t *other = dt_vocabulary_bytes(bpe->vocabulary, bpe->wholes[at], &other_length);
        if (other_length == length && memcmp(other, bytes, (size_t)length) == 0)
            break;
    }
    return at;
}

static dt_status add_wholes(dt_bpe *bpe, const bool *is_token) {
    bpe->whole_mask = mask_for(bpe->vocabulary->count);
    bpe->wholes =
        dt_memory_alloc((int64_t)bpe->whole_mask + 1, sizeof *bpe->wholes, "the tokens of a tokenizer");
    if (bpe->wholes == NULL)
        return DT_FAILED;
    memset(bpe->wholes, -1, (size_t)(bpe->whole_mask + 1) * sizeof *bpe->wholes);
    for (int64_t id = 0; id < bpe->vocabulary->count; id++) {
        int64_t length;
        const uint8_t *bytes = dt_vocabulary_bytes(bpe->vocabulary, id, &length);
        if (is_token[id] && length > 0)
            bpe->wholes[find_whole(bpe, bytes, length)] = (int32_t)id;
    }
    return DT_OK;
}

static void add_token(dt_bpe *bpe, int64_t id) {
    int64_t length;
    const uint8_t *bytes = dt_vocabulary_bytes(bpe->vocabulary, id, &length);
    if (length == 1)
        bpe->byte_id[bytes[0]] = (int32_t)id;
    for (int64_t i = 1; i < length; i++)
        bpe->joined[bytes[i - 1]][bytes[i] / 64] |= (uint64_t)1 << bytes[i] % 64;
    bpe->longest = dt_max(bpe->longest, length);
}

dt_status dt_bpe_create(dt_bpe *bpe, const dt_vocabulary *vocabulary, const bool *is_token,
                        const dt_bpe_merge *merges, int64_t count, bool is_whole_first, const char *where) {
    *bpe = (dt_bpe){.vocabulary = vocabulary, .is_whole_first = is_whole_first};
    memset(bpe->byte_id, -1, sizeof bpe->byte_id);
    for (int64_t id = 0; id < vocabulary->count; id++)
        if (is_token[id])
            add_token(bpe, id);
    for (int byte = 0; byte < 256; byte++) {
        const bool is_never = byte == 0xC0 || byte == 0xC1 || byte >= 0xF5;
        if (bpe->byte_id[byte] < 0 && !is_never)
            return dt_usage(
                "%s: expected a token for each byte that UTF-8 may hold, found none for byte 0x%02x; "
                "train the tokenizer with the whole byte-level alphabet",
                where, (unsigned)byte);
    }
    DT_TRY(add_merges(bpe, merges, count, where));
    return is_whole_first ? add_wholes(bpe, is_token) : DT_OK;
}

void dt_bpe_free(dt_bpe *bpe) {
    dt_memory_free(bpe->slots);
    dt_memory_free(bpe->wholes);
    bpe->slots = NULL;
    bpe->wholes = NULL;
}

/* ---- scratch ---- */

void dt_bpe_scratch_free(dt_bpe_scratch *scratch) {
    dt_memory_free(scratch->id);
    dt_memory_free(scratch->next);
    dt_memory_free(scratch->previous);
    dt_memory_free(scratch->rank);
    dt_memory_free(scratch->heap);
    *scratch = (dt_bpe_scratch){0};
}

static dt_status grow(dt_bpe_scratch *scratch, int64_t length) {
    if (length <= scratch->capacity)
        return DT_OK;
    const int64_t capacity = dt_max(length, 2 * scratch->capacity);
    static const char what[] = "merging a long piece of text";
    dt_bpe_scratch_free(scratch);
    scratch->id = dt_memory_alloc(capacity, sizeof(int32_t), what);
    scratch->next = dt_memory_alloc(capacity, sizeof(int32_t), what);
    scratch->previous = dt_memory_alloc(capacity, sizeof(int32_t), what);
    scratch->rank = dt_memory_alloc(capacity, sizeof(int32_t), what);
    /* Each place is put in once, and each merge puts in two more. */
    scratch->heap = dt_memory_alloc(3 * capacity, sizeof(uint64_t), what);
    if (!scratch->id || !scratch->next || !scratch->previous || !scratch->rank || !scratch->heap)
        return DT_FAILED;
    scratch->capacity = capacity;
    return DT_OK;
}

/* ---- short pieces ---- */

static int64_t encode_short(const dt_bpe *bpe, const uint8_t *piece, int64_t length, int32_t *ids) {
    int32_t rank[SHORT_BYTES + 1], merged[SHORT_BYTES + 1]; /* of the pair that begins at each token */
    int64_t count = length;
    for (int64_t i = 0; i < length; i++)
        ids[i] = bpe->byte_id[piece[i]];
    for (int64_t i = 0; i + 1 < length; i++)
        rank[i] = find_rank(bpe, ids[i], ids[i + 1], &merged[i]);
    while (count > 1) {
        int64_t best = 0;
        for (int64_t i = 1; i + 1 < count; i++)
            best = rank[i] < rank[best] ? i : best;
        if (rank[best] == NO_RANK)
            break;
        ids[best] = merged[best];
        count--;
        const size_t behind = (size_t)(count - best - 1);
        memmove(ids + best + 1, ids + best + 2, behind * sizeof *ids);
        memmove(rank + best + 1, rank + best + 2, behind * sizeof *rank);
        memmove(merged + best + 1, merged + best + 2, behind * sizeof *merged);
        if (best > 0)
            rank[best - 1] = find_rank(bpe, ids[best - 1], ids[best], &merged[best - 1]);
        if (best + 1 < count)
            rank[best] = find_rank(bpe, ids[best], ids[best + 1], &merged[best]);
    }
    return count;
}

/* ---- long pieces ---- */

/* An entry of the heap: the rank above, the place below, so that the lowest is the leftmost of the lowest
 * rank. */
static inline uint64_t entry_of(int32_t rank, int64_t at) {
    return (uint64_t)(uint32_t)rank << 32 | (uint64_t)at;
}

static void sift_down(uint64_t *heap, int64_t count, int64_t at) {
    const uint64_t mine = heap[at];
    for (int64_t child; (child = 2 * at + 1) < count; at = child) {
        child += child + 1 < count && heap[child + 1] < heap[child];
        if (heap[child] >= mine)
            break;
        heap[at] = heap[child];
    }
    heap[at] = mine;
}

static void push(uint64_t *heap, int64_t *count, uint64_t mine) {
    int64_t at = (*count)++;
    for (; at > 0 && heap[(at - 1) / 2] > mine; at = (at - 1) / 2)
        heap[at] = heap[(at - 1) / 2];
    heap[at] = mine;
}

static uint64_t pop(uint64_t *heap, int64_t *count) {
    const uint64_t lowest = heap[0];
    heap[0] = heap[--*count];
    if (*count > 0)
        sift_down(heap, *count, 0);
    return lowest;
}

/* Ranks the pair that begins at `at` anew, and puts it in. */
static void rank_pair(const dt_bpe *bpe, dt_bpe_scratch *s, int32_t at, int64_t *entries) {
    int32_t merged;
    if (at < 0)
        return;
    s->rank[at] = s->next[at] < 0 ? NO_RANK : find_rank(bpe, s->id[at], s->id[s->next[at]], &merged);
    if (s->rank[at] != NO_RANK)
        push(s->heap, entries, entry_of(s->rank[at], at));
}

static void merge_at(const dt_bpe *bpe, dt_bpe_scratch *s, int32_t at, int64_t *entries) {
    const int32_t right = s->next[at];
    (void)find_rank(bpe, s->id[at], s->id[right], &s->id[at]);
    s->rank[right] = NO_RANK; /* it is no more */
    s->next[at] = s->next[right];
    if (s->next[at] >= 0)
        s->previous[s->next[at]] = at;
    rank_pair(bpe, s, at, entries);
    rank_pair(bpe, s, s->previous[at], entries);
}

static int64_t encode_long(const dt_bpe *bpe, dt_bpe_scratch *s, const uint8_t *piece, int64_t length,
                           int32_t *ids) {
    int64_t entries = 0, count = 0;
    int32_t merged;
    for (int32_t i = 0; i < length; i++) {
        s->id[i] = bpe->byte_id[piece[i]];
        s->previous[i] = i - 1;
        s->next[i] = i + 1 < length ? i + 1 : -1;
    }
    for (int32_t i = 0; i < length; i++) {
        s->rank[i] = i + 1 < length ? find_rank(bpe, s->id[i], s->id[i + 1], &merged) : NO_RANK;
        if (s->rank[i] != NO_RANK)
            s->heap[entries++] = entry_of(s->rank[i], i);
    }
    for (int64_t at = entries / 2 - 1; at >= 0; at--)
        sift_down(s->heap, entries, at);
    while (entries > 0) {
        const uint64_t lowest = pop(s->heap, &entries);
        const int32_t at = (int32_t)(lowest & UINT32_MAX);
        if (s->rank[at] == (int32_t)(lowest >> 32))
            merge_at(bpe, s, at, &entries);
    }
    for (int32_t at = 0; at >= 0; at = s->next[at])
        ids[count++] = s->id[at];
    return count;
}

dt_status dt_bpe_encode(const dt_bpe *bpe, dt_bpe_scratch *scratch, const uint8_t *piece, int64_t length,
                        int32_t *ids, int64_t *count) {
    DT_ASSERT(length >= 1);
    if (bpe->is_whole_first && length <= bpe->longest) {
        const int32_t whole = bpe->wholes[find_whole(bpe, piece, length)];
        if (whole >= 0) {
            ids[0] = whole;
            *count = 1;
            return DT_OK;
        }
    }
    *count = 0;
    /* No merge spans two bytes that no token joins, so what lies between such places is merged by itself. */
    for (int64_t first = 0, end; first < length; first = end) {
        for (end = first + 1; end < length && dt_bpe_joins(bpe, piece[end - 1], piece[end]);)
            end++;
        const int64_t bytes = end - first;
        if (bytes > SHORT_BYTES) {
            if (bytes > INT32_MAX)
                return dt_fail(
                    "expected pieces of text of less than 2 GiB between two cuts of the tokenizer, found "
                    "one that is longer; break its lines");
            DT_TRY(grow(scratch, bytes));
            *count += encode_long(bpe, scratch, piece + first, bytes, ids + *count);
        } else
            *count += encode_short(bpe, piece + first, bytes, ids + *count);
    }
    return DT_OK;
}
