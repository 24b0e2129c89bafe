/**
 * The innermost product in bfloat16: a tile of C, held in vector registers while A and B stream past in
 * pairs.
 *
 *     C[rows, cols] = A[rows, k] B[k, cols],   rows <= DT_TILE_BF16_ROWS,  cols <= DT_TILE_BF16_COLS
 *
 * Inputs are bfloat16 (base/bf16.h), sums are floats. What an element of C is, is defined by the processor's
 * instruction VDPBF16PS (Intel, "Instruction Set Extensions Programming Reference", 319433):
 *
 *     for each pair p = 0, 1, ..:
 *         sum = fma(a[2p + 1], b[2p + 1], sum)        the odd element first
 *         sum = fma(a[2p], b[2p], sum)
 *
 * where a denormal input is a zero of its sign and so is a result that is tiny after rounding; an odd k is
 * filled up with a pair's other half of zeros. dt_tile_bf16_step is one such line. The set avx512_bf16 has
 * the instruction. The others compute the same bits by multiply-adds of floats in a mode in which denormals
 * are zeros (math/denormals.h), at the rate of fp32, and where a result has left the range of normal numbers,
 * once more a step at a time, as far as the mode or a missing multiply-add asks for it; for that they read A
 * and B expanded to floats, and `dt_factor` is what they read. Matrix units that add in another order (AMX,
 * Arm's BFDOT) are not used.
 *
 * NaN comes out as NaN, of no defined payload. All functions are local; they belong to one instruction set
 * and are for the files of math/ that are compiled with them.
 */
#ifndef DT_MATH_TILE_BF16_H
#define DT_MATH_TILE_BF16_H

#include <math.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/bf16.h"
#include "math/isa.h"
#include "math/tile.h"

#if defined __AVX512BF16__
#define DT_TILE_BF16_NATIVE 1
#define DT_TILE_BF16_ROWS   14
#define DT_TILE_BF16_COLS   32
#else
#define DT_TILE_BF16_NATIVE 0
#define DT_TILE_BF16_ROWS   DT_TILE_ROWS
#define DT_TILE_BF16_COLS   DT_TILE_COLS
#endif

/** What the tile multiplies: a bfloat16, as it is or expanded. */
#if DT_TILE_BF16_NATIVE
typedef uint16_t dt_factor;
#else
typedef float dt_factor;
#endif

/** `value` rounded to bfloat16, as a factor. */
static inline dt_factor dt_factor_round(float value) {
#if DT_TILE_BF16_NATIVE
    return dt_bf16_round(value);
#else
    return dt_bf16_widen(dt_bf16_round(value));
#endif
}

/** A bfloat16 as a factor. */
static inline dt_factor dt_factor_of(uint16_t number) {
#if DT_TILE_BF16_NATIVE
    return number;
#else
    return dt_bf16_widen(number);
#endif
}

/** The number that a factor stands for. */
static inline float dt_factor_get(dt_factor factor) {
#if DT_TILE_BF16_NATIVE
    return dt_bf16_widen(factor);
#else
    return factor;
#endif
}

/** The largest float below which a number is a denormal. */
#define DT_TILE_BF16_TINY 0x1p-126

/**
 * The definition: fma(a, b, sum) for bfloat16 a and b, with denormals as zeros. A product of two bfloat16 is
 * exact in double, and so is its sum with a float unless the smaller is below a 2^29th of the larger, which
 * then comes out whichever way the rest is rounded. A sum is tiny where it is below the middle between
 * 2^-126 and the number of 24 bits before it.
 */
static inline float dt_tile_bf16_step(float a, float b, float sum) {
    const float x = fabsf(a) < (float)DT_TILE_BF16_TINY ? copysignf(0.0f, a) : a,
                y = fabsf(b) < (float)DT_TILE_BF16_TINY ? copysignf(0.0f, b) : b,
                z = fabsf(sum) < (float)DT_TILE_BF16_TINY ? copysignf(0.0f, sum) : sum;
    const double exact = (double)x * (double)y + (double)z;
    return fabs(exact) < DT_TILE_BF16_TINY - 0x1p-151 ? copysignf(0.0f, (float)exact) : (float)exact;
}

/** Where a tile's sums go: row i, column j to element i * stride + j. */
typedef struct dt_tile_bf16_target {
    void *at;          /**< of floats, or of bfloat16 where `rounded` */
    int64_t stride;    /**< in elements */
    int64_t cols;      /**< 1 to DT_TILE_BF16_COLS; the panel's further columns are computed and dropped */
    bool rounded;      /**< store bfloat16 */
    bool add;          /**< start from the floats that are there, instead of from zero; not with `rounded` */
    const float *bias; /**< [cols], added to the sums in float, before rounding; NULL for none */
} dt_tile_bf16_target;

/** A and panels are arrays of the set's dt_factor; to other sets' files they are arrays of factor_bytes each.
 */
struct dt_tile_bf16 {
    int64_t rows, cols, factor_bytes; /**< DT_TILE_BF16_ROWS, DT_TILE_BF16_COLS and what a dt_factor takes */

    /** C from A by rows: factor a[i * stride + p] for row i, p < 2 pairs; `stride` is even. */
    void (*multiply)(const dt_tile_bf16_target *c, int64_t rows, const void *a, int64_t stride,
                     const void *panel, int64_t pairs);

    /** C from A by columns, whose pairs stand together: a[p * stride + 2 i] and the one after it for pair p
     * of row i. The same bits. */
    void (*multiply_transposed)(const dt_tile_bf16_target *c, int64_t rows, const void *a, int64_t stride,
                                const void *panel, int64_t pairs);

    /** For multiply: to[rows, k], row stride `to_stride`, from a[rows, k], row stride `stride`; a last pair
     * that has one element gets a zero. */
    void (*pack_a)(void *to, int64_t to_stride, const uint16_t *a, int64_t stride, int64_t rows, int64_t k);

    /** For multiply_transposed: to[pairs of k, rows, 2], pair stride `to_stride`, from A^T, a[k, rows]. */
    void (*pack_a_transposed)(void *to, int64_t to_stride, const uint16_t *a, int64_t stride, int64_t rows,
                              int64_t k);

    /** A panel, 2 pairs DT_TILE_BF16_COLS factors that start on a cache line, of columns [0, cols) of
     * b[k, ..], row stride `stride`; then zeros, also in a last pair that has one element. */
    void (*pack)(void *panel, const uint16_t *b, int64_t stride, int64_t k, int64_t cols);

    /** The same of b^T: column j of row p is b[j * stride + p]. */
    void (*pack_transposed)(void *panel, const uint16_t *b, int64_t stride, int64_t k, int64_t cols);
};
DT_ISA_DECLARE(dt_tile_bf16);

#endif
