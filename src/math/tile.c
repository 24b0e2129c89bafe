/* Written with the compilers' vector types, which one source turns into each instruction set's registers. */
#include "math/tile.h"

#include <string.h>

#define ROWS  DT_TILE_ROWS
#define LANES DT_TILE_LANES
#define COLS  DT_TILE_COLS

/* A vector that may be anywhere a float may be. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef float four __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float)), may_alias));

/* The sums stay in registers only where every loop over rows is unrolled whole. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

/* Row i of A at step p is a[i * row_step + p * step]; `rows` and one of the steps are constants of the
 * caller. */
static inline __attribute__((always_inline)) void sums(const int64_t rows, float *restrict c,
                                                       int64_t c_stride, bool add, const float *bias,
                                                       const float *restrict a, int64_t row_step,
                                                       int64_t step, const float *restrict panel, int64_t k) {
    lanes sum[ROWS][2];
    UNROLL for (int64_t i = 0; i < rows; i++) {
        __builtin_prefetch(c + i * c_stride, 1);
        __builtin_prefetch(c + i * c_stride + COLS - 1, 1);
        sum[i][0] = sum[i][1] = (lanes){0};
    }
    for (int64_t p = 0; p < k; p++) {
        const lanes b0 = *(const lanes *)(panel + p * COLS), b1 = *(const lanes *)(panel + p * COLS + LANES);
        UNROLL for (int64_t i = 0; i < rows; i++) {
            const float x = a[i * row_step + p * step];
            sum[i][0] += x * b0;
            sum[i][1] += x * b1;
        }
    }
    UNROLL for (int64_t i = 0; i < rows; i++) {
        lanes *out = (lanes *)(c + i * c_stride), *next = (lanes *)(c + i * c_stride + LANES);
        if (add) {
            sum[i][0] += *out;
            sum[i][1] += *next;
        } else if (bias) {
            sum[i][0] += *(const lanes *)bias;
            sum[i][1] += *(const lanes *)(bias + LANES);
        }
        *out = sum[i][0];
        *next = sum[i][1];
    }
}

#if DT_TILE_ROWS == 14
#define EACH_ROWS(CASE)                                                                                      \
    CASE(1)                                                                                                  \
    CASE(2)                                                                                                  \
    CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#else
#define EACH_ROWS(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#endif

static void whole(const dt_tile_target *c, int64_t rows, const float *a, int64_t stride, const float *panel,
                  int64_t k) {
    switch (rows) {
#define CASE(n)                                                                                              \
    case n:                                                                                                  \
        sums(n, c->at, c->stride, c->add, c->bias, a, stride, 1, panel, k);                                  \
        break;
        EACH_ROWS(CASE)
#undef CASE
    }
}

static void whole_transposed(const dt_tile_target *c, int64_t rows, const float *a, int64_t stride,
                             const float *panel, int64_t k) {
    switch (rows) {
#define CASE(n)                                                                                              \
    case n:                                                                                                  \
        sums(n, c->at, c->stride, c->add, c->bias, a, 1, stride, panel, k);                                  \
        break;
        EACH_ROWS(CASE)
#undef CASE
    }
}

/*
 * A narrow tile is computed whole beside C, and the columns that C has are taken from there. All its rows
 * were written, since their number is one of EACH_ROWS; the static checker takes another for possible.
 * NOLINTBEGIN(clang-analyzer-core.*)
 */
static void take(const dt_tile_target *c, int64_t rows, float *tile) {
    for (int64_t i = 0; i < rows; i++) {
        float *from = tile + i * COLS, *to = c->at + i * c->stride;
        const float *more = c->add ? to : c->bias;
        for (int64_t j = 0; more && j < c->cols; j++)
            from[j] += more[j];
        for (int64_t j = 0; j < c->cols; j++)
            to[j] = from[j];
    }
}

/* NOLINTEND(clang-analyzer-core.*) */

static void multiply(const dt_tile_target *c, int64_t rows, const float *a, int64_t stride,
                     const float *panel, int64_t k) {
    float tile[ROWS * COLS];
    if (c->cols == COLS) {
        whole(c, rows, a, stride, panel, k);
        return;
    }
    whole(&(dt_tile_target){.at = tile, .stride = COLS}, rows, a, stride, panel, k);
    take(c, rows, tile);
}

static void multiply_transposed(const dt_tile_target *c, int64_t rows, const float *a, int64_t stride,
                                const float *panel, int64_t k) {
    float tile[ROWS * COLS];
    if (c->cols == COLS) {
        whole_transposed(c, rows, a, stride, panel, k);
        return;
    }
    whole_transposed(&(dt_tile_target){.at = tile, .stride = COLS}, rows, a, stride, panel, k);
    take(c, rows, tile);
}

static void pack(float *restrict panel, const float *restrict b, int64_t stride, int64_t k, int64_t cols,
                 float scale) {
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

/* Four rows of four columns at a time: two rounds of shuffles turn them around. */
static void turn_four(float *restrict panel, const float *restrict b, int64_t stride) {
    const four r0 = *(const four *)b, r1 = *(const four *)(b + stride), r2 = *(const four *)(b + 2 * stride),
               r3 = *(const four *)(b + 3 * stride);
    const four low01 = __builtin_shufflevector(r0, r1, 0, 4, 1, 5),
               low23 = __builtin_shufflevector(r2, r3, 0, 4, 1, 5),
               high01 = __builtin_shufflevector(r0, r1, 2, 6, 3, 7),
               high23 = __builtin_shufflevector(r2, r3, 2, 6, 3, 7);
    *(four *)panel = __builtin_shufflevector(low01, low23, 0, 1, 4, 5);
    *(four *)(panel + COLS) = __builtin_shufflevector(low01, low23, 2, 3, 6, 7);
    *(four *)(panel + 2 * COLS) = __builtin_shufflevector(high01, high23, 0, 1, 4, 5);
    *(four *)(panel + 3 * COLS) = __builtin_shufflevector(high01, high23, 2, 3, 6, 7);
}

static void pack_transposed(float *restrict panel, const float *restrict b, int64_t stride, int64_t k,
                            int64_t cols) {
    for (int64_t j = 0; j < COLS; j += 4)
        for (int64_t p = 0; p < k; p += 4) {
            if (j + 4 <= cols && p + 4 <= k) {
                turn_four(panel + p * COLS + j, b + j * stride + p, stride);
                continue;
            }
            for (int64_t q = p; q < p + 4 && q < k; q++)
                for (int64_t i = j; i < j + 4; i++)
                    panel[q * COLS + i] = i < cols ? b[i * stride + q] : 0.0f;
        }
}

const struct dt_tile DT_ISA_NAME(dt_tile) = {multiply, multiply_transposed, pack, pack_transposed};
