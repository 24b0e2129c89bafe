/**
 * Byte pair encoding (Sennrich et al. 2016) of one piece of text: its bytes are tokens, and the pair of
 * neighbours that the model learned first becomes one token, until no pair is one that it learned.
 *
 * A model does not change once it is made, and threads share it; scratch is each thread's own.
 */
#ifndef DT_TOKENIZER_BPE_H
#define DT_TOKENIZER_BPE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "tokenizer/vocabulary.h"

/** A pair that becomes a token; its rank is its index in the list, and the lowest goes first. */
typedef struct dt_bpe_merge {
    int32_t left, right, merged;
} dt_bpe_merge;

typedef struct dt_bpe {
    const dt_vocabulary *vocabulary;
    bool is_whole_first;       /**< a piece that is a token is that token, whatever the merges say */
    int32_t byte_id[256];      /**< the token of each byte; -1: of none, of bytes that no UTF-8 holds */
    struct dt_bpe_slot *slots; /**< merges by pair: open addressing */
    uint64_t slot_mask;
    int32_t *wholes; /**< ids by their bytes, for is_whole_first: open addressing; -1 is empty */
    uint64_t whole_mask;
    int64_t longest;         /**< bytes of the longest token */
    uint64_t joined[256][4]; /**< bit b of [a]: byte b follows byte a within some token */
} dt_bpe;

/** One thread's scratch for long pieces, which grows and stays. */
typedef struct dt_bpe_scratch {
    int64_t capacity; /**< pieces of so many bytes have room */
    int32_t *id, *next, *previous, *rank;
    uint64_t *heap;
} dt_bpe_scratch;

/**
 * Makes a model of merges[0..count) over a vocabulary, which must outlive it. `is_token` says which ids the
 * model itself has, as opposed to added tokens. Fails where a byte of UTF-8 has no token or a pair stands
 * twice; `where` begins the sentence. The caller frees it in any case. Local.
 */
dt_status dt_bpe_create(dt_bpe *bpe, const dt_vocabulary *vocabulary, const bool *is_token,
                        const dt_bpe_merge *merges, int64_t count, bool is_whole_first, const char *where);

/** Frees it; one that is all zero is fine. Local. */
void dt_bpe_free(dt_bpe *bpe);

/** Frees a scratch; one that is all zero is fine. Local. */
void dt_bpe_scratch_free(dt_bpe_scratch *scratch);

/** Whether byte `right` may follow byte `left` within a token. Local. */
static inline bool dt_bpe_joins(const dt_bpe *bpe, uint8_t left, uint8_t right) {
    return (bpe->joined[left][right / 64] >> right % 64 & 1) != 0;
}

/**
 * The tokens of one piece of 1 byte or more, into `ids`, which has room for `length`, and their number into
 * `*count`. Allocates nothing once scratch has grown. Fails when out of memory, and for a piece of 2^31 bytes
 * or more. Local.
 */
dt_status dt_bpe_encode(const dt_bpe *bpe, dt_bpe_scratch *scratch, const uint8_t *piece, int64_t length,
                        int32_t *ids, int64_t *count);

#endif
