/**
 * A round of blocks of texts that ranks have tokenized, each its own: all are told how many tokens there are,
 * and each writes its tokens where they belong.
 */
#ifndef DT_TRAIN_TOKENIZE_ROUND_H
#define DT_TRAIN_TOKENIZE_ROUND_H

#include <stdbool.h>
#include <stdint.h>
#include <xxhash.h>

#include "base/status.h"
#include "comm/world.h"
#include "data/corpus.h"
#include "data/token_writer.h"

/** What ranks tell of a block of a text. */
typedef struct dt_tokenize_row {
    uint64_t hash;
    dt_token_count count; /**< with the token that joins the text to the next one */
} dt_tokenize_row;

/** The work, with what has been found so far; all of it but the blocks at hand and what is read of a
 * stream is the same on every rank. */
typedef struct dt_tokenize_work {
    const dt_world *world;
    const dt_corpus *corpus;
    dt_token_writer *writer;
    dt_text_blocks blocks;
    const dt_source *open; /**< the file that the window is over, or NULL */
    dt_text_window window;
    XXH3_state_t *state; /**< of the text under way */
    uint64_t *hashes;    /**< [sources] */
    dt_token_count total;
    int64_t content_bytes;
    bool marked;
    int64_t blocks_max;   /**< that a rank takes in a round */
    int64_t *counts;      /**< [size] */
    dt_tokenize_row *row; /**< [size x blocks_max] */
    int64_t *starts;      /**< [size x blocks_max + 1]: of a stream's blocks */
    dt_token_row *written;
    int64_t written_capacity;
} dt_tokenize_work;

/** The token that joins the text to the next one, behind its last block, where there is to be one. Local. */
void dt_tokenize_round_join(const dt_tokenize_work *t, const dt_source *source, dt_text_block *block,
                            dt_tokenize_row *row);

/** Adds up counts. Local. */
void dt_tokenize_round_add(dt_token_count *total, const dt_token_count *count);

/** What the ranks have made of `count` blocks is told to all and written: rank r has counts[r] of them, this
 * one `own_count` from `own_first` on, t->blocks, whose rows stand in t->row. Collective. */
dt_status dt_tokenize_round_write(dt_tokenize_work *t, int64_t count, int64_t own_first, int64_t own_count);

#endif
