/*
 * Goto's order of loops around the tile: a block of A for the second-level cache, then panel after panel of B
 * for the first, and all tiles that the two make are computed while both are there. Each is packed where its
 * rows lie so far apart that a cache would not hold it as it stands, and else read in its place.
 */
#include "math/gemm.h"

#include <string.h>

#include "base/assert.h"
#include "base/minmax.h"
#include "math/unroll.h"

#define tile DT_ISA_NAME(dt_tile)

/*
 * Floats that packing a row of a tile copies: a power of two, so that it is one or two instructions. What is
 * too much is overwritten by the next row, and after the last one there is room for it.
 */
#define WHOLE_COPY   (DT_TILE_ROWS > 8 ? 16 : 8)
#define PACKED_BLOCK (DT_TILE_ROWS * DT_GEMM_K + 16)

/* Where the next panel is to wait, as __builtin_prefetch counts: in the first-level cache (3) or, where it
 * would drive out the panel that is multiplied, in the second (2). */
#define PANEL_LEVEL (DT_TILE_COLS == 32 ? 2 : 3)

/* Block `index` of `blocks` rows that differ by at most one: rows [start, next start). */
static int64_t block_start(int64_t rows, int64_t blocks, int64_t index) {
    return rows / blocks * index + dt_min(index, rows % blocks);
}

/*
 * Whether A and B may stay where they are. With 16 lanes a tile takes few bytes a step, and a second-level
 * cache is near enough. With fewer the panel has to be in the first-level cache, of which it packed takes
 * half and a tile's rows of A, packed, the other.
 */
#define MAY_STAY (DT_FMA_LANES == 16)

/* Steps of an A stored by columns up to which it stays: each is a line of its own, and that many are still in
 * the second-level cache when the next panel of B comes. */
#define STAYING_STEPS 512

/* Whether rows so many floats apart share a few sets of a cache, which then has no room for a column. */
static bool is_crowded(int64_t stride) {
    return stride % 512 == 0;
}

/* Whether tiles read A in its place. */
static bool a_stays(const dt_product *x) {
    return MAY_STAY && !is_crowded(x->a_stride) && (!x->transpose_a || x->k <= STAYING_STEPS);
}

/* Whether tiles read `cols` columns of op(B) in their place: rows that are a whole panel wide. */
static bool b_stays(const dt_product *x, int64_t cols) {
    return MAY_STAY && !x->transpose_b && !is_crowded(x->b_stride) && cols == DT_TILE_COLS;
}

/* A block of A as tiles read it: that of the block's rows from `start` on, its tile number `index`, is
 * at[start * row + index * tile ..], with `stride` between its rows, or its columns. */
typedef struct left {
    const float *at;
    int64_t row, tile, stride;
} left;

/*
 * Rows [i0, i0 + rows) and steps [p0, p0 + k) of op(A). Packed they are as they stand where A is stored by
 * rows, and where it is stored by columns blocks of a tile's rows, each [k, DT_TILE_ROWS] and PACKED_BLOCK
 * apart.
 */
static left take_a(float *restrict packed, const dt_product *x, int64_t i0, int64_t p0, int64_t rows,
                   int64_t k, int64_t blocks) {
    const float *from = x->transpose_a ? x->a + p0 * x->a_stride + i0 : x->a + i0 * x->a_stride + p0;
    if (a_stays(x))
        return (left){from, x->transpose_a ? 1 : x->a_stride, 0, x->a_stride};
    if (!x->transpose_a) {
        for (int64_t i = 0; i < rows; i++)
            memcpy(packed + i * DT_GEMM_PACKED_STRIDE, from + i * x->a_stride, (size_t)k * sizeof *packed);
        return (left){packed, DT_GEMM_PACKED_STRIDE, 0, DT_GEMM_PACKED_STRIDE};
    }
    for (int64_t p = 0; p < k; p++) {
        const float *row = from + p * x->a_stride;
        for (int64_t block = 0; block < blocks; block++) {
            const int64_t start = block_start(rows, blocks, block);
            float *to = packed + block * PACKED_BLOCK + p * DT_TILE_ROWS;
            if (start + WHOLE_COPY <= rows)
                memcpy(to, row + start, WHOLE_COPY * sizeof *to);
            else
                memcpy(to, row + start, (size_t)(block_start(rows, blocks, block + 1) - start) * sizeof *to);
        }
    }
    return (left){packed, 0, PACKED_BLOCK, DT_TILE_ROWS};
}

/* Where a panel of B is: `count` rows of `floats` each. */
typedef struct source {
    const float *at;
    int64_t stride, count, floats;
} source;

/* Steps [p, p + k) of the columns of op(B) from j on, of which there may be none. */
static source source_of(const dt_product *x, int64_t p, int64_t k, int64_t j) {
    const int64_t cols = dt_min(x->n - j, DT_TILE_COLS);
    if (x->transpose_b)
        return (source){x->b + j * x->b_stride + p, x->b_stride, cols, k};
    return (source){x->b + p * x->b_stride + j, x->b_stride, cols > 0 ? k : 0, cols};
}

/* A panel of B as tiles read it. */
typedef struct right {
    const float *at;
    int64_t stride;
} right;

static right take_b(float *panel, const dt_product *x, const source *from, int64_t k, int64_t cols) {
    if (b_stays(x, cols))
        return (right){from->at, from->stride};
    if (x->transpose_b)
        tile.pack_transposed(panel, from->at, from->stride, k, cols);
    else
        tile.pack(panel, from->at, from->stride, k, cols, 1.0f);
    return (right){panel, DT_TILE_COLS};
}

