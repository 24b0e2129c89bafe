/*
 * Words are arrays of ids that shrink. A candidate is a pair with the words that it was new in when it was
 * found, and a count that may be outdated: the highest of a heap is taken, and put back with today's count
 * where that has changed.
 */
#include "tokenizer/bpe_trainer.h"

#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "tokenizer/bytelevel.h"
#include "tokenizer/pair_counts.h"

typedef struct word {
    int64_t first; /* of its ids */
    int32_t length;
    int64_t count; /* how often it occurs */
} word;

typedef struct candidate {
    int64_t count;
    int32_t left, right;
    int32_t pair; /* its index among the counts */
    int32_t word_count;
    int32_t *words;
} candidate;

/* A pair that is new in a word. */
typedef struct find {
    int32_t pair, word;
} find;

/* Candidates that grow in number. */
typedef struct candidates {
    candidate *list;
    int64_t count, capacity;
} candidates;

typedef struct trainer {
    word *words;
    int64_t word_count;
    int32_t *ids;
    dt_pair_counts pairs;
    candidates heap, fresh; /* fresh: of this step */
    find *finds;            /* of this step */
    int64_t find_count, find_capacity, step;
    int32_t *by_bytes; /* ids of tokens by their bytes: open addressing, -1 is empty */
    uint64_t by_bytes_mask;
    int64_t merge_capacity;
    dt_bpe_learned *learned;
} trainer;

static dt_status out_of_memory(void) {
    return dt_fail("out of memory for training a tokenizer");
}

/* ---- tokens ---- */

/* The slot of the token of these bytes, or the empty one where it would be. */
static int32_t *find_token(const trainer *t, const uint8_t *bytes, int64_t length) {
    uint64_t at = dt_checksum_64(bytes, (size_t)length) & t->by_bytes_mask;
    for (; t->by_bytes[at] >= 0; at = (at + 1) & t->by_bytes_mask) {
        int64_t other_length;
        const uint8_t *other = dt_vocabulary_bytes(&t->learned->vocabulary, t->by_bytes[at], &other_length);
        if (other_length == length && memcmp(other, bytes, (size_t)length) == 0)
            break;
    }
    return &t->by_bytes[at];
}

/* The id of the token of these bytes, new or not. `*used` counts the ids. */
static dt_status enter_token(trainer *t, const uint8_t *bytes, int64_t length, int64_t *used, int32_t *id) {
    int32_t *slot = find_token(t, bytes, length);
    if (*slot < 0) {
        DT_TRY(dt_vocabulary_set(&t->learned->vocabulary, *used, bytes, length));
        *slot = (int32_t)(*used)++;
    }
    *id = *slot;
    return DT_OK;
}

/* The 256 bytes in the order of their characters. */
static dt_status enter_bytes(trainer *t, int64_t *used, int32_t byte_id[256]) {
    for (uint32_t point = 0; point < 0x200; point++) {
        const int byte = dt_bytelevel_byte(point);
        const uint8_t bytes[] = {(uint8_t)byte};
        if (byte >= 0)
            DT_TRY(enter_token(t, bytes, 1, used, &byte_id[byte]));
    }
    DT_ASSERT(*used == DT_BPE_TRAINER_MIN_TOKENS);
    return DT_OK;
}

static dt_status enter_merged(trainer *t, int32_t left, int32_t right, int64_t *used, int32_t *id) {
    uint8_t bytes[DT_VOCABULARY_MAX_BYTES];
    int64_t left_length, right_length;
    const uint8_t *left_bytes = dt_vocabulary_bytes(&t->learned->vocabulary, left, &left_length);
    const uint8_t *right_bytes = dt_vocabulary_bytes(&t->learned->vocabulary, right, &right_length);
    if (left_length + right_length > DT_VOCABULARY_MAX_BYTES)
        return dt_usage(
            "expected a text whose most frequent tokens have at most %d bytes, found a longer one; it "
            "repeats itself too much to train a tokenizer of this size",
            DT_VOCABULARY_MAX_BYTES);
    memcpy(bytes, left_bytes, (size_t)left_length);
    memcpy(bytes + left_length, right_bytes, (size_t)right_length);
    return enter_token(t, bytes, left_length + right_length, used, id);
}

