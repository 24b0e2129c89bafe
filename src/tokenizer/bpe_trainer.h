/**
 * Training a byte-level BPE on the counts of a text's pieces (Sennrich et al. 2016): the pair of neighbours
 * that occurs most often becomes a token, again and again. Where two occur equally often, the one of the
 * lower ids goes first, the left id before the right, as in the tokenizers library: its merges come out, in
 * its order.
 */
#ifndef DT_TOKENIZER_BPE_TRAINER_H
#define DT_TOKENIZER_BPE_TRAINER_H

#include "tokenizer/bpe.h"
#include "tokenizer/piece_counts.h"
#include "tokenizer/vocabulary.h"

/** The least vocabulary: a token for each byte. */
#define DT_BPE_TRAINER_MIN_TOKENS 256

/** What has been learned. Ids below 256 are bytes, in the order of their characters (tokenizer/bytelevel.h).
 */
typedef struct dt_bpe_learned {
    dt_vocabulary vocabulary;
    dt_bpe_merge *merges; /**< by rank */
    int64_t merge_count;
} dt_bpe_learned;

/**
 * Learns up to `tokens` tokens, fewer where no pair is left. `progress`, unless it is NULL, is called with
 * how many there are. The caller frees `learned` in any case. Local.
 */
dt_status dt_bpe_train(const dt_piece_counts *counts, int64_t tokens, void (*progress)(int64_t tokens),
                       dt_bpe_learned *learned);

/** Frees it; one that is all zero is fine. Local. */
void dt_bpe_learned_free(dt_bpe_learned *learned);

#endif
