/*
 * The tile twice: by the processor's own instruction, and by multiply-adds of floats that give its bits.
 * Packing is one text for both.
 */
#include "math/tile_bf16.h"

#include <string.h>

#if DT_TILE_BF16_NATIVE || defined __AVX2__
#include <immintrin.h>
#elif defined __aarch64__
#include <arm_neon.h>
#endif

#include "math/denormals.h"

#define ROWS  DT_TILE_BF16_ROWS
#define COLS  DT_TILE_BF16_COLS
#define LANES (COLS / 2)

/* The sums stay in registers only where every loop over rows is unrolled whole. */
#ifdef __clang__
#define UNROLL _Pragma("clang loop unroll(full)")
#else
#define UNROLL _Pragma("GCC unroll 16")
#endif

#define INLINE static inline __attribute__((always_inline))

#if DT_TILE_BF16_ROWS == 14
#define EACH_ROWS(CASE)                                                                                      \
    CASE(1)                                                                                                  \
    CASE(2)                                                                                                  \
    CASE(3) CASE(4) CASE(5) CASE(6) CASE(7) CASE(8) CASE(9) CASE(10) CASE(11) CASE(12) CASE(13) CASE(14)
#else
#define EACH_ROWS(CASE) CASE(1) CASE(2) CASE(3) CASE(4) CASE(5) CASE(6)
#endif

#if DT_TILE_BF16_NATIVE
/* The lanes that C has of the two vectors of a row. */
typedef struct width {
    __mmask16 low, high;
} width;

INLINE void store(const dt_tile_bf16_target *c, int64_t i, width w, __m512 low, __m512 high) {
    if (c->rounded) {
        uint16_t *to = (uint16_t *)c->at + i * c->stride;
        _mm256_mask_storeu_epi16(to, w.low, (__m256i)_mm512_cvtneps_pbh(low));
        _mm256_mask_storeu_epi16(to + LANES, w.high, (__m256i)_mm512_cvtneps_pbh(high));
        return;
    }
    float *to = (float *)c->at + i * c->stride;
    _mm512_mask_storeu_ps(to, w.low, low);
    _mm512_mask_storeu_ps(to + LANES, w.high, high);
}

/* A pair of row i at step p are the 32 bits at a + i * row_step + p * step. */
INLINE void sums(const int64_t rows, const bool add, const dt_tile_bf16_target *c, width w,
                 const uint16_t *restrict a, int64_t row_step, int64_t step, const uint16_t *restrict panel,
                 int64_t pairs) {
    __m512 sum[ROWS][2];
    UNROLL for (int64_t i = 0; i < rows; i++) {
        const float *from = (const float *)c->at + i * c->stride;
        if (add) {
            sum[i][0] = _mm512_maskz_loadu_ps(w.low, from);
            sum[i][1] = _mm512_maskz_loadu_ps(w.high, from + LANES);
        } else {
            sum[i][0] = sum[i][1] = _mm512_setzero_ps();
        }
    }
    for (int64_t p = 0; p < pairs; p++) {
        const __m512bh b0 = (__m512bh)_mm512_loadu_si512(panel + p * 2 * COLS),
                       b1 = (__m512bh)_mm512_loadu_si512(panel + p * 2 * COLS + COLS);
        UNROLL for (int64_t i = 0; i < rows; i++) {
            int32_t pair;
            memcpy(&pair, a + i * row_step + p * step, sizeof pair);
            const __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
            sum[i][0] = _mm512_dpbf16_ps(sum[i][0], x, b0);
            sum[i][1] = _mm512_dpbf16_ps(sum[i][1], x, b1);
        }
    }
    if (c->bias) {
        const __m512 low = _mm512_maskz_loadu_ps(w.low, c->bias),
                     high = _mm512_maskz_loadu_ps(w.high, c->bias + LANES);
        UNROLL for (int64_t i = 0; i < rows; i++) {
            sum[i][0] = _mm512_add_ps(sum[i][0], low);
            sum[i][1] = _mm512_add_ps(sum[i][1], high);
        }
    }
    UNROLL for (int64_t i = 0; i < rows; i++) store(c, i, w, sum[i][0], sum[i][1]);
}

INLINE void for_rows(const bool turned, const bool add, const dt_tile_bf16_target *c, int64_t rows,
                     const uint16_t *a, int64_t stride, const uint16_t *panel, int64_t pairs) {
    const uint32_t lanes = (uint32_t)(((uint64_t)1 << c->cols) - 1);
    const width w = {(__mmask16)lanes, (__mmask16)(lanes >> LANES)};
    switch (rows) {
#define CASE(n)                                                                                              \
    case n:                                                                                                  \
        sums(n, add, c, w, a, turned ? 2 : stride, turned ? stride : 2, panel, pairs);                       \
        break;
        EACH_ROWS(CASE)
#undef CASE
    }
}

