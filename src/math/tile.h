/**
 * The innermost product: a tile of C, held in vector registers while A and B stream past.
 *
 *     C[rows, cols] = A[rows, k] B[k, cols],   rows <= DT_TILE_ROWS,  cols <= DT_TILE_COLS
 *
 * A step of k reads two vectors of a row of B, broadcasts one number of each row of A, and adds 2 x rows
 * products. B comes as it stands in memory, or packed as a panel: DT_TILE_COLS columns, row after row without
 * a gap. The tile is as large as the registers allow: 14 rows of two vectors leave 4 of AVX-512's and NEON's
 * 32 registers for A and B, 6 rows leave 4 of 16. Such a kernel and the packing around it are after Goto, van
 * de Geijn, "Anatomy of High-Performance Matrix Multiplication" (2008), and Van Zee, van de Geijn, "BLIS"
 * (2015).
 *
 * What an element comes to is defined, in every instruction set and wherever in which tile it stands: from 0,
 * or from what stands in C, one fused multiply-add (math/fma.h) after the other in the order of k, and then
 * the bias. All functions are local; they belong to one instruction set and are for the files of math/ that
 * are compiled with them.
 */
#ifndef DT_MATH_TILE_H
#define DT_MATH_TILE_H

#include <stdint.h>

#include "math/fma.h"
#include "math/isa.h"

#if DT_FMA_LANES == 16 || defined __aarch64__
#define DT_TILE_ROWS 14
#else
#define DT_TILE_ROWS 6
#endif
#define DT_TILE_LANES DT_FMA_LANES
#define DT_TILE_COLS  (2 * DT_TILE_LANES)

/** The largest of all instruction sets, for whoever allocates a workspace without knowing which one it will
 * be. */
#define DT_TILE_MAX_ROWS 14
#define DT_TILE_MAX_COLS 32

/** Which products an element of a tile is the sum of. */
typedef enum dt_tile_sum {
    DT_TILE_WHOLE, /**< all k */
    DT_TILE_GO_ON, /**< all k, added to what stands in C */
    /** Those of causal attention, k >= rows: in `multiply` row i ends with step k - rows + i, in
     * `multiply_transposed` it begins with step i. No other is added, not even as a 0, which times infinity
     * is NaN. */
    DT_TILE_TRIANGLE
} dt_tile_sum;

/** The most lines that a tile can be given to ask for. */
#define DT_TILE_MAX_AHEAD 1024

/**
 * Cache lines that a tile asks for while it is multiplied, into the second-level cache: one in each step of
 * k, and those beyond at once. A processor has few places for lines that are under way, 16 on Intel's Golden
 * Cove, and whoever asks for more waits until the first have come; one a step comes beside the
 * multiplications.
 */
typedef struct dt_tile_ahead {
    int64_t count;
    const float *lines[DT_TILE_MAX_AHEAD];
} dt_tile_ahead;

/** Where a tile's sums go: row i, column j to at[i * stride + j]. */
typedef struct dt_tile_target {
    float *at;
    int64_t stride;
    int64_t
        cols; /**< 1 to DT_TILE_COLS; further columns of B, which must be there, are computed and dropped */
    dt_tile_sum sum;
    const float *bias;          /**< [cols], added to every row at the end; NULL for none */
    const dt_tile_ahead *ahead; /**< what to ask for; NULL for where sums of all k go, and nothing else */
} dt_tile_target;

struct dt_tile {
    /** C from A by rows: a[i * stride + p] for row i, p < k; row p of B is b[p * b_stride + j] for column j <
     * DT_TILE_COLS. With 8 lanes B is a panel: b_stride is DT_TILE_COLS. */
    void (*multiply)(const dt_tile_target *c, int64_t rows, const float *a, int64_t stride, const float *b,
                     int64_t b_stride, int64_t k);

    /** C from A by columns: a[p * stride + i] for row i, p < k; the same bits. */
    void (*multiply_transposed)(const dt_tile_target *c, int64_t rows, const float *a, int64_t stride,
                                const float *b, int64_t b_stride, int64_t k);

    /** panel[k, DT_TILE_COLS] = scale times columns [0, cols) of b[k, ..], row stride `stride`, then zeros.
     */
    void (*pack)(float *panel, const float *b, int64_t stride, int64_t k, int64_t cols, float scale);

    /** The same of b^T: panel[p, j] = b[j * stride + p], without a scale. */
    void (*pack_transposed)(float *panel, const float *b, int64_t stride, int64_t k, int64_t cols);
};
DT_ISA_DECLARE(dt_tile);

#endif
