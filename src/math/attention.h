/**
 * Causal multi-head attention over one sequence, tile by tile, without ever holding a T x T matrix.
 *
 *     S = Q K^T / sqrt(D),  P = softmax(S) over keys <= query,  Y = dropout(P) V,   D = C / H
 *
 * A few queries at a time meet all keys up to themselves; keys after them are not computed, but for those
 * that share a tile with the diagonal. The forward pass keeps one number a query and head, the log of the sum
 * of exp(S), from which the backward pass makes P again (Dao et al., "FlashAttention", 2022). With Z = factor
 * * P (the dropout factors):
 *
 *     dV = Z^T dY,  dZ = dY V^T,  dS = P (factor * dZ - rowsum(dY * Y)),
 *     dQ = dS K / sqrt(D),  dK = dS^T Q / sqrt(D)
 *
 * Q, K and V stand side by side as the projection makes them: qkv[T, 3C] with head h of Q in columns h D to
 * (h+1) D, of K C further and of V 2C further.
 */
#ifndef DT_MATH_ATTENTION_H
#define DT_MATH_ATTENTION_H

#include <stdint.h>

#include "math/dropout.h"
#include "math/isa.h"
#include "math/operand.h"
#include "math/range.h"

/** Queries that the backward pass takes at a time, at most, in whole tiles of rows (math/tile.h). */
#define DT_ATTENTION_GROUP 56

/** Floats of scratch that fp32's functions need for sequences up to T with heads D wide, on any instruction
 * set. Local. */
int64_t dt_attention_scratch_floats(int64_t T, int64_t D);

/** Tokens of a block: what is computed of one head can be cut between blocks. Whole panels and whole blocks
 * of dropout. */
#define DT_ATTENTION_BLOCK 256

/** Blocks of a head. Local. */
static inline int64_t dt_attention_blocks(int64_t T) {
    return (T + DT_ATTENTION_BLOCK - 1) / DT_ATTENTION_BLOCK;
}

/** All outputs of a sequence: block b of head h is output h dt_attention_blocks(T) + b. Whole heads cost
 * least to share out, as what a head needs is packed once for each range that has a part of it, and a
 * backward pass over a part computes scores again that it shares with the others. Local. */
static inline dt_range dt_attention_all(int64_t T, int64_t H) {
    return dt_range_all(H * dt_attention_blocks(T));
}

/** The tokens of head `h` that are among `outputs`. Local. */
static inline dt_range dt_attention_tokens(dt_range outputs, int64_t h, int64_t T) {
    const int64_t blocks = dt_attention_blocks(T);
    const dt_range own = dt_range_within(h * blocks, (h + 1) * blocks, outputs);
    const int64_t end = (own.end - h * blocks) * DT_ATTENTION_BLOCK;
    return (dt_range){(own.first - h * blocks) * DT_ATTENTION_BLOCK, end < T ? end : T};
}

struct dt_attention {
    /** `outputs` of y[T, C] and lse[H, T] of qkv[T, 3C]: the rows of a block's tokens, in the columns of its
     * head. Local. */
    void (*forward)(dt_operand *y, float *lse, const dt_operand *qkv, int64_t T, int64_t C, int64_t H,
                    const dt_dropout *drop, dt_range outputs, float *scratch);

    /** `outputs` of dqkv[T, 3C] from dy[T, C] and what forward took and made, all of it, with the same
     * `drop`: the rows of a block's tokens, in the columns of its head in dQ, dK and dV. Local. */
    void (*backward)(dt_operand *dqkv, const dt_operand *dy, const dt_operand *y, const float *lse,
                     const dt_operand *qkv, int64_t T, int64_t C, int64_t H, const dt_dropout *drop,
                     dt_range outputs, float *scratch);

    /** y[C] of the query in row t of qkv[t + 1, 3C] alone, without dropout: one token more in generation.
     * Local. */
    void (*query)(dt_operand *y, const dt_operand *qkv, int64_t t, int64_t C, int64_t H, float *scratch);

    /** Floats of scratch that any of the three needs for sequences up to T with heads D wide. Local. */
    int64_t (*scratch_floats)(int64_t T, int64_t D);
};
DT_COMPUTE_DECLARE(dt_attention);

#endif
