/*
 * Goto's order of loops for vectors of 8 lanes or fewer, whose tiles read many bytes for what they compute: a
 * panel of B has to be in the first-level cache, and A to come as one stream that the processor fetches by
 * itself. So both are packed into the order in which tiles read them. What a tile costs beside its
 * multiply-adds shows here, where it has only 6 rows of 16 columns: lines of what comes next are asked for at
 * once, some fifteen a tile, instead of by a list.
 */
#include "math/gemm.h"

#include "base/minmax.h"
#include "math/product.h"
#include "math/unroll.h"

#if DT_FMA_LANES != 16

#define tile DT_ISA_NAME(dt_tile)

/*
 * Steps of k and rows of a block of A that are packed at a time, and columns of C that are worked off before
 * the next steps. A panel is 16 KB, half of a first-level cache of 32 KB: the other half is for a tile's rows
 * of A and for the next one's. A block of A is at most 383 KB of a second-level cache of 512 KB. So many
 * columns of C are still near when the next steps of k are added to them.
 */
#define STEPS 256
#define ROWS  360
#define COLS  1536

/* Rows of an A stored by columns that are asked for ahead of the one that is packed. */
#define STEPS_AHEAD 8

/* Vectors that hold a step of a tile's rows of A. */
#define VECTORS ((DT_TILE_ROWS + DT_FMA_LANES - 1) / DT_FMA_LANES)
#define WHOLE   (VECTORS * DT_FMA_LANES)

/* Floats between packed rows of A: a few more than there are, or the rows would share a cache set; and
 * between packed tiles' rows, which leaves room for what whole vectors write too far of an A stored by
 * columns. */
#define STRIDE (STEPS + 16)
#define APART  (DT_TILE_ROWS * STRIDE)

/* Floats of a packed block of A. */
#define BLOCK ((ROWS / DT_TILE_ROWS + 1) * APART)
_Static_assert(BLOCK + STEPS * DT_TILE_COLS <= DT_GEMM_WORKSPACE, "the workspace holds a block and a panel");

/* Rows [i, i + rows) and steps [p, p + k) of op(A). Its tiles have `each` rows, the first `longer` one more.
 */
typedef struct block {
    int64_t i, rows, tiles, each, longer, p, k;
} block;

/* The block that begins at row i and step p. Blocks are of one height, in whole tiles, but the last. */
static block block_of(const dt_product *x, int64_t i, int64_t p) {
    const int64_t count = (x->m + ROWS - 1) / ROWS, even = (x->m + count - 1) / count;
    const int64_t rows = dt_min((even + DT_TILE_ROWS - 1) / DT_TILE_ROWS * DT_TILE_ROWS, x->m - i);
    const int64_t tiles = (rows + DT_TILE_ROWS - 1) / DT_TILE_ROWS;
    return (block){i, rows, tiles, rows / tiles, rows % tiles, p, dt_min(x->k - p, STEPS)};
}

/* How many rows tile `index` of a block has. */
static int64_t height(const block *a, int64_t index) {
    return a->each + (index < a->longer);
}

/* A step of a tile's rows that follow each other in memory: as whole vectors, of which the next step
 * overwrites what is too much, where so many rows are left. */
static inline void copy_step(float *to, const float *from, int64_t rows, int64_t left) {
    if (left >= WHOLE)
        DT_UNROLL for (int64_t v = 0; v < WHOLE; v += DT_FMA_LANES) * (dt_fma_lanes *)(to + v) =
            *(const dt_fma_lanes *)(from + v);
    else
        for (int64_t i = 0; i < rows; i++)
            to[i] = from[i];
}

/* Of an A stored by columns: step by step, each through all tiles, as it stands in memory. */
static void pack_steps(float *packed, const dt_product *x, const block *a) {
    for (int64_t p = 0; p < a->k; p++) {
        const float *from = x->a + (a->p + p) * x->a_stride + a->i;
        const float *later = from + dt_min(STEPS_AHEAD, a->k - 1 - p) * x->a_stride;
        int64_t start = 0;
        for (int64_t index = 0; index < a->tiles; index++) {
            __builtin_prefetch(later + start, 0, 2);
            copy_step(packed + index * APART + p * DT_TILE_ROWS, from + start, height(a, index),
                      x->m - a->i - start);
            start += height(a, index);
        }
    }
}

/* A tile's rows of an A stored by rows, which stay rows. */
static void copy_rows(float *restrict to, const float *restrict from, int64_t stride, int64_t rows,
                      int64_t k) {
    for (int64_t i = 0; i < rows; i++) {
        int64_t p = 0;
        for (; p + 16 <= k; p += 16)
            DT_UNROLL for (int64_t v = 0; v < 16; v += DT_FMA_LANES) *
                (dt_fma_lanes *)(to + i * STRIDE + p + v) =
                *(const dt_fma_lanes *)(from + i * stride + p + v);
        for (; p < k; p++)
            to[i * STRIDE + p] = from[i * stride + p];
    }
}

