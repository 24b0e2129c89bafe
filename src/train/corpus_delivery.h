/**
 * Each rank is given the tokens that it needs by the rank that has read them.
 *
 * A rank holds the tokens of its slice of a text (data/held_blocks.h). What it trains and evaluates on lies
 * elsewhere in part: blocks go from rank to rank, one at a time, and are dropped where they are not needed.
 */
#ifndef DT_TRAIN_CORPUS_DELIVERY_H
#define DT_TRAIN_CORPUS_DELIVERY_H

#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "data/corpus.h"

/** Tokens [first, end) of a corpus. */
typedef struct dt_token_span {
    int64_t first, end;
} dt_token_span;

#define DT_CORPUS_DELIVERY_SPANS 2

/**
 * Has each rank hold the blocks of its `span`s, and no other, as far as ranks have held them and its memory
 * has room; what is missing dt_corpus_read reads. The corpus is finished; its rows must agree. Does nothing
 * where no rank holds any. Collective.
 */
dt_status dt_corpus_delivery_run(const dt_world *world, dt_corpus *corpus,
                                 const dt_token_span span[DT_CORPUS_DELIVERY_SPANS]);

#endif