/* ---- candidates ---- */

/* Whether a goes before b. */
static bool precedes(const candidate *a, const candidate *b) {
    if (a->count != b->count)
        return a->count > b->count;
    return a->left != b->left ? a->left < b->left : a->right < b->right;
}

/* Room for one more of `size` bytes in a block of `*capacity`. */
static dt_status reserve(void **block, int64_t count, int64_t *capacity, size_t size) {
    if (count < *capacity)
        return DT_OK;
    const int64_t larger = dt_max(2 * *capacity, 4096);
    void *grown = realloc(*block, (size_t)larger * size);
    if (grown == NULL)
        return out_of_memory();
    *block = grown;
    *capacity = larger;
    return DT_OK;
}

static dt_status reserve_candidate(candidates *all) {
    void *block = all->list;
    const dt_status status = reserve(&block, all->count, &all->capacity, sizeof *all->list);
    all->list = block;
    return status;
}

static dt_status push(candidates *heap, candidate mine) {
    DT_TRY(reserve_candidate(heap));
    int64_t at = heap->count++;
    for (; at > 0 && precedes(&mine, &heap->list[(at - 1) / 2]); at = (at - 1) / 2)
        heap->list[at] = heap->list[(at - 1) / 2];
    heap->list[at] = mine;
    return DT_OK;
}

/* Puts `mine` where the first was, and those that precede it before it. */
static void replace_first(candidates *heap, candidate mine) {
    int64_t at = 0;
    for (int64_t child; (child = 2 * at + 1) < heap->count; at = child) {
        child += child + 1 < heap->count && precedes(&heap->list[child + 1], &heap->list[child]);
        if (!precedes(&heap->list[child], &mine))
            break;
        heap->list[at] = heap->list[child];
    }
    heap->list[at] = mine;
}

static candidate pop(candidates *heap) {
    const candidate first = heap->list[0];
    heap->count--;
    if (heap->count > 0)
        replace_first(heap, heap->list[heap->count]);
    heap->list[heap->count].words = NULL; /* they are the caller's now, or the moved one's */
    return first;
}

/* Counts a pair in a word, `sign` times as often as the word occurs, and notes the word where it is new
 * there. */
static dt_status count_pair(trainer *t, int32_t left, int32_t right, int64_t w, int sign) {
    const int64_t index = dt_pair_counts_find(&t->pairs, left, right);
    if (index < 0)
        return DT_FAILED;
    dt_pair_count *pair = &t->pairs.pairs[index];
    pair->count += sign * t->words[w].count;
    if (sign < 0 || (pair->step == t->step && pair->last_word == w))
        return DT_OK;
    if (pair->step != t->step) {
        DT_TRY(reserve_candidate(&t->fresh));
        pair->step = t->step;
        pair->candidate = (int32_t)t->fresh.count;
        t->fresh.list[t->fresh.count++] = (candidate){.left = left, .right = right, .pair = (int32_t)index};
    }
    pair->last_word = (int32_t)w;
    t->fresh.list[pair->candidate].word_count++;
    if (t->step == 0)
        return DT_OK; /* all pairs of all words are new, and are found again */
    void *block = t->finds;
    DT_TRY(reserve(&block, t->find_count, &t->find_capacity, sizeof *t->finds));
    t->finds = block;
    t->finds[t->find_count++] = (find){(int32_t)index, (int32_t)w};
    return DT_OK;
}

static void list_found(trainer *t) {
    for (int64_t f = 0; f < t->find_count; f++) {
        candidate *mine = &t->fresh.list[t->pairs.pairs[t->finds[f].pair].candidate];
        if (mine->words != NULL)
            mine->words[mine->word_count++] = t->finds[f].word;
    }
}

