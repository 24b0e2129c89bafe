/*
 * A block of A is packed for the second-level cache; panel after panel of B streams through the first, and
 * all tiles that the two make are computed while both are there. The whole of k is taken in one pass, so that
 * sums leave the registers once; only where the results are floats and k is long there are several.
 */
#include "math/gemm_bf16.h"

#include "base/assert.h"
#include "base/minmax.h"
#include "math/panel_bf16.h"
#include "math/tile_bf16.h"
#include "math/unroll.h"

#define tile DT_ISA_NAME(dt_tile_bf16)

#define ROWS DT_TILE_BF16_ROWS
#define COLS DT_TILE_BF16_COLS
#define SIZE ((int64_t)sizeof(dt_factor))

/* Bytes of a cache line. */
#define LINE 64

/* Steps of k that are turned around at a time, so that what is read stays in the first-level cache. */
#define TURN 64

/* Slice `index` of `slices` of `count`, which differ by at most one: [start, next start). */
static int64_t slice_start(int64_t count, int64_t slices, int64_t index) {
    return count / slices * index + dt_min(index, count % slices);
}

/* A block of A: [rows, k] by rows, or where A is transposed tile by tile. */
typedef struct block {
    int64_t row, rows, tiles; /* rows [row, row + rows) of op(A), in so many tiles */
    int64_t step, k, pairs;   /* steps [step, step + k) */
    int64_t stride; /* factors from a row to the next, or from a tile's first pair to the next tile's */
} block;

/* An odd number of cache lines: rows would share a cache set by a power of two. */
static int64_t row_stride(int64_t pairs) {
    return ((2 * pairs * SIZE + LINE - 1) / LINE | 1) * LINE / SIZE;
}

static void pack_a(dt_factor *packed, const dt_product_bf16 *x, const block *b) {
    if (!x->transpose_a) {
        tile.pack_a(packed, b->stride, x->a + b->row * x->a_stride + b->step, x->a_stride, b->rows, b->k);
        return;
    }
    for (int64_t p = 0; p < b->k; p += TURN)
        for (int64_t i = 0; i < b->tiles; i++) {
            const int64_t first = slice_start(b->rows, b->tiles, i);
            tile.pack_a_transposed(packed + i * b->stride + p * ROWS, 2 * ROWS,
                                   x->a + (b->step + p) * x->a_stride + b->row + first, x->a_stride,
                                   slice_start(b->rows, b->tiles, i + 1) - first, dt_min(b->k - p, TURN));
        }
}

/* What the tile reads of columns [first, first + COLS) of a stored panel; where that is not the panel itself,
 * it is expanded into `workspace`. */
static const dt_factor *expand(dt_factor *restrict workspace, const uint16_t *restrict panel, int64_t first,
                               int64_t pairs) {
#if DT_TILE_BF16_NATIVE
    (void)workspace, (void)first, (void)pairs;
    return panel;
#else
    for (int64_t p = 0; p < pairs; p++)
        for (int64_t j = 0; j < COLS; j++) {
            const uint16_t *pair = panel + p * 2 * DT_PANEL_BF16_COLS + 2 * (first + j);
            workspace[2 * p * COLS + j] = dt_bf16_widen(pair[0]);
            workspace[(2 * p + 1) * COLS + j] = dt_bf16_widen(pair[1]);
        }
    return workspace;
#endif
}

/* Asks for `rows` rows of a tile of C from which sums are to go on. Inlined by force: gcc 12 drops calls of a
 * function that does nothing but ask. */
DT_UNROLL_INLINE void fetch_sums(const dt_product_bf16 *x, int64_t row, int64_t column, int64_t rows) {
    const float *at = (const float *)x->c + row * x->c_stride + column;
    const int64_t last = dt_min(x->n - column, COLS) - 1;
    for (int64_t i = 0; i < rows; i++) {
        __builtin_prefetch(at + i * x->c_stride, 1, 3);
        __builtin_prefetch(at + i * x->c_stride + last, 1, 3);
    }
}