/* Asks for both ends of the columns that C has in `count` rows. */
static void ask_for_sums(const dt_tile_target *c, const float *at, int64_t count) {
    for (int64_t i = 0; i < count; i++) {
        __builtin_prefetch(at + i * c->stride, 0, 2);
        __builtin_prefetch(at + i * c->stride + c->cols - 1, 0, 2);
    }
}

/* Asks for rows [from, end) of the panel after this one. */
static void ask_for_panel(const dt_product_panel *next, int64_t from, int64_t end) {
    for (int64_t r = from; r < end; r++)
        for (int64_t j = 0; j < next->floats; j += 16)
            __builtin_prefetch(next->at + r * next->stride + j, 0, 2);
}

/* Lists a tile's rows of A where they stand, which the tile before it is to ask for by and by: these are many
 * lines, more than a processor has under way at a time. */
static void list_rows(dt_tile_ahead *list, const dt_product *x, const block *a, int64_t row, int64_t count) {
    list->count = 0;
    for (int64_t i = row; i < row + count; i++)
        for (int64_t p = 0; p < a->k && list->count < DT_TILE_MAX_AHEAD; p += 16)
            list->lines[list->count++] = x->a + i * x->a_stride + a->p + p;
}

/* All tiles of a block in the columns of one panel. With the first panel, rows of A stored by rows are packed
 * when their tile is first multiplied. */
DT_UNROLL_INLINE void multiply_panel(const dt_product *x, dt_tile_target c, const block *a, float *packed,
                                     const float *panel, const dt_product_panel *next, const bool packs) {
    int64_t row = a->i, asked = 0;
    const int64_t slice = next->count / a->tiles, larger = next->count % a->tiles;
    dt_tile_ahead list;
    c.ahead = packs ? &list : NULL;
    for (int64_t index = 0; index < a->tiles; index++) {
        float *const rows = packed + index * APART;
        const int64_t count = height(a, index), following = index + 1 < a->tiles ? height(a, index + 1) : 0;
        if (packs) {
            copy_rows(rows, x->a + row * x->a_stride + a->p, x->a_stride, count, a->k);
            list_rows(&list, x, a, row + count, following);
            if (c.sum != DT_TILE_GO_ON)
                ask_for_sums(&c, c.at, count);
        }
        if (c.sum == DT_TILE_GO_ON)
            ask_for_sums(&c, c.at + count * c.stride, following);
        const int64_t end = asked + slice + (index < larger);
        ask_for_panel(next, asked, end);
        if (x->transpose_a)
            tile.multiply_transposed(&c, count, rows, DT_TILE_ROWS, panel, DT_TILE_COLS, a->k);
        else
            tile.multiply(&c, count, rows, STRIDE, panel, DT_TILE_COLS, a->k);
        row += count;
        c.at += count * c.stride;
        asked = end;
    }
}

static void pack_panel(float *panel, const dt_product *x, const dt_product_panel *from, int64_t k,
                       int64_t cols) {
    if (x->transpose_b)
        tile.pack_transposed(panel, from->at, from->stride, k, cols);
    else
        tile.pack(panel, from->at, from->stride, k, cols, 1.0f);
}

/* A block of A times columns [first, end) of B. */
static void multiply_block(const dt_product *x, const block *a, float *packed, float *panel, int64_t first,
                           int64_t end) {
    for (int64_t j = first; j < end; j += DT_TILE_COLS) {
        const dt_tile_target c = {.at = x->c + a->i * x->c_stride + j,
                                  .stride = x->c_stride,
                                  .cols = dt_min(x->n - j, DT_TILE_COLS),
                                  .sum = x->add || a->p > 0 ? DT_TILE_GO_ON : DT_TILE_WHOLE,
                                  .bias = x->bias && a->p + a->k == x->k ? x->bias + j : NULL};
        const dt_product_panel now = dt_product_panel_of(x, a->p, a->k, j),
                               next = dt_product_panel_of(x, a->p, a->k, j + c.cols);
        pack_panel(panel, x, &now, a->k, c.cols);
        if (!x->transpose_a && j == first)
            multiply_panel(x, c, a, packed, panel, &next, true);
        else
            multiply_panel(x, c, a, packed, panel, &next, false);
    }
}

static void multiply(const dt_product *x, float *workspace) {
    dt_product_assert_proper(x);
    float *packed = workspace, *panel = workspace + BLOCK;
    for (int64_t j = 0; j < x->n; j += COLS)
        for (int64_t p = 0; p < x->k; p += STEPS)
            for (int64_t i = 0; i < x->m;) {
                const block a = block_of(x, i, p);
                if (x->transpose_a)
                    pack_steps(packed, x, &a);
                multiply_block(x, &a, packed, panel, j, dt_min(j + COLS, x->n));
                i += a.rows;
            }
}

const struct dt_gemm DT_ISA_NAME(dt_gemm) = {multiply};
#endif
