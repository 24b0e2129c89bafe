/* Written with the compilers' vector types, which one source turns into each instruction set's registers. */
#include "math/tile.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/minmax.h"
#include "math/turn.h"
#include "math/unroll.h"

#define ROWS  DT_TILE_ROWS
#define LANES DT_TILE_LANES
#define COLS  DT_TILE_COLS

typedef dt_fma_lanes lanes;

#define INLINE DT_UNROLL_INLINE

/* One step of k: `row` of B, `vectors` long, times number i of A, i rows apart by `step`, for rows [from, to)
 * of `rows`. */
INLINE void add_products(lanes sum[ROWS][2], const int64_t rows, const int64_t vectors, int64_t from,
                         int64_t to, const float *a, int64_t step, const float *row) {
    const lanes b0 = *(const lanes *)row, b1 = vectors == 2 ? *(const lanes *)(row + LANES) : b0;
    DT_UNROLL for (int64_t i = 0; i < rows; i++) {
        if (i < from || i >= to)
            continue;
        const lanes x = dt_fma_all(a[i * step]);
        sum[i][0] = dt_fma_vector(x, b0, sum[i][0]);
        if (vectors == 2)
            sum[i][1] = dt_fma_vector(x, b1, sum[i][1]);
    }
}

/*
 * Steps that a tile of 8 lanes takes at a time. Its 6 rows make a step short, and what a loop adds to it
 * shows; panels, packed there, have a distance between rows that is a constant, so that no step needs a
 * pointer of its own.
 */
#define UNROLLED (LANES == 8 ? 8 : 1)

/* All rows of steps [p, end), and what to ask for in each where `lines` is not NULL. */
INLINE void add_steps(lanes sum[ROWS][2], const int64_t rows, const int64_t vectors, int64_t p, int64_t end,
                      const float *a, int64_t row_step, int64_t step, const float *b, int64_t b_stride,
                      const float *const *lines) {
    if (UNROLLED > 1 && !lines)
        for (; p + UNROLLED <= end; p += UNROLLED)
            DT_UNROLL for (int64_t q = p; q < p + UNROLLED; q++)
                add_products(sum, rows, vectors, 0, rows, a + q * step, row_step, b + q * COLS);
    for (; p < end; p++) {
        if (lines)
            __builtin_prefetch(lines[p], 0, 2);
        add_products(sum, rows, vectors, 0, rows, a + p * step, row_step, b + p * b_stride);
    }
}

/*
 * A tile whose numbers of rows and of vectors in a row and whose kind are constants, so that its loop has no
 * branch. A is stored by columns where it is `turned`: row i of step p is a[p * stride + i], else a[i *
 * stride
 * + p].
 */
INLINE void sums(const int64_t rows, const int64_t vectors, const dt_tile_sum kind, const bool turned,
                 const dt_tile_target *c, const float *restrict a, int64_t stride, const float *restrict b,
                 int64_t b_stride, int64_t k) {
    const int64_t row_step = turned ? 1 : stride, step = turned ? stride : 1;
    float *restrict const at = c->at;
    lanes sum[ROWS][2];
    DT_UNROLL for (int64_t i = 0; i < rows; i++) {
        float *from = at + i * c->stride;
        if (kind == DT_TILE_GO_ON) {
            DT_UNROLL for (int64_t v = 0; v < vectors; v++) sum[i][v] = *(const lanes *)(from + v * LANES);
        } else {
            if (!c->ahead) {
                __builtin_prefetch(from, 1);
                __builtin_prefetch(from + vectors * LANES - 1, 1);
            }
            sum[i][0] = sum[i][1] = (lanes){0};
        }
    }
    const int64_t lacking = kind == DT_TILE_TRIANGLE ? rows : 0; /* steps that lack rows */
    int64_t p = 0;
    if (turned)
        DT_UNROLL for (; p < lacking; p++)
            add_products(sum, rows, vectors, 0, p + 1, a + p * step, row_step, b + p * b_stride);
    if (kind != DT_TILE_TRIANGLE && c->ahead) {
        p = dt_min(c->ahead->count, k);
        for (int64_t i = p; i < c->ahead->count; i++)
            __builtin_prefetch(c->ahead->lines[i], 0, 2);
        add_steps(sum, rows, vectors, 0, p, a, row_step, step, b, b_stride, c->ahead->lines);
    }
    const int64_t whole_end = turned ? k : k - lacking;
    add_steps(sum, rows, vectors, p, whole_end, a, row_step, step, b, b_stride, NULL);
    if (!turned)
        DT_UNROLL for (int64_t q = 0; q < lacking; q++)
            add_products(sum, rows, vectors, q, rows, a + (whole_end + q) * step, row_step,
                         b + (whole_end + q) * b_stride);
    DT_UNROLL for (int64_t i = 0; i < rows; i++) DT_UNROLL for (int64_t v = 0; v < vectors; v++) {
        if (c->bias)
            sum[i][v] += *(const lanes *)(c->bias + v * LANES);
        *(lanes *)(at + i * c->stride + v * LANES) = sum[i][v];
    }
}

#if DT_TILE_ROWS == 14
#define FOR_ROWS DT_UNROLL_14
#else
#define FOR_ROWS DT_UNROLL_6
#endif

INLINE void for_rows(const int64_t vectors, const dt_tile_sum kind, const bool turned,
                     const dt_tile_target *c, int64_t rows, const float *a, int64_t stride, const float *b,
                     int64_t b_stride, int64_t k) {
#define CALL(n) sums(n, vectors, kind, turned, c, a, stride, b, b_stride, k)
    FOR_ROWS(rows, CALL);
#undef CALL
}

