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

#include "base/assert.h"
#include "math/denormals.h"
#include "math/panel_bf16.h"
#include "math/unroll.h"

#define ROWS  DT_TILE_BF16_ROWS
#define COLS  DT_TILE_BF16_COLS
#define LANES (COLS / 2)

#define INLINE DT_UNROLL_INLINE

#if DT_TILE_BF16_ROWS == 14
#define FOR_ROWS DT_UNROLL_14
#else
#define FOR_ROWS DT_UNROLL_6
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
    DT_UNROLL for (int64_t i = 0; i < rows; i++) {
        const float *from = (const float *)c->at + i * c->stride;
        if (add) {
            sum[i][0] = _mm512_maskz_loadu_ps(w.low, from);
            sum[i][1] = _mm512_maskz_loadu_ps(w.high, from + LANES);
        } else {
            /* A row of C is written when all pairs have been added: time to fetch it. */
            const char *row = (const char *)c->at + i * c->stride * (c->rounded ? 2 : 4);
            __builtin_prefetch(row, 1);
            __builtin_prefetch(row + (c->rounded ? 2 : 4) * (c->cols - 1), 1);
            sum[i][0] = sum[i][1] = _mm512_setzero_ps();
        }
    }
    for (int64_t p = 0; p < pairs; p++) {
        const __m512bh b0 = (__m512bh)_mm512_loadu_si512(panel + p * 2 * COLS),
                       b1 = (__m512bh)_mm512_loadu_si512(panel + p * 2 * COLS + COLS);
        DT_UNROLL for (int64_t i = 0; i < rows; i++) {
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
        DT_UNROLL for (int64_t i = 0; i < rows; i++) {
            sum[i][0] = _mm512_add_ps(sum[i][0], low);
            sum[i][1] = _mm512_add_ps(sum[i][1], high);
        }
    }
    DT_UNROLL for (int64_t i = 0; i < rows; i++) store(c, i, w, sum[i][0], sum[i][1]);
}

