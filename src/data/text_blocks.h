/**
 * Blocks of a text tokenized side by side by the threads of a rank.
 *
 * The text is cut into blocks of DT_TEXT_BLOCK_BYTES. A block owns the tokens from the first cut of the
 * tokenizer at or behind its start to that at or behind its end: with a stretch of text that has no cut, more
 * than its own bytes, and the blocks behind it nothing. So its tokens do not depend on who works on it.
 *
 *     DT_TRY(dt_text_blocks_create(&blocks, &tokenizer, threads, 1, true));
 *     DT_TRY(dt_text_blocks_run(&blocks, &window, first, count, NULL));
 *     ... blocks.block[0 .. blocks.count) ...
 *     dt_text_blocks_free(&blocks);
 *
 * All functions are local; they start OpenMP threads.
 */
#ifndef DT_DATA_TEXT_BLOCKS_H
#define DT_DATA_TEXT_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "data/text_window.h"
#include "tokenizer/kind.h"

#define DT_TEXT_BLOCK_BYTES ((int64_t)1 << 20)

typedef struct dt_text_block {
    int64_t start; /**< where its tokens begin in the text, in bytes; they end where the next one's begin */
    int64_t stop;
    uint64_t hash; /**< XXH3, 64 bits, of the block's own bytes */
    dt_token_count count;
    uint8_t *tokens; /**< [count.tokens], tokenizer->token_bytes each, where they are kept, with space for one
                        more */
    int64_t capacity;
} dt_text_block;

typedef struct dt_text_blocks {
    const dt_tokenizer *tokenizer;
    bool keep; /**< tokens; otherwise they are only counted */
    int threads;
    int64_t max;   /**< the most blocks that a run takes */
    int64_t count; /**< how many blocks there are of the last run, and of those that were appended to it */
    dt_text_block *block;
    int64_t *starts;                /* [max + 1] */
    dt_encoder *encoder;            /* [threads] */
    int64_t next_index, next_start; /* of the block behind the last run */
} dt_text_blocks;

/** For `threads` threads, at least 1, of each of `ranks` ranks that wait for one another after each run, 1
 * where none does. The tokenizer must outlive it. The caller frees it, after failure too. */
dt_status dt_text_blocks_create(dt_text_blocks *blocks, const dt_tokenizer *tokenizer, int threads, int ranks,
                                bool keep);

/** Frees what it holds; one that is all zero is fine. */
void dt_text_blocks_free(dt_text_blocks *blocks);

/**
 * Tokenizes blocks [first, first + count) of the window's text, `count` at most blocks->max, or those that
 * the text has. `starts` are the places where their tokens begin and the last one's end, [count + 1], where
 * they are known; NULL: they are looked for. Fails when memory is short and when the text cannot be read.
 */
dt_status dt_text_blocks_run(dt_text_blocks *blocks, dt_text_window *window, int64_t first, int64_t count,
                             const int64_t *starts);

/**
 * Has blocks [first, first + count) of the window's text at hand, or those that the text has, `*found`, and
 * all that tokenizing them takes; `starts`, [count + 1], become as above. So others can tokenize them.
 */
dt_status dt_text_blocks_look(dt_text_blocks *blocks, dt_text_window *window, int64_t first, int64_t count,
                              int64_t *starts, int64_t *found);

/** As dt_text_blocks_run, behind the blocks that are there already, perhaps of another text; `count` is at
 * most what of blocks->max is left. */
dt_status dt_text_blocks_append(dt_text_blocks *blocks, dt_text_window *window, int64_t first, int64_t count,
                                const int64_t *starts);

/** The next run is of another text. */
void dt_text_blocks_restart(dt_text_blocks *blocks);

#endif
