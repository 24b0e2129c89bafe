/**
 * Products of bfloat16 matrices on one thread, C[m, n] = op(A)[m, k] B[k, n] + bias, with B in panels.
 *
 * An element of C is what math/tile_bf16.h defines: its bits depend on its row of A and its column of B
 * alone, and are the same for every instruction set.
 */
#ifndef DT_MATH_GEMM_BF16_H
#define DT_MATH_GEMM_BF16_H

#include <stdbool.h>
#include <stdint.h>

#include "math/isa.h"
#include "math/tile.h"

/** Steps of k that a product of float results takes in one pass; a later pass starts from what stands in C.
 */
#define DT_GEMM_BF16_K 2048

/** Bytes of A that are packed at a time, if that is a tile of rows: half a second-level cache of 1 MB. */
#define DT_GEMM_BF16_BLOCK (1 << 19)

typedef struct dt_product_bf16 {
    bool transpose_a;
    int64_t m, n, k;   /**< each at least 1 */
    const uint16_t *a; /**< [m, k], or [k, m] where it is transposed */
    int64_t a_stride;
    const uint16_t *panels; /**< of B (math/panel_bf16.h) */
    void *c;                /**< of floats, or of bfloat16 where `rounded`; it overlaps none of the others */
    int64_t c_stride;       /**< in elements */
    bool rounded;
    bool add;          /**< start from the floats in C, instead of from zero; not with `rounded` */
    const float *bias; /**< [n], added to every row in float, before rounding; NULL for none */
} dt_product_bf16;

struct dt_gemm_bf16 {
    /** Computes the product; `workspace` is scratch of dt_gemm_bf16_workspace floats that starts on a cache
     * line. Local. */
    void (*multiply)(const dt_product_bf16 *product, float *workspace);
};
DT_ISA_DECLARE(dt_gemm_bf16);

/**
 * Floats of workspace for products of at most `k` steps: a block of A and one tile more of rows, which are a
 * cache line or two longer than k, and a panel of B, as floats. Whatever the instruction set. Local.
 */
static inline int64_t dt_gemm_bf16_workspace(int64_t k) {
    const int64_t row = k + 64, block = DT_GEMM_BF16_BLOCK / (int64_t)sizeof(float);
    return block + 2 * DT_TILE_MAX_ROWS * row + DT_TILE_MAX_COLS * row;
}

#endif
