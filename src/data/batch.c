/* Streams, their order and their shards: arithmetic on windows, and one read of the corpus. */
#include "data/batch.h"

#include <inttypes.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/philox.h"
#include "base/plural.h"
#include "tokenizer/tokens.h"

/* Four rounds are enough for large halves (Luby and Rackoff 1988); ours may be of one bit, which takes more
 * until all orders are about as frequent. The number is part of every result. */
#define FEISTEL_ROUNDS 8

/* Of the train split: more than this left out of every epoch is worth a warning. */
#define UNUSED_FRACTION 0.02

int64_t dt_streams_train_tokens(int64_t corpus_tokens, double train_ratio) {
    DT_ASSERT(corpus_tokens >= 0 && train_ratio >= 0.0 && train_ratio <= 1.0);
    return (int64_t)((double)corpus_tokens * train_ratio);
}

/* The smallest corpus, up to 2^62 tokens, whose train split has `train_tokens`. The split grows with the
 * corpus, so halving finds it. */
static int64_t corpus_tokens_needed(int64_t train_tokens, double train_ratio) {
    int64_t low = 0, high = (int64_t)1 << 62;
    while (low < high) {
        int64_t middle = low + (high - low) / 2;
        if (dt_streams_train_tokens(middle, train_ratio) >= train_tokens)
            high = middle;
        else
            low = middle + 1;
    }
    return low;
}

dt_status dt_streams_cut(dt_streams *streams, int64_t corpus_tokens, double train_ratio, int64_t B, int64_t T,
                         uint64_t seed, bool shuffle) {
    DT_ASSERT(B > 0 && T > 0);
    int64_t train_tokens = dt_streams_train_tokens(corpus_tokens, train_ratio);
    int64_t windows = train_tokens > 0 ? (train_tokens - 1) / T : 0; /* window w ends with token wT + T */
    int64_t stream_windows = windows / B;
    if (stream_windows == 0) {
        int64_t needed;
        if (__builtin_mul_overflow(B, T, &needed) || __builtin_add_overflow(needed, 1, &needed))
            needed = INT64_MAX;
        return dt_usage("the corpus is too small: found %" PRId64 " token%s, %" PRId64
                        " of them in the train split (train_ratio %.15g); expected at least %" PRId64
                        " tokens, so that the train split has one window of max_seq_len %" PRId64
                        " for each sequence of batch_size %" PRId64
                        "; use a smaller batch_size or max_seq_len, a larger train_ratio or a longer text",
                        corpus_tokens, dt_plural_s(corpus_tokens), train_tokens, train_ratio,
                        corpus_tokens_needed(needed, train_ratio), T, B);
    }
    *streams = (dt_streams){.B = B,
                            .T = T,
                            .windows = windows,
                            .stream_windows = stream_windows,
                            .unused_windows = windows - B * stream_windows,
                            .unused_tokens = train_tokens - 1 - B * stream_windows * T,
                            .seed = seed,
                            .shuffle = shuffle};
    return DT_OK;
}

void dt_streams_spread(dt_streams *streams) {
    streams->longer_streams = streams->unused_windows;
    streams->unused_tokens -= streams->unused_windows * streams->T;
    streams->unused_windows = 0;
}

/* The batch size next to B, of two equally near the smaller, that leaves out few enough of W windows: 1
 * leaves out none, so there is one. */
static int64_t better_batch(int64_t B, int64_t W) {
    const double max_unused = UNUSED_FRACTION * (double)W;
    for (int64_t distance = 1;; distance++)
        for (int64_t better = B - distance; better <= B + distance; better += 2 * distance)
            if (better >= 1 && better <= W && (double)(W % better) <= max_unused)
                return better;
}

bool dt_streams_warning(const dt_streams *streams, char *text, size_t text_bytes) {
    const int64_t B = streams->B, W = streams->windows, unused = streams->unused_windows;
    const int64_t used = W * streams->T - unused * streams->T;
    const double fraction = (double)streams->unused_tokens / (double)(used + streams->unused_tokens);
    if (fraction <= UNUSED_FRACTION)
        return false;
    const int used_bytes = snprintf(
        text, text_bytes, "every epoch leaves out %.1f %% of the train split, its last %" PRId64 " token%s",
        100.0 * fraction, streams->unused_tokens, dt_plural_s(streams->unused_tokens));
    if (used_bytes < 0 || (size_t)used_bytes >= text_bytes)
        return true;
    text += used_bytes;
    text_bytes -= (size_t)used_bytes;
    if ((double)unused > UNUSED_FRACTION * (double)W) {
        const int64_t better = better_batch(B, W);
        snprintf(text, text_bytes,
                 ", since batch_size %" PRId64 " leaves over %" PRId64 " of %" PRId64 " windows; "
                 "leftover_windows: spread uses all windows, and batch_size %" PRId64 " all but %" PRId64,
                 B, unused, W, better, W % better);
    } else
        snprintf(text, text_bytes,
                 ", mostly since they do not fill a window of max_seq_len %" PRId64 "; a smaller "
                 "max_seq_len leaves fewer over",
                 streams->T);
    return true;
}