INLINE void for_kind(const bool turned, const dt_tile_target *c, int64_t rows, const float *a, int64_t stride,
                     const float *b, int64_t b_stride, int64_t k) {
    DT_ASSERT(LANES != 8 || b_stride == COLS);
    DT_ASSERT(rows >= 1 && rows <= ROWS && c->cols >= 1 && c->cols <= COLS &&
              (c->sum != DT_TILE_TRIANGLE || k >= rows));
    if (c->sum == DT_TILE_WHOLE)
        for_rows(2, DT_TILE_WHOLE, turned, c, rows, a, stride, b, b_stride, k);
    else if (c->sum == DT_TILE_GO_ON)
        for_rows(2, DT_TILE_GO_ON, turned, c, rows, a, stride, b, b_stride, k);
    else
        for_rows(2, DT_TILE_TRIANGLE, turned, c, rows, a, stride, b, b_stride, k);
}

static void whole(const dt_tile_target *c, int64_t rows, const float *a, int64_t stride, const float *b,
                  int64_t b_stride, int64_t k) {
    for_kind(false, c, rows, a, stride, b, b_stride, k);
}

static void whole_transposed(const dt_tile_target *c, int64_t rows, const float *a, int64_t stride,
                             const float *b, int64_t b_stride, int64_t k) {
    for_kind(true, c, rows, a, stride, b, b_stride, k);
}

/* The first vector of each row alone, of sums over all k. */
static void half(const dt_tile_target *c, int64_t rows, const float *a, int64_t stride, const float *b,
                 int64_t b_stride, int64_t k) {
    for_rows(1, DT_TILE_WHOLE, false, c, rows, a, stride, b, b_stride, k);
}

/* Copies the columns that C has of each row. */
static void copy(float *restrict to, int64_t to_stride, const float *restrict from, int64_t from_stride,
                 int64_t rows, int64_t cols) {
    for (int64_t i = 0; i < rows; i++)
        memcpy(to + i * to_stride, from + i * from_stride, (size_t)cols * sizeof *to);
}

/* Whether one vector of each row is enough, where there is such a tile. */
static bool is_half(bool turned, const dt_tile_target *c) {
    return !turned && c->sum == DT_TILE_WHOLE && c->cols <= LANES;
}

/*
 * A narrow tile is computed whole beside C; the columns that C has are taken from there, and go there before
 * where the sums start from them.
 */
static void narrow(bool turned, const dt_tile_target *c, int64_t rows, const float *a, int64_t stride,
                   const float *b, int64_t b_stride, int64_t k) {
    float beside[ROWS * COLS] = {0}, bias[COLS] = {0};
    const dt_tile_target whole_target = {beside, COLS, COLS, c->sum, c->bias ? bias : NULL, c->ahead};
    if (c->bias)
        memcpy(bias, c->bias, (size_t)c->cols * sizeof *bias);
    if (c->sum == DT_TILE_GO_ON)
        copy(beside, COLS, c->at, c->stride, rows, c->cols);
    if (is_half(turned, c))
        half(&whole_target, rows, a, stride, b, b_stride, k);
    else
        (turned ? whole_transposed : whole)(&whole_target, rows, a, stride, b, b_stride, k);
    copy(c->at, c->stride, beside, COLS, rows, c->cols);
}

static void multiply(const dt_tile_target *c, int64_t rows, const float *a, int64_t stride, const float *b,
                     int64_t b_stride, int64_t k) {
    if (c->cols == COLS)
        whole(c, rows, a, stride, b, b_stride, k);
    else if (c->cols == LANES && is_half(false, c))
        half(c, rows, a, stride, b, b_stride, k);
    else
        narrow(false, c, rows, a, stride, b, b_stride, k);
}

static void multiply_transposed(const dt_tile_target *c, int64_t rows, const float *a, int64_t stride,
                                const float *b, int64_t b_stride, int64_t k) {
    if (c->cols == COLS)
        whole_transposed(c, rows, a, stride, b, b_stride, k);
    else
        narrow(true, c, rows, a, stride, b, b_stride, k);
}

static void pack(float *restrict panel, const float *restrict b, int64_t stride, int64_t k, int64_t cols,
                 float scale) {
    DT_ASSERT(cols >= 1 && cols <= COLS);
    if (cols == COLS) {
        for (int64_t p = 0; p < k; p++)
            for (int64_t j = 0; j < COLS; j++)
                panel[p * COLS + j] = scale * b[p * stride + j];
        return;
    }
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < COLS; j++)
            panel[p * COLS + j] = j < cols ? scale * b[p * stride + j] : 0.0f;
}

static void pack_transposed(float *restrict panel, const float *restrict b, int64_t stride, int64_t k,
                            int64_t cols) {
    DT_ASSERT(cols >= 1 && cols <= COLS);
    for (int64_t j = 0; j < COLS; j += LANES) {
        int64_t p = 0;
        for (; j + LANES <= cols && p + 4 <= k; p += 4)
            dt_turn(panel + p * COLS + j, COLS, b + j * stride + p, stride);
        for (; p < k; p++)
            for (int64_t i = j; i < j + LANES; i++)
                panel[p * COLS + i] = i < cols ? b[i * stride + p] : 0.0f;
    }
}

const struct dt_tile DT_ISA_NAME(dt_tile) = {multiply, multiply_transposed, pack, pack_transposed};
