/*
 * Goto's order of loops around a tile of 16 lanes: a block of A, then panel after panel of B, and all tiles
 * that the two make are computed while both are near. Such a tile takes few bytes a step, and a second-level
 * cache is near enough. Each is packed where a cache would not hold it well as it stands, and else read in
 * its place; while a tile is multiplied, what comes next is asked for.
 */
#include "math/gemm.h"

#include <string.h>

#include "base/minmax.h"
#include "math/product.h"

#if DT_FMA_LANES == 16

#define tile DT_ISA_NAME(dt_tile)

/*
 * Floats that packing a row of a tile copies: a power of two, so that it is one or two instructions. What is
 * too much is overwritten by the next row, and after the last one there is room for it.
 */
#define WHOLE_COPY 16

/* Rows of A and steps of k that are packed at a time. A panel comes from the second-level cache in any case,
 * and asks for few bytes a step: with many steps sums leave the registers seldom, and of a block of A a
 * tile's rows are all that has to be near. */
#define BLOCK_ROWS 512
#define STEPS      1024

/* Floats between rows of packed A: a few more than there are, or the rows would share a cache set. */
#define PACKED_STRIDE (STEPS + 16)

/* Floats between packed tiles' rows of A. */
#define PACKED_TILE (DT_TILE_ROWS * PACKED_STRIDE)

/* Steps up to which a panel of B stays: 32 KB. A longer one comes from the second-level cache for each tile,
 * and a processor looks ahead there only where rows follow each other without a gap; packing it pays where
 * more than a few tiles read it. */
#define STAYING_STEPS 256
#define FEW_ROWS      128

/* Whether rows so many floats apart share a few sets of a cache, which then has no room for a column. */
static bool is_crowded(int64_t stride) {
    return stride % 512 == 0;
}

/* Whether tiles read A in its place. Stored by columns, a tile's rows of a step are part of one or two lines,
 * which would be read anew for each panel; packed they are dense. */
static bool a_stays(const dt_product *x) {
    return !x->transpose_a && !is_crowded(x->a_stride);
}

/* Whether tiles read `cols` columns of k steps of op(B) in their place: rows that are a whole panel wide. */
static bool b_stays(const dt_product *x, int64_t k, int64_t cols) {
    return !x->transpose_b && !is_crowded(x->b_stride) && cols == DT_TILE_COLS &&
           (k <= STAYING_STEPS || x->m <= FEW_ROWS);
}

_Static_assert((BLOCK_ROWS + DT_TILE_ROWS) * PACKED_STRIDE + STEPS * DT_TILE_COLS <= DT_GEMM_WORKSPACE,
               "the workspace holds a block and a panel");

/* Rows [i, i + rows) and steps [p, p + k) of op(A), whose rows are cut into `tiles`. */
typedef struct block {
    int64_t i, rows, tiles, p, k;
} block;

/* A tile's rows of a block: [start, start + count). */
typedef struct band {
    int64_t start, count;
} band;

/* Number `index` of a block's bands, which differ by at most one row; none after the last. */
static band band_of(const block *whole, int64_t index) {
    const int64_t each = whole->rows / whole->tiles, longer = whole->rows % whole->tiles;
    if (index >= whole->tiles)
        return (band){whole->rows, 0};
    return (band){each * index + dt_min(index, longer), each + (index < longer)};
}

/* Where the first row of a band stands in A. */
static const float *in_a(const dt_product *x, const block *whole, band rows) {
    const int64_t i = whole->i + rows.start;
    return x->transpose_a ? x->a + whole->p * x->a_stride + i : x->a + i * x->a_stride + whole->p;
}

/* A tile's rows of A as it reads them, with `stride` between rows, or steps where A is stored by columns. */
typedef struct left {
    const float *at;
    int64_t stride;
} left;

/*
 * Band `index` of a block, packed for the first panel of B, and there for the others. Packed it stays as it
 * is where A is stored by rows; of an A stored by columns it is [k, DT_TILE_ROWS].
 */
static left take_a(float *restrict packed, const dt_product *x, const block *whole, int64_t index,
                   bool is_first) {
    const band rows = band_of(whole, index);
    const float *from = in_a(x, whole, rows);
    if (a_stays(x))
        return (left){from, x->a_stride};
    float *restrict const to = packed + index * PACKED_TILE;
    const left taken = {to, x->transpose_a ? DT_TILE_ROWS : PACKED_STRIDE};
    if (!is_first)
        return taken;
    if (!x->transpose_a)
        for (int64_t i = 0; i < rows.count; i++)
            memcpy(to + i * taken.stride, from + i * x->a_stride, (size_t)whole->k * sizeof *to);
    else if (rows.start + WHOLE_COPY <= whole->rows)
        for (int64_t p = 0; p < whole->k; p++)
            memcpy(to + p * taken.stride, from + p * x->a_stride, WHOLE_COPY * sizeof *to);
    else
        for (int64_t p = 0; p < whole->k; p++)
            memcpy(to + p * taken.stride, from + p * x->a_stride, (size_t)rows.count * sizeof *to);
    return taken;
}