INLINE void compute(const bool turned, const dt_tile_bf16_target *c, int64_t rows, const uint16_t *a,
                    int64_t stride, const uint16_t *panel, int64_t pairs) {
    if (c->add)
        for_rows(turned, true, c, rows, a, stride, panel, pairs);
    else
        for_rows(turned, false, c, rows, a, stride, panel, pairs);
}
#else
/* A vector that may be anywhere a float may be. */
typedef float lanes __attribute__((vector_size(LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

/*
 * A product of two bfloat16 is exact as a float where it is neither denormal nor infinite, so without the
 * instruction for both a multiplication and an addition will do; `compute` finds out where they did not.
 */
#if defined __AVX512F__
#define FUSED 1
INLINE lanes multiply_add(lanes a, lanes b, lanes sum) {
    return (lanes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)sum);
}
#elif defined __AVX2__
#define FUSED 1
INLINE lanes multiply_add(lanes a, lanes b, lanes sum) {
    return (lanes)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)sum);
}
#elif defined __aarch64__
#define FUSED 1
INLINE lanes multiply_add(lanes a, lanes b, lanes sum) {
    return (lanes)vfmaq_f32((float32x4_t)sum, (float32x4_t)a, (float32x4_t)b);
}
#else
#define FUSED 0
INLINE lanes multiply_add(lanes a, lanes b, lanes sum) {
    return a * b + sum;
}
#endif

/* Whether results out of the range of normal numbers may have other bits than the definition. */
#define INEXACT (!FUSED || !DT_DENORMALS_AFTER_ROUNDING)

/* Adds to tile[rows, COLS], in the mode in which denormals are zeros. */
INLINE void sums(const int64_t rows, float *restrict tile, const float *restrict a, int64_t row_step,
                 int64_t step, const float *restrict panel, int64_t pairs) {
    lanes sum[ROWS][2];
    UNROLL for (int64_t i = 0; i < rows; i++) {
        sum[i][0] = *(const lanes *)(tile + i * COLS);
        sum[i][1] = *(const lanes *)(tile + i * COLS + LANES);
    }
    for (int64_t p = 0; p < pairs; p++)
        for (int64_t half = 1; half >= 0; half--) {
            const float *row = panel + (2 * p + half) * COLS, *column = a + p * step + half;
            const lanes b0 = *(const lanes *)row, b1 = *(const lanes *)(row + LANES);
            UNROLL for (int64_t i = 0; i < rows; i++) {
                const lanes x = column[i * row_step] - (lanes){0}; /* less, since -0 + 0 would be 0 */
                sum[i][0] = multiply_add(x, b0, sum[i][0]);
                sum[i][1] = multiply_add(x, b1, sum[i][1]);
            }
        }
    UNROLL for (int64_t i = 0; i < rows; i++) {
        *(lanes *)(tile + i * COLS) = sum[i][0];
        *(lanes *)(tile + i * COLS + LANES) = sum[i][1];
    }
}

/* Not part of its caller, where arithmetic could move to the other side of the change of mode. */
static __attribute__((noinline)) void for_rows(bool turned, int64_t rows, float *tile, const float *a,
                                               int64_t stride, const float *panel, int64_t pairs) {
    switch (turned ? -rows : rows) {
#define CASE(n)                                                                                              \
    case n:                                                                                                  \
        sums(n, tile, a, stride, 2, panel, pairs);                                                           \
        break;                                                                                               \
    case -n:                                                                                                 \
        sums(n, tile, a, 2, stride, panel, pairs);                                                           \
        break;
        EACH_ROWS(CASE)
#undef CASE
    }
}

#if INEXACT
/* The definition, a step at a time. */
static void exactly(bool turned, int64_t rows, float *tile, const float *a, int64_t stride,
                    const float *panel, int64_t pairs) {
    const int64_t row_step = turned ? 2 : stride, step = turned ? stride : 2;
    for (int64_t p = 0; p < pairs; p++)
        for (int64_t half = 1; half >= 0; half--)
            for (int64_t i = 0; i < rows; i++)
                for (int64_t j = 0; j < COLS; j++)
                    tile[i * COLS + j] =
                        dt_tile_bf16_step(a[i * row_step + p * step + half], panel[(2 * p + half) * COLS + j],
                                          tile[i * COLS + j]);
}
#endif

/* What the sums start from, a whole tile of it. */
static void start(const dt_tile_bf16_target *c, int64_t rows, float *tile) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < COLS; j++)
            tile[i * COLS + j] = c->add && j < c->cols ? ((const float *)c->at)[i * c->stride + j] : 0.0f;
}