/* Goes through the words once more, which takes less memory than to note what there is in them. */
static dt_status list_all(trainer *t) {
    for (int64_t p = 0; p < t->pairs.count; p++)
        t->pairs.pairs[p].last_word = -1;
    for (int64_t w = 0; w < t->word_count; w++) {
        const int32_t *ids = t->ids + t->words[w].first;
        for (int32_t i = 1; i < t->words[w].length; i++) {
            const int64_t index = dt_pair_counts_find(&t->pairs, ids[i - 1], ids[i]);
            if (index < 0)
                return DT_FAILED;
            dt_pair_count *pair = &t->pairs.pairs[index];
            candidate *mine = &t->fresh.list[pair->candidate];
            if (pair->last_word != w && mine->words != NULL)
                mine->words[mine->word_count++] = pair->last_word = (int32_t)w;
        }
    }
    return DT_OK;
}

/* Makes candidates of the pairs that are new in words of this step, and ends it. */
static dt_status enter_candidates(trainer *t) {
    for (int64_t c = 0; c < t->fresh.count; c++) {
        candidate *mine = &t->fresh.list[c];
        mine->count = t->pairs.pairs[mine->pair].count;
        mine->words = mine->count > 0 ? malloc((size_t)mine->word_count * sizeof *mine->words) : NULL;
        mine->word_count = 0;
        if (mine->count > 0 && mine->words == NULL)
            return out_of_memory();
    }
    if (t->step == 0)
        DT_TRY(list_all(t));
    else
        list_found(t);
    for (int64_t c = 0; c < t->fresh.count; c++) {
        candidate *mine = &t->fresh.list[c];
        if (mine->words != NULL)
            DT_TRY(push(&t->heap, *mine));
        mine->words = NULL; /* the heap's now */
    }
    t->fresh.count = t->find_count = 0;
    t->step++;
    return DT_OK;
}

/* ---- a step ---- */

/* Merges a pair in a word, and counts what that changes. */
static dt_status merge_word(trainer *t, int64_t w, int32_t left, int32_t right, int32_t merged) {
    int32_t *ids = t->ids + t->words[w].first;
    const int32_t length = t->words[w].length;
    int32_t written = 0;
    for (int32_t i = 0; i < length;) {
        if (ids[i] != left || i + 1 == length || ids[i + 1] != right) {
            ids[written++] = ids[i++];
            continue;
        }
        if (written > 0) {
            DT_TRY(count_pair(t, ids[written - 1], left, w, -1));
            DT_TRY(count_pair(t, ids[written - 1], merged, w, 1));
        }
        i += 2;
        if (i < length) {
            DT_TRY(count_pair(t, right, ids[i], w, -1));
            DT_TRY(count_pair(t, merged, ids[i], w, 1));
        }
        ids[written++] = merged;
    }
    t->words[w].length = written;
    return DT_OK;
}

/* Makes the most frequent pair a token; `*done` where there is none. */
static dt_status step(trainer *t, int64_t *used, bool *done) {
    candidate best;
    while (true) {
        *done = t->heap.count == 0;
        if (*done)
            return DT_OK;
        best = t->heap.list[0];
        const int64_t count = t->pairs.pairs[best.pair].count;
        if (best.count == count)
            break;
        best.count = count;
        replace_first(&t->heap, best);
    }
    *done = best.count < 1;
    if (*done)
        return DT_OK;
    best = pop(&t->heap);
    int32_t merged;
    dt_status status = enter_merged(t, best.left, best.right, used, &merged);
    for (int32_t i = 0; status == DT_OK && i < best.word_count; i++)
        status = merge_word(t, best.words[i], best.left, best.right, merged);
    free(best.words);
    DT_TRY(status);
    DT_TRY(enter_candidates(t));
    t->learned->merges[t->learned->merge_count++] = (dt_bpe_merge){best.left, best.right, merged};
    return DT_OK;
}

/* A pair may be merged a second time, where the same token was made of other halves in between. Its last rank
 * is the one that holds, as in the tokenizers library. */