int64_t dt_streams_length(const dt_streams *streams, int64_t slot) {
    DT_ASSERT(slot >= 0 && slot < streams->B);
    return streams->stream_windows + (slot < streams->longer_streams);
}

/* Where stream `slot` begins, in windows; for slot B, where the last one ends. */
static int64_t stream_start(const dt_streams *streams, int64_t slot) {
    return slot * streams->stream_windows + (slot < streams->longer_streams ? slot : streams->longer_streams);
}

int64_t dt_streams_tokens(const dt_streams *streams, int64_t first_slot, int64_t end_slot) {
    DT_ASSERT(first_slot >= 0 && first_slot <= end_slot && end_slot <= streams->B);
    return (stream_start(streams, end_slot) - stream_start(streams, first_slot)) * streams->T + 1;
}

void dt_streams_span(const dt_streams *streams, int64_t first_slot, int64_t end_slot, int64_t *first,
                     int64_t *end) {
    *first = stream_start(streams, first_slot) * streams->T;
    *end = *first + dt_streams_tokens(streams, first_slot, end_slot);
}

/*
 * Where position x of 0..count-1 goes in the order of (key, slot, epoch). A balanced Feistel network permutes
 * the numbers of 2h bits, the fewest that hold count - 1:
 *
 *     (left, right)  ->  (right, left ^ F(right, round))     F: the first word of Philox, cut to h bits
 *
 * and is applied until the result is below count again: as it permutes, the walk along its cycle comes back
 * to such a number, at worst to x, and two walks never end at the same one. There are fewer than 4 count
 * numbers, so a walk takes fewer than 4 rounds of the network on average.
 */
static int64_t permute(dt_philox_key key, int64_t slot, int64_t epoch, int64_t count, int64_t x) {
    int half_bits = 0;
    while (half_bits < 31 && (count - 1) >> (2 * half_bits) != 0)
        half_bits++;
    uint32_t mask = ((uint32_t)1 << half_bits) - 1;
    do {
        uint32_t left = (uint32_t)(x >> half_bits), right = (uint32_t)x & mask;
        for (uint32_t round = 0; round < FEISTEL_ROUNDS; round++) {
            uint32_t mixed = left ^ (dt_philox(key, right, round, (uint32_t)slot, (uint32_t)epoch).w0 & mask);
            left = right;
            right = mixed;
        }
        x = (int64_t)left << half_bits | right;
    } while (x >= count);
    return x;
}

int64_t dt_streams_window(const dt_streams *streams, int64_t step, int64_t slot) {
    DT_ASSERT(step >= 1 && slot >= 0 && slot < streams->B);
    const int64_t length = dt_streams_length(streams, slot), epoch = (step - 1) / length;
    int64_t position = (step - 1) % length;
    if (streams->shuffle)
        position =
            permute(dt_philox_derive(streams->seed, DT_PURPOSE_SHUFFLE, 0), slot, epoch, length, position);
    return stream_start(streams, slot) + position;
}

dt_status dt_shard_load(dt_shard *shard, dt_corpus *corpus, const dt_streams *streams, int64_t first_slot,
                        int64_t end_slot) {
    *shard = (dt_shard){0};
    if (first_slot < 0 || first_slot > end_slot || end_slot > streams->B)
        return dt_fail("cannot load a shard of %s: expected slots within 0..%" PRId64 ", found [%" PRId64
                       ", %" PRId64 ")",
                       corpus->path, streams->B, first_slot, end_slot);
    int64_t first, end;
    dt_streams_span(streams, first_slot, end_slot, &first, &end);
    const int64_t count = end - first;
    const int token_bytes = corpus->token_bytes;
    void *tokens = dt_memory_alloc_untouched(count, (size_t)token_bytes, "this rank's part of the corpus");
    if (tokens == NULL)
        return DT_FAILED;
    dt_status status = dt_corpus_take(corpus, first, end, tokens);
    if (status != DT_OK) {
        dt_memory_free(tokens);
        return status;
    }
    *shard =
        (dt_shard){.first_token = first, .tokens_count = count, .token_bytes = token_bytes, .tokens = tokens};
    return DT_OK;
}

void dt_shard_window(const dt_shard *shard, const dt_streams *streams, int64_t window, int32_t *ids) {
    int64_t offset = window * streams->T - shard->first_token;
    DT_ASSERT(offset >= 0 && offset + streams->T < shard->tokens_count);
    dt_tokens_widen(ids, (const uint8_t *)shard->tokens + offset * shard->token_bytes, shard->token_bytes,
                    streams->T + 1);
}

void dt_shard_free(dt_shard *shard) {
    dt_memory_free(shard->tokens);
    *shard = (dt_shard){0};
}