static void finish(const dt_tile_bf16_target *c, int64_t rows, float *restrict tile) {
    for (int64_t i = 0; i < rows; i++) {
        float *sum = tile + i * COLS;
        for (int64_t j = 0; c->bias && j < c->cols; j++)
            sum[j] += c->bias[j];
        if (!c->rounded) {
            memcpy((float *)c->at + i * c->stride, sum, (size_t)c->cols * sizeof *sum);
            continue;
        }
        uint16_t *to = (uint16_t *)c->at + i * c->stride;
        for (int64_t j = 0; j < c->cols; j++)
            to[j] = dt_bf16_round(sum[j]);
    }
}

INLINE void compute(bool turned, const dt_tile_bf16_target *c, int64_t rows, const float *a, int64_t stride,
                    const float *panel, int64_t pairs) {
    float tile[ROWS * COLS];
    start(c, rows, tile);
    const dt_denormals_mode mode = dt_denormals_flush();
    for_rows(turned, rows, tile, a, stride, panel, pairs);
    const bool out_of_range = dt_denormals_restore(mode);
#if INEXACT
    if (out_of_range) {
        start(c, rows, tile);
        exactly(turned, rows, tile, a, stride, panel, pairs);
    }
#else
    (void)out_of_range;
#endif
    finish(c, rows, tile);
}
#endif

static void multiply(const dt_tile_bf16_target *c, int64_t rows, const void *a, int64_t stride,
                     const void *panel, int64_t pairs) {
    compute(false, c, rows, a, stride, panel, pairs);
}

static void multiply_transposed(const dt_tile_bf16_target *c, int64_t rows, const void *a, int64_t stride,
                                const void *panel, int64_t pairs) {
    compute(true, c, rows, a, stride, panel, pairs);
}

static void pack_a(void *to_factors, int64_t to_stride, const uint16_t *restrict a, int64_t stride,
                   int64_t rows, int64_t k) {
    dt_factor *restrict to = to_factors;
    for (int64_t i = 0; i < rows; i++) {
        for (int64_t p = 0; p < k; p++)
            to[i * to_stride + p] = dt_factor_of(a[i * stride + p]);
        if (k % 2)
            to[i * to_stride + k] = 0;
    }
}

static void pack_a_transposed(void *to_factors, int64_t to_stride, const uint16_t *restrict a, int64_t stride,
                              int64_t rows, int64_t k) {
    dt_factor *restrict to = to_factors;
    for (int64_t p = 0; p + 1 < k; p += 2)
        for (int64_t i = 0; i < rows; i++) {
            to[p / 2 * to_stride + 2 * i] = dt_factor_of(a[p * stride + i]);
            to[p / 2 * to_stride + 2 * i + 1] = dt_factor_of(a[(p + 1) * stride + i]);
        }
    for (int64_t i = 0; k % 2 && i < rows; i++) {
        to[k / 2 * to_stride + 2 * i] = dt_factor_of(a[(k - 1) * stride + i]);
        to[k / 2 * to_stride + 2 * i + 1] = 0;
    }
}

/* Where a panel has element p of column j: pairs stand together for the instruction, rows for multiply-adds.
 */
INLINE int64_t place(int64_t p, int64_t j) {
    return DT_TILE_BF16_NATIVE ? p / 2 * 2 * COLS + 2 * j + p % 2 : p * COLS + j;
}

static void pack(void *panel_factors, const uint16_t *restrict b, int64_t stride, int64_t k, int64_t cols) {
    dt_factor *restrict panel = panel_factors;
    for (int64_t p = 0; p + 1 < k; p += 2)
        for (int64_t j = 0; j < COLS; j++) {
            panel[place(p, j)] = j < cols ? dt_factor_of(b[p * stride + j]) : 0;
            panel[place(p + 1, j)] = j < cols ? dt_factor_of(b[(p + 1) * stride + j]) : 0;
        }
    for (int64_t j = 0; k % 2 && j < COLS; j++) {
        panel[place(k - 1, j)] = j < cols ? dt_factor_of(b[(k - 1) * stride + j]) : 0;
        panel[place(k, j)] = 0;
    }
}

static void pack_transposed(void *panel_factors, const uint16_t *restrict b, int64_t stride, int64_t k,
                            int64_t cols) {
    dt_factor *restrict panel = panel_factors;
    for (int64_t j = 0; j < COLS; j++)
        for (int64_t p = 0; p < k + k % 2; p++)
            panel[place(p, j)] = j < cols && p < k ? dt_factor_of(b[j * stride + p]) : 0;
}

const struct dt_tile_bf16 DT_ISA_NAME(dt_tile_bf16) = {
    ROWS, COLS,           sizeof(dt_factor), multiply, multiply_transposed, pack_a, pack_a_transposed,
    pack, pack_transposed};