/* A panel of B as tiles read it. */
typedef struct right {
    const float *at;
    int64_t stride;
} right;

static right take_b(float *panel, const dt_product *x, const dt_product_panel *from, int64_t k,
                    int64_t cols) {
    if (b_stays(x, k, cols))
        return (right){from->at, from->stride};
    if (x->transpose_b)
        tile.pack_transposed(panel, from->at, from->stride, k, cols);
    else
        tile.pack(panel, from->at, from->stride, k, cols, 1.0f);
    return (right){panel, DT_TILE_COLS};
}

/* `count` lines more to ask for, `step` floats apart, as far as there is room. */
static void ask(dt_tile_ahead *ahead, const float *at, int64_t count, int64_t step) {
    const float **to = ahead->lines + ahead->count;
    const int64_t fitting = dt_min(count, DT_TILE_MAX_AHEAD - ahead->count);
    for (int64_t i = 0; i < fitting; i++)
        to[i] = at + i * step;
    ahead->count += fitting;
}

/* Asks for both ends of the columns that C has in a band of rows. */
static void ask_for_sums(dt_tile_ahead *ahead, const dt_tile_target *c, const float *first, band rows) {
    for (int64_t i = rows.start; i < rows.start + rows.count; i++)
        ask(ahead, first + i * c->stride, 2, c->cols - 1);
}

/* Asks for slice `index` of `slices` of the panel after this one: rows of B are far apart, where the
 * processor does not look ahead. */
static void ask_for_panel(dt_tile_ahead *ahead, const dt_product_panel *next, int64_t index, int64_t slices) {
    for (int64_t r = next->count * index / slices; r < next->count * (index + 1) / slices; r++)
        ask(ahead, next->at + r * next->stride, (next->floats + 15) / 16, 16);
}

/* Asks for a band of A where it stands, which is read first with the first panel. Of an A stored by columns
 * the bands before have read the lines in which this one begins. */
static void ask_for_a(dt_tile_ahead *ahead, const dt_product *x, const block *whole, band rows) {
    const float *at = in_a(x, whole, rows);
    if (x->transpose_a)
        ask(ahead, at + rows.count - 1, rows.count > 0 ? whole->k : 0, x->a_stride);
    else
        for (int64_t i = 0; i < rows.count; i++)
            ask(ahead, at + i * x->a_stride, (whole->k + 15) / 16, 16);
}

/* All tiles of a block in the columns of one panel. */
static void multiply_panel(const dt_product *x, dt_tile_target c, const block *whole, float *packed,
                           const right *b, const dt_product_panel *next, bool is_first) {
    float *const first = c.at;
    dt_tile_ahead ahead;
    c.ahead = &ahead;
    for (int64_t index = 0; index < whole->tiles; index++) {
        const band rows = band_of(whole, index), next_rows = band_of(whole, index + 1);
        const left a = take_a(packed, x, whole, index, is_first);
        c.at = first + rows.start * c.stride;
        ahead.count = 0;
        ask_for_sums(&ahead, &c, first, c.sum == DT_TILE_GO_ON ? next_rows : rows);
        ask_for_panel(&ahead, next, index, whole->tiles);
        if (is_first)
            ask_for_a(&ahead, x, whole, next_rows);
        if (x->transpose_a)
            tile.multiply_transposed(&c, rows.count, a.at, a.stride, b->at, b->stride, whole->k);
        else
            tile.multiply(&c, rows.count, a.at, a.stride, b->at, b->stride, whole->k);
    }
}

static void multiply(const dt_product *x, float *workspace) {
    dt_product_assert_proper(x);
    float *packed = workspace, *panel = workspace + (BLOCK_ROWS + DT_TILE_ROWS) * PACKED_STRIDE;
    for (int64_t i = 0; i < x->m; i += BLOCK_ROWS) {
        const int64_t rows = dt_min(x->m - i, BLOCK_ROWS);
        for (int64_t p = 0; p < x->k; p += STEPS) {
            const int64_t k = dt_min(x->k - p, STEPS);
            const block whole = {i, rows, (rows + DT_TILE_ROWS - 1) / DT_TILE_ROWS, p, k};
            for (int64_t j = 0; j < x->n; j += DT_TILE_COLS) {
                const dt_tile_target c = {.at = x->c + i * x->c_stride + j,
                                          .stride = x->c_stride,
                                          .cols = dt_min(x->n - j, DT_TILE_COLS),
                                          .sum = x->add || p > 0 ? DT_TILE_GO_ON : DT_TILE_WHOLE,
                                          .bias = x->bias && p + k == x->k ? x->bias + j : NULL};
                const dt_product_panel now = dt_product_panel_of(x, p, k, j),
                                       next = dt_product_panel_of(x, p, k, j + c.cols);
                const right b = take_b(panel, x, &now, k, c.cols);
                multiply_panel(x, c, &whole, packed, &b, &next, j == 0);
            }
        }
    }
}

const struct dt_gemm DT_ISA_NAME(dt_gemm) = {multiply};
#endif
