/**
 * Rows of scores on their way through attention in bfloat16: scores become probabilities, and in the backward
 * pass also the gradient of the scores.
 *
 * What is computed is float; what goes into a product next is rounded once, as it is stored. Every loop is
 * over sixteen lanes or a multiple, which compilers turn into whole vectors of any width, so that the order
 * of sums is the same for every instruction set. All functions are local; they are compiled with
 * attention_bf16.c for one set.
 */
#ifndef DT_MATH_SOFTMAX_BF16_H
#define DT_MATH_SOFTMAX_BF16_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "math/fma.h"
#include "math/row.h"
#include "math/tile_bf16.h"

#if DT_TILE_BF16_NATIVE
#include <immintrin.h>
#endif

/** Scores that are taken at a time. Rows begin and end at multiples of it. */
#define DT_SOFTMAX_STEP 32

/** log2(e) and its inverse: exponentials are made as powers of two. */
#define DT_SOFTMAX_LOG2E 1.44269504f
#define DT_SOFTMAX_LN2   0.69314718f

/**
 * 2^x for x <= 0, to 2.7e-6 of it, which is 1/1400 of a unit of bfloat16; NaN of NaN. It is 0 below -92:
 * beside the largest of a row, which is 1 here, that is lost in any sum, and kept it would become denormals
 * in the products that follow. x = n + f with |f| <= 1/2, and 2^f is the polynomial of degree 4 with the
 * smallest relative error there (by Remez's algorithm).
 */
static inline float dt_softmax_exp2(float x) {
    /* 1.5 x 2^23: adding it rounds to an integer, which then stands in the low bits of the sum. */
    const float shift = 12582912.0f, shifted = x + shift, f = x - (shifted - shift);
    float p = 9.57010221e-3f;
    p = dt_fma(p, f, 5.59178591e-2f);
    p = dt_fma(p, f, 2.40247443e-1f);
    p = dt_fma(p, f, 6.93121791e-1f);
    p = dt_fma(p, f, 9.99999285e-1f);
    uint32_t bits, power;
    memcpy(&bits, &p, sizeof bits);
    memcpy(&power, &shifted, sizeof power);
    bits = x < -92.0f ? 0 : bits + (power << 23); /* the shift's own bits leave at the top */
    memcpy(&p, &bits, sizeof p);
    return p;
}

/**
 * log2(x) for normal x > 0, to 1e-7 and a rounding; NaN of NaN and of infinity. x = 2^n m with m in [2/3,
 * 4/3); log2(1 + f) is f times the polynomial of degree 7 with the smallest error there (by Remez's
 * algorithm). Unlike dt_elementary_log a loop over it is vector code: a logarithm a row was a tenth of the
 * forward pass.
 */
static inline float dt_softmax_log2(float x) {
    int32_t bits;
    memcpy(&bits, &x, sizeof bits);
    const int32_t n = (bits - 0x3f2aaaab) >> 23;
    bits -= n * (1 << 23);
    float f;
    memcpy(&f, &bits, sizeof f);
    f -= 1.0f;
    float p = -0.214317665f;
    p = dt_fma(p, f, 0.255276591f);
    p = dt_fma(p, f, -0.23820065f);
    p = dt_fma(p, f, 0.283988774f);
    p = dt_fma(p, f, -0.360719174f);
    p = dt_fma(p, f, 0.481051177f);
    p = dt_fma(p, f, -0.721347392f);
    p = dt_fma(p, f, 1.44269371f);
    return dt_fma(p, f, (float)n) + (x - x);
}

/** to[DT_SOFTMAX_STEP] = from, rounded. */
static inline void dt_softmax_round(dt_factor *to, const float *from) {
#if DT_TILE_BF16_NATIVE
    const __m512bh halves = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + 16), _mm512_loadu_ps(from));
    _mm512_storeu_si512(to, (__m512i)halves);
#else
#pragma omp simd
    for (int l = 0; l < DT_SOFTMAX_STEP; l++)
        to[l] = dt_factor_round(from[l]);
#endif
}

/**
 * Sixteen columns of two rows, rounded: side by side into pairs[16, 2], and each for itself into even[16] and
 * odd[16] where these are not NULL.
 */
static inline void dt_softmax_round_pairs(dt_factor *pairs, dt_factor *even, dt_factor *odd,
                                          const float *of_even, const float *of_odd) {
#if DT_TILE_BF16_NATIVE
    static const uint16_t turn[32] = {0, 16, 1, 17, 2,  18, 3,  19, 4,  20, 5,  21, 6,  22, 7,  23,
                                      8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, 29, 14, 30, 15, 31};
    const __m512i halves = (__m512i)_mm512_cvtne2ps_pbh(_mm512_loadu_ps(of_odd), _mm512_loadu_ps(of_even));
    _mm512_storeu_si512(pairs, _mm512_permutexvar_epi16(_mm512_loadu_si512(turn), halves));
    if (even) {
        _mm256_storeu_si256((void *)even, _mm512_castsi512_si256(halves));
        _mm256_storeu_si256((void *)odd, _mm512_extracti64x4_epi64(halves, 1));
    }
#else
    dt_factor e[16], o[16];
#pragma omp simd
    for (int l = 0; l < 16; l++) {
        e[l] = dt_factor_round(of_even[l]);
        o[l] = dt_factor_round(of_odd[l]);
    }
    for (int l = 0; l < 16; l++) {
        pairs[2 * l] = e[l];
        pairs[2 * l + 1] = o[l];
    }
    if (even) {
        memcpy(even, e, sizeof e);
        memcpy(odd, o, sizeof o);
    }
#endif
}

