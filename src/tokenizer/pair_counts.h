/**
 * How often each pair of neighbouring tokens occurs: for training a BPE.
 */
#ifndef DT_TOKENIZER_PAIR_COUNTS_H
#define DT_TOKENIZER_PAIR_COUNTS_H

#include <stdint.h>

#include "base/status.h"

typedef struct dt_pair_count {
    int32_t left, right;
    int64_t count;
    int64_t step;      /**< of training, in which the fields below were set */
    int32_t candidate; /**< its index among that step's */
    int32_t last_word; /**< that it was new in */
} dt_pair_count;

typedef struct dt_pair_counts {
    dt_pair_count *pairs; /**< in the order in which they were met */
    int64_t count, capacity;
    int32_t *slots; /**< indices of pairs by hash: open addressing, -1 is empty */
    uint64_t slot_mask;
} dt_pair_counts;

/** Frees it; one that is all zero holds nothing yet. Local. */
void dt_pair_counts_free(dt_pair_counts *counts);

/** The index of a pair, which is entered with a count of 0 where it is new; -1, with a sentence recorded,
 * when out of memory. Local. */
int64_t dt_pair_counts_find(dt_pair_counts *counts, int32_t left, int32_t right);

#endif
