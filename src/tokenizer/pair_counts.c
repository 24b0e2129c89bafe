/* A hash table of pairs. */
#include "tokenizer/pair_counts.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_SLOTS 65536

static uint64_t hash_pair(int32_t left, int32_t right) {
    const uint64_t mixed = ((uint64_t)(uint32_t)left << 32 | (uint32_t)right) * UINT64_C(0x9E3779B97F4A7C15);
    return mixed ^ mixed >> 32;
}

static uint64_t find_slot(const dt_pair_counts *c, int32_t left, int32_t right) {
    uint64_t at = hash_pair(left, right) & c->slot_mask;
    while (c->slots[at] >= 0 &&
           (c->pairs[c->slots[at]].left != left || c->pairs[c->slots[at]].right != right))
        at = (at + 1) & c->slot_mask;
    return at;
}

void dt_pair_counts_free(dt_pair_counts *counts) {
    free(counts->pairs);
    free(counts->slots);
    *counts = (dt_pair_counts){0};
}

/* Twice as many pairs, and four slots for each. */
static dt_status grow(dt_pair_counts *c) {
    const int64_t capacity = c->capacity == 0 ? FIRST_SLOTS / 4 : 2 * c->capacity;
    dt_pair_count *pairs = realloc(c->pairs, (size_t)capacity * sizeof *pairs);
    if (pairs == NULL)
        return dt_fail("out of memory for counting pairs of tokens");
    c->pairs = pairs;
    c->capacity = capacity;
    int32_t *slots = malloc(4 * (size_t)capacity * sizeof *slots);
    if (slots == NULL)
        return dt_fail("out of memory for counting pairs of tokens");
    free(c->slots);
    c->slots = slots;
    c->slot_mask = 4 * (uint64_t)capacity - 1;
    memset(slots, -1, 4 * (size_t)capacity * sizeof *slots);
    for (int64_t i = 0; i < c->count; i++)
        slots[find_slot(c, pairs[i].left, pairs[i].right)] = (int32_t)i;
    return DT_OK;
}

int64_t dt_pair_counts_find(dt_pair_counts *counts, int32_t left, int32_t right) {
    if (counts->count == counts->capacity && grow(counts) != DT_OK)
        return -1;
    const uint64_t at = find_slot(counts, left, right);
    if (counts->slots[at] < 0) {
        counts->pairs[counts->count] =
            (dt_pair_count){.left = left, .right = right, .step = -1, .last_word = -1};
        counts->slots[at] = (int32_t)counts->count++;
    }
    return counts->slots[at];
}
