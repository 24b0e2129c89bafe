/**
 * Which windows make a batch, and where a rank finds them in memory.
 *
 * The train split is the first int(N x train_ratio) of N tokens. Window w is its tokens [wT, wT + T]: T
 * inputs, and the same shifted by one as targets. The W windows are cut into B equal contiguous streams of
 * K = W / B; the W - B K last ones are unused, or, when they are spread, the first W - B K streams take one
 * more each and none is unused. Slot b of the batch of step s (counted from 1) draws from stream b, which has
 * n windows, in the stream's epoch (s-1) / n the window at position (s-1) % n of an order that (seed, epoch,
 * b) decide alone: a keyed permutation of 0..n-1, computed in O(1) memory by a Feistel network that walks
 * cycles (Black and Rogaway, "Ciphers with Arbitrary Finite Domains", CT-RSA 2002). A rank that owns slots
 * [b0, b1) needs only these streams: its shard. Nothing here knows how many ranks there are.
 */
#ifndef DT_DATA_BATCH_H
#define DT_DATA_BATCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "data/corpus.h"

typedef struct dt_streams {
    int64_t B, T;
    int64_t windows;        /**< W */
    int64_t stream_windows; /**< K, also the steps of an epoch */
    int64_t longer_streams; /**< how many streams, the first ones, have K + 1 */
    int64_t unused_windows; /**< in every epoch, the last ones: W - B K, or 0 when they are spread */
    int64_t unused_tokens;  /**< targets of the train split that are in no window, or in an unused one */
    uint64_t seed;
    bool shuffle;
} dt_streams;

/** int(tokens x ratio), as a double multiplies: the length of the train split in tokens. Local. */
int64_t dt_streams_train_tokens(int64_t corpus_tokens, double train_ratio);

/**
 * Cuts the train split into streams. Fails with DT_USAGE when there is not one window a stream, and says how
 * many tokens would be needed and which options to change. Local.
 */
dt_status dt_streams_cut(dt_streams *streams, int64_t corpus_tokens, double train_ratio, int64_t B, int64_t T,
                         uint64_t seed, bool shuffle);

/** Gives each window that is unused to a stream of its own, from the first stream on. Local. */
void dt_streams_spread(dt_streams *streams);

/**
 * Whether more than 2 % of the train split is in no epoch; if so, `text` becomes a sentence that says how
 * much and what would use it. Local.
 */
bool dt_streams_warning(const dt_streams *streams, char *text, size_t text_bytes);

/** How many windows stream `slot` has: K or K + 1. Local. */
int64_t dt_streams_length(const dt_streams *streams, int64_t slot);

/** How many tokens the streams of slots [first_slot, end_slot) have, with the one past the last window.
 * Local.
 */
int64_t dt_streams_tokens(const dt_streams *streams, int64_t first_slot, int64_t end_slot);

/** These tokens, [*first, *end) of the corpus. Local. */
void dt_streams_span(const dt_streams *streams, int64_t first_slot, int64_t end_slot, int64_t *first,
                     int64_t *end);

/** The window that slot `slot` draws in step `step` (from 1), in 0..W-1. Local. */
int64_t dt_streams_window(const dt_streams *streams, int64_t step, int64_t slot);

/** The tokens of a run of streams, in memory: one rank's part of the train split. */
typedef struct dt_shard {
    int64_t first_token; /**< where tokens[0] stands in the corpus */
    int64_t tokens_count;
    int token_bytes; /**< of a token: 1, 2 or 4 */
    void *tokens;    /**< [tokens_count], as the corpus has them */
} dt_shard;

/**
 * Takes the streams of slots [first_slot, end_slot), with the one token past the last window, out of the
 * corpus (dt_corpus_take). Fails when the
 * slots are not in the batch, memory is short or the corpus cannot be read, and then holds nothing. The
 * caller frees it. Local.
 */
dt_status dt_shard_load(dt_shard *shard, dt_corpus *corpus, const dt_streams *streams, int64_t first_slot,
                        int64_t end_slot);

/** The T + 1 token ids of window `window`, which the shard must hold, into ids[T + 1]. Local. */
void dt_shard_window(const dt_shard *shard, const dt_streams *streams, int64_t window, int32_t *ids);

/** Frees what `shard` holds; one that is all zero is fine. Local. */
void dt_shard_free(dt_shard *shard);

#endif