/* Asks for slice `index` of `slices` of the panel after this one: rows of B are far apart, where the
 * processor does not look ahead. */
static void fetch(const source *next, int64_t index, int64_t slices) {
    for (int64_t r = next->count * index / slices; r < next->count * (index + 1) / slices; r++)
        for (int64_t c = 0; c < next->floats; c += 16)
            __builtin_prefetch(next->at + r * next->stride + c, 0, PANEL_LEVEL);
}

/* Asks for `rows` rows of a tile of C from which sums are to go on. Inlined by force: gcc 12 drops calls of a
 * function that does nothing but ask. */
DT_UNROLL_INLINE void fetch_sums(const dt_tile_target *c, const float *at, int64_t rows) {
    for (int64_t i = 0; i < rows; i++) {
        __builtin_prefetch(at + i * c->stride, 1, 3);
        __builtin_prefetch(at + i * c->stride + c->cols - 1, 1, 3);
    }
}

/* Asks for what a tile of `rows` rows reads of an A in its place, k steps from `at`: its first pass is the
 * first to read it, and only for the second on it is in a cache. */
DT_UNROLL_INLINE void fetch_a(const dt_product *x, const float *at, int64_t rows, int64_t k) {
    const int64_t lines = x->transpose_a ? k : rows, floats = x->transpose_a ? rows : k;
    for (int64_t r = 0; r < lines; r++)
        for (int64_t f = 0; f < floats; f += 16)
            __builtin_prefetch(at + r * x->a_stride + f, 0, 2);
}

/* All tiles of `rows` rows of C in the columns of one panel. */
static void multiply_panel(const dt_product *x, dt_tile_target c, int64_t rows, int64_t k, int64_t blocks,
                           const left *a, const right *b, const source *next, bool is_first) {
    float *const first = c.at;
    for (int64_t block = 0; block < blocks; block++) {
        const int64_t start = block_start(rows, blocks, block);
        const int64_t count = block_start(rows, blocks, block + 1) - start;
        const float *of_tile = a->at + start * a->row + block * a->tile;
        c.at = first + start * c.stride;
        fetch(next, block, blocks);
        if (is_first && block + 1 < blocks && a_stays(x))
            fetch_a(x, of_tile + count * a->row, block_start(rows, blocks, block + 2) - start - count, k);
        if (c.sum == DT_TILE_GO_ON && block + 1 < blocks)
            fetch_sums(&c, c.at + count * c.stride, block_start(rows, blocks, block + 2) - start - count);
        if (x->transpose_a)
            tile.multiply_transposed(&c, count, of_tile, a->stride, b->at, b->stride, k);
        else
            tile.multiply(&c, count, of_tile, a->stride, b->at, b->stride, k);
    }
}

/* How A and B stand in memory. */
static int64_t a_rows(const dt_product *x) {
    return x->transpose_a ? x->k : x->m;
}

static int64_t a_cols(const dt_product *x) {
    return x->transpose_a ? x->m : x->k;
}

static int64_t b_rows(const dt_product *x) {
    return x->transpose_b ? x->n : x->k;
}

static int64_t b_cols(const dt_product *x) {
    return x->transpose_b ? x->k : x->n;
}

static int64_t bytes(int64_t rows, int64_t cols, int64_t stride) {
    return dt_assert_extent(rows, cols, stride) * (int64_t)sizeof(float);
}

/* What the header asks of a product. */
static void assert_proper(const dt_product *x) {
    DT_ASSERT(x->m > 0 && x->n > 0 && x->k > 0);
    DT_ASSERT(x->a_stride >= a_cols(x) && x->b_stride >= b_cols(x) && x->c_stride >= x->n);
    DT_ASSERT_APART(x->c, bytes(x->m, x->n, x->c_stride), x->a, bytes(a_rows(x), a_cols(x), x->a_stride));
    DT_ASSERT_APART(x->c, bytes(x->m, x->n, x->c_stride), x->b, bytes(b_rows(x), b_cols(x), x->b_stride));
}

static void multiply(const dt_product *x, float *workspace) {
    assert_proper(x);
    float *packed = workspace, *panel = workspace + (DT_GEMM_ROWS + DT_TILE_MAX_ROWS) * DT_GEMM_PACKED_STRIDE;
    for (int64_t i = 0; i < x->m; i += DT_GEMM_ROWS) {
        const int64_t rows = dt_min(x->m - i, DT_GEMM_ROWS),
                      blocks = (rows + DT_TILE_ROWS - 1) / DT_TILE_ROWS;
        for (int64_t p = 0; p < x->k; p += DT_GEMM_K) {
            const int64_t k = dt_min(x->k - p, DT_GEMM_K);
            const left a = take_a(packed, x, i, p, rows, k, blocks);
            for (int64_t j = 0; j < x->n; j += DT_TILE_COLS) {
                const dt_tile_target c = {.at = x->c + i * x->c_stride + j,
                                          .stride = x->c_stride,
                                          .cols = dt_min(x->n - j, DT_TILE_COLS),
                                          .sum = x->add || p > 0 ? DT_TILE_GO_ON : DT_TILE_WHOLE,
                                          .bias = x->bias && p + k == x->k ? x->bias + j : NULL};
                const source now = source_of(x, p, k, j), next = source_of(x, p, k, j + c.cols);
                const right b = take_b(panel, x, &now, k, c.cols);
                multiply_panel(x, c, rows, k, blocks, &a, &b, &next, j == 0);
            }
        }
    }
}

const struct dt_gemm DT_ISA_NAME(dt_gemm) = {multiply};