INLINE void for_rows(const bool turned, const bool add, const dt_tile_bf16_target *c, int64_t rows,
                     const uint16_t *a, int64_t stride, const uint16_t *panel, int64_t pairs) {
    const uint32_t lanes = (uint32_t)(((uint64_t)1 << c->cols) - 1);
    const width w = {(__mmask16)lanes, (__mmask16)(lanes >> LANES)};
#define CALL(n) sums(n, add, c, w, a, turned ? 2 : stride, turned ? stride : 2, panel, pairs)
    FOR_ROWS(rows, CALL);
#undef CALL
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
 * A product of two bfloat16 is exact as a float where it is neither denormal nor infinite, so without an
 * instruction for both a multiplication and an addition will do. INEXACT says that out of the range of normal
 * numbers the result may be another than the definition's: there, and on Arm, which judges what is tiny
 * before rounding.
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
#define INEXACT       (!FUSED || !DT_DENORMALS_AFTER_ROUNDING)

/* Adds to tile[rows, COLS], in the mode in which denormals are zeros. */
INLINE void sums(const int64_t rows, float *restrict tile, const float *restrict a, int64_t row_step,
                 int64_t step, const float *restrict panel, int64_t pairs) {
    lanes sum[ROWS][2];
    DT_UNROLL for (int64_t i = 0; i < rows; i++) {
        sum[i][0] = *(const lanes *)(tile + i * COLS);
        sum[i][1] = *(const lanes *)(tile + i * COLS + LANES);
    }
    /* One loop: of two steps in one, gcc keeps more in registers than AVX2 has. */
    for (int64_t q = 0; q < 2 * pairs; q++) {
        const int64_t p = q ^ 1; /* odd before even */
        const float *row = panel + p * COLS, *column = a + (p >> 1) * step + (p & 1);
        const lanes b0 = *(const lanes *)row, b1 = *(const lanes *)(row + LANES);
        DT_UNROLL for (int64_t i = 0; i < rows; i++) {
            const lanes x = column[i * row_step] - (lanes){0}; /* less, since -0 + 0 would be 0 */
            sum[i][0] = multiply_add(x, b0, sum[i][0]);
            sum[i][1] = multiply_add(x, b1, sum[i][1]);
        }
    }
    DT_UNROLL for (int64_t i = 0; i < rows; i++) {
        *(lanes *)(tile + i * COLS) = sum[i][0];
        *(lanes *)(tile + i * COLS + LANES) = sum[i][1];
    }
}

/* Not part of its caller, where arithmetic could move to the other side of the change of mode. */
static __attribute__((noinline)) void for_rows(bool turned, int64_t rows, float *tile, const float *a,
                                               int64_t stride, const float *panel, int64_t pairs) {
#define BY_ROWS(n)    sums(n, tile, a, stride, 2, panel, pairs)
#define BY_COLUMNS(n) sums(n, tile, a, 2, stride, panel, pairs)
    if (turned)
        FOR_ROWS(rows, BY_COLUMNS);
    else
        FOR_ROWS(rows, BY_ROWS);
#undef BY_ROWS
#undef BY_COLUMNS
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

/* What the sums start from, a whole tile of it; the rows of C, which are written when all pairs have been
 * added, are fetched. */
static void start(const dt_tile_bf16_target *c, int64_t rows, float *tile) {
    const int64_t bytes = c->rounded ? sizeof(uint16_t) : sizeof(float);
    for (int64_t i = 0; i < rows; i++) {
        const char *row = (const char *)c->at + i * c->stride * bytes;
        __builtin_prefetch(row, 1);
        __builtin_prefetch(row + (c->cols - 1) * bytes, 1);
        for (int64_t j = 0; j < COLS; j++)
            tile[i * COLS + j] = c->add && j < c->cols ? ((const float *)c->at)[i * c->stride + j] : 0.0f;
    }
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
    DT_ASSERT(rows >= 1 && rows <= ROWS && c->cols >= 1 && c->cols <= COLS && !(c->add && c->rounded));
    compute(false, c, rows, a, stride, panel, pairs);
}

static void multiply_transposed(const dt_tile_bf16_target *c, int64_t rows, const void *a, int64_t stride,
                                const void *panel, int64_t pairs) {
    DT_ASSERT(rows >= 1 && rows <= ROWS && c->cols >= 1 && c->cols <= COLS && !(c->add && c->rounded));
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

#if DT_TILE_BF16_NATIVE
/* Up to sixteen pairs, of the two rows or of one and zeros. */
INLINE __m512i pair_up(const uint16_t *even, const uint16_t *odd, __mmask16 which) {
    const __m512i low = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(which, even));
    if (odd == NULL)
        return low;
    const __m512i high = _mm512_cvtepu16_epi32(_mm256_maskz_loadu_epi16(which, odd));
    return _mm512_or_si512(low, _mm512_slli_epi32(high, 16));
}

static void pack_a_transposed(void *to_factors, int64_t to_stride, const uint16_t *restrict a, int64_t stride,
                              int64_t rows, int64_t k) {
    for (int64_t i = 0; i < rows; i += 16) {
        const __mmask16 which = (__mmask16)(rows - i < 16 ? (1u << (rows - i)) - 1 : 0xffffu);
        uint16_t *to = (uint16_t *)to_factors + 2 * i;
        for (int64_t p = 0; p < k; p += 2, to += to_stride) {
            const uint16_t *even = a + p * stride + i, *odd = p + 1 < k ? even + stride : NULL;
            _mm512_mask_storeu_epi32(to, which, pair_up(even, odd, which));
        }
    }
}

static void pack(void *panel, const uint16_t *b, int64_t stride, int64_t k, int64_t cols) {
    dt_panel_bf16_pack(panel, b, stride, k, cols);
}

/* Turns a matrix of 16 x 16 words around: rows of words, each in a register. */
INLINE void turn_words(__m512i row[16]) {
    __m512i half[16];
    DT_UNROLL for (int i = 0; i < 16; i += 2) {
        half[i] = _mm512_unpacklo_epi32(row[i], row[i + 1]);
        half[i + 1] = _mm512_unpackhi_epi32(row[i], row[i + 1]);
    }
    DT_UNROLL for (int i = 0; i < 16; i += 4) {
        row[i] = _mm512_unpacklo_epi64(half[i], half[i + 2]);
        row[i + 1] = _mm512_unpackhi_epi64(half[i], half[i + 2]);
        row[i + 2] = _mm512_unpacklo_epi64(half[i + 1], half[i + 3]);
        row[i + 3] = _mm512_unpackhi_epi64(half[i + 1], half[i + 3]);
    }
    /* Now row i has, in each quarter q, words 4 q + i % 4 of rows 4 (i / 4) and the three after it. */
    DT_UNROLL for (int i = 0; i < 4; i++) {
        half[i] = _mm512_shuffle_i32x4(row[i], row[i + 4], 0x88);
        half[i + 4] = _mm512_shuffle_i32x4(row[i], row[i + 4], 0xdd);
        half[i + 8] = _mm512_shuffle_i32x4(row[i + 8], row[i + 12], 0x88);
        half[i + 12] = _mm512_shuffle_i32x4(row[i + 8], row[i + 12], 0xdd);
    }
    DT_UNROLL for (int i = 0; i < 4; i++) {
        row[i] = _mm512_shuffle_i32x4(half[i], half[i + 8], 0x88);
        row[i + 4] = _mm512_shuffle_i32x4(half[i + 4], half[i + 12], 0x88);
        row[i + 8] = _mm512_shuffle_i32x4(half[i], half[i + 8], 0xdd);
        row[i + 12] = _mm512_shuffle_i32x4(half[i + 4], half[i + 12], 0xdd);
    }
}

/* Sixteen columns by sixteen pairs at a time. */
static void pack_transposed(void *panel, const uint16_t *restrict b, int64_t stride, int64_t k,
                            int64_t cols) {
    for (int64_t j = 0; j < COLS; j += 16)
        for (int64_t p = 0; p < k; p += 32) {
            const __mmask32 which = k - p < 32 ? (1u << (k - p)) - 1 : 0xffffffffu;
            const int64_t pairs = k - p < 32 ? (k - p + 1) / 2 : 16;
            __m512i row[16];
            DT_UNROLL for (int64_t i = 0; i < 16; i++) row[i] =
                j + i < cols ? _mm512_maskz_loadu_epi16(which, b + (j + i) * stride + p)
                             : _mm512_setzero_si512();
            turn_words(row);
            DT_UNROLL for (int64_t i = 0; i < 16; i++) if (i < pairs)
                _mm512_storeu_si512((uint16_t *)panel + (p + 2 * i) * COLS + 2 * j, row[i]);
        }
}
#else
static void pack_a_transposed(void *to_factors, int64_t to_stride, const uint16_t *restrict a, int64_t stride,
                              int64_t rows, int64_t k) {
    for (int64_t p = 0; p < k; p += 2) {
        dt_factor *restrict to = (dt_factor *)to_factors + p / 2 * to_stride;
        for (int64_t i = 0; i < rows; i++) {
            to[2 * i] = dt_factor_of(a[p * stride + i]);
            to[2 * i + 1] = p + 1 < k ? dt_factor_of(a[(p + 1) * stride + i]) : 0;
        }
    }
}

/* A row of zeros after an odd k. */
static void fill_up(float *panel, int64_t k) {
    for (int64_t j = 0; k % 2 && j < COLS; j++)
        panel[k * COLS + j] = 0.0f;
}

static void pack(void *factors, const uint16_t *restrict b, int64_t stride, int64_t k, int64_t cols) {
    float *restrict panel = factors;
    for (int64_t p = 0; p < k; p++)
        for (int64_t j = 0; j < COLS; j++)
            panel[p * COLS + j] = j < cols ? dt_bf16_widen(b[p * stride + j]) : 0.0f;
    fill_up(panel, k);
}

static void pack_transposed(void *factors, const uint16_t *restrict b, int64_t stride, int64_t k,
                            int64_t cols) {
    float *restrict panel = factors;
    for (int64_t j = 0; j < COLS; j++)
        for (int64_t p = 0; p < k; p++)
            panel[p * COLS + j] = j < cols ? dt_bf16_widen(b[j * stride + p]) : 0.0f;
    fill_up(panel, k);
}
#endif

const struct dt_tile_bf16 DT_ISA_NAME(dt_tile_bf16) = {
    ROWS, COLS,           sizeof(dt_factor), multiply, multiply_transposed, pack_a, pack_a_transposed,
    pack, pack_transposed};