static void keep_last_ranks(trainer *t) {
    dt_bpe_learned *learned = t->learned;
    int64_t kept = learned->merge_count;
    for (int64_t m = learned->merge_count - 1; m >= 0; m--) {
        const dt_bpe_merge merge = learned->merges[m];
        dt_pair_count *pair = &t->pairs.pairs[dt_pair_counts_find(&t->pairs, merge.left, merge.right)];
        if (pair->step == t->step)
            continue;
        pair->step = t->step;
        learned->merges[--kept] = merge;
    }
    learned->merge_count -= kept;
    memmove(learned->merges, learned->merges + kept, (size_t)learned->merge_count * sizeof *learned->merges);
}

/* ---- all of it ---- */

/* Words of ids, and the pairs in them. */
static dt_status enter_words(trainer *t, const dt_piece_counts *counts, const int32_t byte_id[256]) {
    t->words = dt_memory_alloc(counts->count, sizeof *t->words, "training a tokenizer");
    t->ids = dt_memory_alloc(counts->used, sizeof *t->ids, "training a tokenizer");
    if (t->words == NULL || t->ids == NULL)
        return DT_FAILED;
    t->word_count = counts->count;
    for (int64_t w = 0; w < counts->count; w++) {
        const dt_piece_count *piece = &counts->pieces[w];
        t->words[w] = (word){piece->offset, (int32_t)piece->length, piece->count};
        for (int64_t i = piece->offset; i < piece->offset + piece->length; i++) {
            t->ids[i] = byte_id[counts->bytes[i]];
            if (i > piece->offset)
                DT_TRY(count_pair(t, t->ids[i - 1], t->ids[i], w, 1));
        }
    }
    return enter_candidates(t);
}

static dt_status train(trainer *t, const dt_piece_counts *counts, int64_t tokens,
                       void (*progress)(int64_t tokens)) {
    int32_t byte_id[256];
    int64_t used = 0;
    bool done = false;
    uint64_t slots = 1024;
    while (slots < 2 * (uint64_t)tokens)
        slots *= 2;
    DT_TRY(dt_vocabulary_create(&t->learned->vocabulary, tokens));
    t->by_bytes = malloc(slots * sizeof *t->by_bytes);
    if (t->by_bytes == NULL)
        return out_of_memory();
    memset(t->by_bytes, -1, slots * sizeof *t->by_bytes);
    t->by_bytes_mask = slots - 1;
    DT_TRY(enter_bytes(t, &used, byte_id));
    DT_TRY(enter_words(t, counts, byte_id));
    while (used < tokens && !done) {
        void *block = t->learned->merges;
        DT_TRY(reserve(&block, t->learned->merge_count, &t->merge_capacity, sizeof *t->learned->merges));
        t->learned->merges = block;
        DT_TRY(step(t, &used, &done));
        if (progress != NULL)
            progress(used);
    }
    keep_last_ranks(t);
    t->learned->vocabulary.count = used;
    return DT_OK;
}

dt_status dt_bpe_train(const dt_piece_counts *counts, int64_t tokens, void (*progress)(int64_t tokens),
                       dt_bpe_learned *learned) {
    DT_ASSERT(tokens >= DT_BPE_TRAINER_MIN_TOKENS && tokens <= DT_VOCABULARY_MAX_IDS);
    trainer t = {.learned = learned};
    *learned = (dt_bpe_learned){{0}, NULL, 0};
    const dt_status status = train(&t, counts, tokens, progress);
    for (int64_t c = 0; c < t.heap.count; c++)
        free(t.heap.list[c].words);
    for (int64_t c = 0; c < t.fresh.count; c++)
        free(t.fresh.list[c].words);
    free(t.heap.list);
    free(t.fresh.list);
    free(t.finds);
    free(t.by_bytes);
    dt_pair_counts_free(&t.pairs);
    dt_memory_free(t.words);
    dt_memory_free(t.ids);
    return status;
}

void dt_bpe_learned_free(dt_bpe_learned *learned) {
    dt_vocabulary_free(&learned->vocabulary);
    free(learned->merges);
    *learned = (dt_bpe_learned){{0}, NULL, 0};
}
