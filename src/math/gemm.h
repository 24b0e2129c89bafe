/**
 * Matrix products on one thread: where some 80 % of a step is spent.
 *
 * All matrices are row-major. An element is what math/tile.h says, whatever its call's shape, blocks and
 * instruction set: fused multiply-adds in the order of k, from 0 or what stood there, and then the bias.
 */
#ifndef DT_MATH_GEMM_H
#define DT_MATH_GEMM_H

#include <stdbool.h>
#include <stdint.h>

#include "math/isa.h"
#include "math/tile.h"

/**
 * Rows of A and steps of k that are packed at a time, which change no result.
 *
 * Of 8 lanes or fewer a panel of 256 steps stays in a first-level cache beside a tile's rows of A, and a
 * block of A in a second-level cache of 1 MB. A panel of 16 lanes comes from the second level in any case,
 * and asks for few bytes a step: there sums leave the registers a fourth as often, and of a block of A a
 * tile's rows are all that has to be near.
 */
#define DT_GEMM_ROWS  512
#define DT_GEMM_MAX_K 1024
#define DT_GEMM_K     (DT_FMA_LANES == 16 ? DT_GEMM_MAX_K : 256)

/** Floats between rows of packed A: a few more than there are, or the rows would share a cache set. */
#define DT_GEMM_PACKED_STRIDE (DT_GEMM_K + 16)

/** Floats of workspace that a product needs, of any size and on any instruction set. */
#define DT_GEMM_WORKSPACE                                                                                    \
    ((DT_GEMM_ROWS + DT_TILE_MAX_ROWS) * (DT_GEMM_MAX_K + 16) + DT_GEMM_MAX_K * DT_TILE_MAX_COLS)

/** C[m, n] = op(A)[m, k] op(B)[k, n] + bias, or += with `add`, with row strides; op transposes where asked.
 */
typedef struct dt_product {
    bool transpose_a, transpose_b;
    int64_t m, n, k; /**< each at least 1 */
    const float *a;
    int64_t a_stride;
    const float *b;
    int64_t b_stride;
    float *c; /**< overlaps none of the others */
    int64_t c_stride;
    const float *bias; /**< [n], added to every row; NULL for none */
    bool add;          /**< start from what stands in C, instead of from zero */
} dt_product;

struct dt_gemm {
    /** Computes the product; `workspace` is scratch of DT_GEMM_WORKSPACE floats. Local. */
    void (*multiply)(const dt_product *product, float *workspace);
};
DT_ISA_DECLARE(dt_gemm);

#endif