/* All tiles of a block in columns [column, column + COLS). */
static void multiply_columns(const dt_product_bf16 *x, const block *b, const dt_factor *packed,
                             const dt_factor *panel, int64_t column) {
    const bool last = b->step + b->k == x->k;
    dt_tile_bf16_target c = {.stride = x->c_stride,
                             .cols = dt_min(x->n - column, COLS),
                             .rounded = x->rounded,
                             .add = x->add || b->step > 0,
                             .bias = last && x->bias ? x->bias + column : NULL};
    for (int64_t i = 0; i < b->tiles; i++) {
        const int64_t first = slice_start(b->rows, b->tiles, i),
                      rows = slice_start(b->rows, b->tiles, i + 1) - first;
        if (c.add && i + 1 < b->tiles)
            fetch_sums(x, b->row + first + rows, column,
                       slice_start(b->rows, b->tiles, i + 2) - first - rows);
        c.at = (char *)x->c + ((b->row + first) * x->c_stride + column) * (x->rounded ? 2 : 4);
        if (x->transpose_a)
            tile.multiply_transposed(&c, rows, packed + i * b->stride, 2 * ROWS, panel, b->pairs);
        else
            tile.multiply(&c, rows, packed + first * b->stride, b->stride, panel, b->pairs);
    }
}

static void multiply_block(const dt_product_bf16 *x, const block *b, dt_factor *packed, dt_factor *opened) {
    pack_a(packed, x, b);
    for (int64_t j = 0; j < x->n; j += COLS) {
        const int64_t panel = j / DT_PANEL_BF16_COLS, first = j % DT_PANEL_BF16_COLS;
        const uint16_t *stored =
            x->panels + panel * dt_panel_bf16_elements(x->k) + b->step * DT_PANEL_BF16_COLS;
        multiply_columns(x, b, packed, expand(opened, stored, first, b->pairs), j);
    }
}

/* How A stands in memory. */
static int64_t a_rows(const dt_product_bf16 *x) {
    return x->transpose_a ? x->k : x->m;
}

static int64_t a_cols(const dt_product_bf16 *x) {
    return x->transpose_a ? x->m : x->k;
}

/* What the header asks of a product. */
static void assert_proper(const dt_product_bf16 *x) {
    DT_ASSERT(x->m > 0 && x->n > 0 && x->k > 0 && !(x->add && x->rounded));
    DT_ASSERT(x->a_stride >= a_cols(x) && x->c_stride >= x->n);
    DT_ASSERT_APART(x->c, dt_assert_extent(x->m, x->n, x->c_stride) * (x->rounded ? 2 : 4), x->a,
                    dt_assert_extent(a_rows(x), a_cols(x), x->a_stride) * 2);
}

static void multiply(const dt_product_bf16 *x, float *workspace) {
    assert_proper(x);
    DT_ASSERT_ALIGNED(workspace);
    const int64_t pairs = (x->k + 1) / 2;
    const int64_t passes = x->rounded ? 1 : (x->k + DT_GEMM_BF16_K - 1) / DT_GEMM_BF16_K;
    for (int64_t pass = 0; pass < passes; pass++) {
        const int64_t p = slice_start(pairs, passes, pass);
        block b = {.step = 2 * p, .pairs = slice_start(pairs, passes, pass + 1) - p};
        b.k = dt_min(x->k - b.step, 2 * b.pairs);
        const int64_t stride = row_stride(b.pairs), fit = DT_GEMM_BF16_BLOCK / (stride * SIZE);
        const int64_t max = fit < ROWS ? ROWS : fit, blocks = (x->m + max - 1) / max;
        b.stride = x->transpose_a ? ROWS * stride : stride;
        dt_factor *packed = (dt_factor *)workspace, *opened = packed + (max + ROWS) * stride;
        for (int64_t i = 0; i < blocks; i++) {
            b.row = slice_start(x->m, blocks, i);
            b.rows = slice_start(x->m, blocks, i + 1) - b.row;
            b.tiles = (b.rows + ROWS - 1) / ROWS;
            multiply_block(x, &b, packed, opened);
        }
    }
}

const struct dt_gemm_bf16 DT_ISA_NAME(dt_gemm_bf16) = {multiply};