/** What dt_softmax_row finds besides: the row's largest exponent, and the sum of its powers. */
typedef struct dt_softmax_sum {
    float max, sum;
} dt_softmax_sum;

/* p = factor * 2^(scale s - max), rounded; returns the sum of the powers. */
static inline float dt_softmax_powers(dt_factor *restrict p, const float *restrict s, int64_t wide,
                                      float scale, float max, const float *restrict factor, bool dropping) {
    float lane[DT_ROW_LANES] = {0}, power[DT_SOFTMAX_STEP];
    for (int64_t j = 0; j < wide; j += DT_SOFTMAX_STEP) {
        for (int64_t half = 0; half < DT_SOFTMAX_STEP; half += DT_ROW_LANES)
#pragma omp simd
            for (int l = 0; l < DT_ROW_LANES; l++) {
                const float it = dt_softmax_exp2(dt_fma(s[j + half + l], scale, -max));
                lane[l] += it;
                power[half + l] = dropping ? factor[j + half + l] * it : it;
            }
        dt_softmax_round(p + j, power);
    }
    return dt_row_fold(lane);
}

/**
 * p[wide] = factor * 2^(scale s - max), rounded, for the first n of s[wide], 0 < n <= wide, and 0 further
 * on; `max` is the largest scale s, and the sum is of the powers before rounding and factors. `wide` is a
 * multiple of DT_SOFTMAX_STEP; a `factor` that is NULL is 1. s[n..wide) is lost.
 */
static inline dt_softmax_sum dt_softmax_row(dt_factor *restrict p, float *restrict s, int64_t n, int64_t wide,
                                            float scale, const float *restrict factor) {
    dt_row_fill(s, n, wide, -FLT_MAX); /* whose power is 0 */
    const float max = scale * dt_row_max_whole(s, wide);
    return (dt_softmax_sum){max, factor ? dt_softmax_powers(p, s, wide, scale, max, factor, true)
                                        : dt_softmax_powers(p, s, wide, scale, max, NULL, false)};
}

/** A row of the backward pass: scores s and gradients dz of the dropped probabilities, what P and dS are made
 * with, and how many keys it sees. */
typedef struct dt_softmax_query {
    const float *s, *dz, *factor;
    float lse, delta; /* lse in powers of two */
    int64_t n;
} dt_softmax_query;

/* z = factor P and ds = P (factor dz - delta) of columns j..j+16. */
static inline void dt_softmax_back(float *restrict z, float *restrict ds, const dt_softmax_query *q,
                                   int64_t j, float scale, bool masked, bool dropping) {
    const float *restrict s = q->s + j, *restrict dz = q->dz + j;
    const float *restrict factor = dropping ? q->factor + j : NULL;
    const float lse = q->lse, delta = q->delta;
    const int32_t n = (int32_t)(q->n - j);
#pragma omp simd
    for (int32_t l = 0; l < DT_ROW_LANES; l++) {
        const float p = dt_softmax_exp2(dt_fma(s[l], scale, -lse));
        const float g = p * (dropping ? dt_fma(factor[l], dz[l], -delta) : dz[l] - delta);
        const float w = dropping ? factor[l] * p : p;
        z[l] = masked && l >= n ? 0.0f : w;
        ds[l] = masked && l >= n ? 0.0f : g;
    }
}

/* dt_softmax_back_rows, for columns [from, to); `masked` where a row's n may end among them. */
static inline void dt_softmax_back_range(dt_factor *restrict z, dt_factor *restrict ds,
                                         dt_factor *restrict even, dt_factor *restrict odd,
                                         const dt_softmax_query q[2], int64_t from, int64_t to, float scale,
                                         bool masked, bool dropping) {
    for (int64_t j = from; j < to; j += DT_ROW_LANES) {
        float z_even[DT_ROW_LANES], z_odd[DT_ROW_LANES], ds_even[DT_ROW_LANES], ds_odd[DT_ROW_LANES];
        dt_softmax_back(z_even, ds_even, &q[0], j, scale, masked, dropping);
        dt_softmax_back(z_odd, ds_odd, &q[1], j, scale, masked, dropping);
        dt_softmax_round_pairs(z + 2 * j, NULL, NULL, z_even, z_odd);
        dt_softmax_round_pairs(ds + 2 * j, even + j, odd + j, ds_even, ds_odd);
    }
}

/**
 * Two rows at once: pairs z[wide, 2] and ds[wide, 2], and ds by rows, even[wide] and odd[wide]; 0 from the n
 * of a row on. `wide` is a multiple of DT_ROW_LANES.
 */
static inline void dt_softmax_back_rows(dt_factor *restrict z, dt_factor *restrict ds,
                                        dt_factor *restrict even, dt_factor *restrict odd,
                                        const dt_softmax_query q[2], int64_t wide, float scale) {
    const int64_t n = q[0].n < q[1].n ? q[0].n : q[1].n;
    const int64_t seen = n < 0 ? 0 : n < wide ? n / DT_ROW_LANES * DT_ROW_LANES : wide;
    if (q[0].factor) {
        dt_softmax_back_range(z, ds, even, odd, q, 0, seen, scale, false, true);
        dt_softmax_back_range(z, ds, even, odd, q, seen, wide, scale, true, true);
    } else {
        dt_softmax_back_range(z, ds, even, odd, q, 0, seen, scale, false, false);
        dt_softmax_back_range(z, ds, even, odd, q, seen, wide, scale, true, false);
    }
}

#endif
