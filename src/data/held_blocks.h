/**
 * Blocks of a text whose tokens stay in memory while a corpus is opened, so that the text is read once.
 *
 * A rank that counts the tokens of its slice of the blocks has them at hand. Those that its memory has room
 * for are held, dt_corpus_read takes them from there, and ranks may hand them to one another
 * (train/corpus_delivery.h). What is not held is read from the files again. All functions are local.
 */
#ifndef DT_DATA_HELD_BLOCKS_H
#define DT_DATA_HELD_BLOCKS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tokenizer/kind.h"

typedef struct dt_held_block {
    void *bytes; /**< NULL: it is not held */
    int64_t length;
} dt_held_block;

typedef struct dt_held_blocks {
    dt_held_block *block;        /**< [count]; NULL: none are to be held */
    int64_t count, bytes, limit; /**< `bytes` of all together, at most `limit` */
    bool as_text;                /**< they are text yet, and tokens after dt_held_blocks_encode */
} dt_held_blocks;

/** For `count` blocks, up to `limit` bytes together. Fails when out of memory. The caller frees. */
dt_status dt_held_blocks_create(dt_held_blocks *held, int64_t count, int64_t limit);

/** Frees what it holds; one that is all zero is fine. */
void dt_held_blocks_free(dt_held_blocks *held);

/** Memory in which block `index` is held from now on, for the caller to fill with its `length` bytes, at
 * least 1; NULL where the limit or the memory has no room. */
void *dt_held_blocks_reserve(dt_held_blocks *held, int64_t index, int64_t length);

/** Holds a copy of the block, `length` bytes, of 0 bytes nothing; false where there is no room. */
bool dt_held_blocks_put(dt_held_blocks *held, int64_t index, const void *bytes, int64_t length);

/** Gives back what is held of block `index`, if anything. */
void dt_held_blocks_drop(dt_held_blocks *held, int64_t index);

/** Makes tokens of what is held as text; a block that does not fit then is dropped. Starts `threads` OpenMP
 * threads. */
dt_status dt_held_blocks_encode(dt_held_blocks *held, const dt_tokenizer *tokenizer, int threads);

#endif
