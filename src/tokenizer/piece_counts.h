/**
 * How often each piece of a text occurs: what training a BPE needs of it.
 *
 * Memory is bounded however long the text is: where there are more different pieces than it holds, those that
 * were rarest until then are forgotten, at least half of them, and what is counted behind that starts with
 * them at 0 (Manku and Motwani 2002, "lossy counting"). Which they are depends on the text alone. Of pieces
 * that hardly ever occur twice, such as whole lines, that would forget nearly all: for them counting ends
 * where memory does.
 */
#ifndef DT_TOKENIZER_PIECE_COUNTS_H
#define DT_TOKENIZER_PIECE_COUNTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

/** Different pieces, and their bytes together, at most. */
#define DT_PIECE_COUNTS_MAX_PIECES ((int64_t)1 << 22)
#define DT_PIECE_COUNTS_MAX_BYTES  ((int64_t)1 << 27)

typedef struct dt_piece_count {
    int64_t offset, count; /**< where its bytes begin, and how often it occurs */
    int64_t length;
} dt_piece_count;

typedef struct dt_piece_counts {
    dt_piece_count *pieces; /**< in the order in which they were met */
    int64_t count, capacity;
    uint8_t *bytes;
    int64_t used, bytes_capacity;
    int32_t *slots; /**< indices of pieces by hash: open addressing, -1 is empty */
    uint64_t slot_mask;
    int64_t max_pieces, max_bytes; /**< the bounds, which a test lowers */
    bool is_sample;                /**< counting ends at the bounds, in place of forgetting */
    bool is_full;                  /**< it has ended: what is added is not counted */
    int64_t forgotten;             /**< pieces */
    int64_t forgotten_count;       /**< none of them occurred more often than this until then */
} dt_piece_counts;

/** Nothing counted yet. The caller frees it in any case. Local. */
dt_status dt_piece_counts_create(dt_piece_counts *counts);

/** Frees it; one that is all zero is fine. Local. */
void dt_piece_counts_free(dt_piece_counts *counts);

/** Counts one more of a piece of 1 byte or more; `context` is the counts (for dt_bpe_encoder_pieces). Fails
 * when out of memory, and for a piece that is longer than all pieces may be together. Local. */
dt_status dt_piece_counts_add(void *context, const uint8_t *piece, int64_t length);

#endif
