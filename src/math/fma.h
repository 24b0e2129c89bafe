/**
 * The fused multiply-add, a b + c in one rounding, wherever a kernel has one.
 *
 * No file of math/ is contracted by the compiler (-ffp-contract=off), so a multiplication and an addition
 * that are written as such are rounded twice, and where one rounding is meant it is written as dt_fma. Both
 * mean the same in every set of kernels: processors without the instruction get its bits from arithmetic in
 * double.
 *
 * That emulation is after Boldo, Melquiond, "Emulation of FMA and correctly rounded sums: proved algorithms
 * using rounding to odd" (2008). The product of two floats is exact in double. Their sum with c is rounded to
 * odd: cut off towards zero, and the last bit set where anything was cut off. What is rounded so to 53 bits
 * can be rounded once more, to the 24 of a float or the fewer of a denormal one, as if it had been exact.
 * Vectors round twice where that is seen to make no difference, and to odd only where it might.
 * Infinities and denormals come out as the instruction's; a NaN comes out as a NaN whose sign and payload are
 * not defined, as operands of the instruction itself may change places.
 */
#ifndef DT_MATH_FMA_H
#define DT_MATH_FMA_H

#include <math.h>
#include <stdint.h>
#include <string.h>

#if defined __aarch64__
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif

#if defined __AVX512F__
#define DT_FMA_LANES 16
#elif defined __AVX2__
#define DT_FMA_LANES 8
#else
#define DT_FMA_LANES 4
#endif

/** For what a loop must not call, or it would not become vector code: emulated, a formula is long. */
#define DT_FMA_INLINE static inline __attribute__((always_inline))

/** A vector register of floats, which may be anywhere in memory that a float may be. */
typedef float dt_fma_lanes
    __attribute__((vector_size(DT_FMA_LANES * sizeof(float)), aligned(sizeof(float)), may_alias));

/** The bits of the sum of two doubles rounded to odd: it is finite, or infinite or a NaN as IEEE has it.
 * Local. */
DT_FMA_INLINE double dt_fma_add_to_odd(double a, double b) {
    const double sum = a + b, of_b = sum - a;
    const double rest = (a - (sum - of_b)) + (b - of_b); /* sum + rest is a + b (Knuth's two-sum) */
    uint64_t bits, rest_bits;
    memcpy(&bits, &sum, sizeof bits);
    memcpy(&rest_bits, &rest, sizeof rest_bits);
    /* Not so where the sum is infinite or a NaN: the rest is a NaN then. */
    const uint64_t inexact = fabs(rest) > 0.0;
    bits = (bits - (inexact & (bits ^ rest_bits) >> 63)) | inexact;
    double odd;
    memcpy(&odd, &bits, sizeof odd);
    return odd;
}

/** a b + c in one rounding; a loop over it becomes vector code. Local. */
DT_FMA_INLINE float dt_fma(float a, float b, float c) {
#if defined __FMA__ || defined __aarch64__
    return __builtin_fmaf(a, b, c);
#else
    return (float)dt_fma_add_to_odd((double)a * (double)b, (double)c);
#endif
}

#if !defined __AVX2__ && !defined __aarch64__
/* Of two lanes in double: a b + c, which is exact in the product, rounded to odd. Local. */
DT_FMA_INLINE __m128d dt_fma_pair(__m128d a, __m128d b, __m128d c) {
    const __m128d product = _mm_mul_pd(a, b), sum = _mm_add_pd(product, c), of_c = _mm_sub_pd(sum, product);
    const __m128d rest = _mm_add_pd(_mm_sub_pd(product, _mm_sub_pd(sum, of_c)), _mm_sub_pd(c, of_c));
    const __m128d sign = _mm_set1_pd(-0.0);
    /* The last bit of each sum that is inexact. */
    const __m128i inexact =
        _mm_srli_epi64(_mm_castpd_si128(_mm_cmpgt_pd(_mm_andnot_pd(sign, rest), _mm_setzero_pd())), 63);
    const __m128i beyond =
        _mm_and_si128(_mm_srli_epi64(_mm_castpd_si128(_mm_xor_pd(sum, rest)), 63), inexact);
    return _mm_castsi128_pd(_mm_or_si128(_mm_sub_epi64(_mm_castpd_si128(sum), beyond), inexact));
}

/* The upper two of four floats, as doubles. Local. */
DT_FMA_INLINE __m128d dt_fma_upper(__m128 x) {
    return _mm_cvtps_pd(_mm_movehl_ps(x, x));
}

/* Four multiply-adds by rounding to odd; apart from where it is called, as it is seldom needed. Local. */
__attribute__((noinline, unused)) static __m128 dt_fma_exact(__m128 a, __m128 b, __m128 c) {
    const __m128d low = dt_fma_pair(_mm_cvtps_pd(a), _mm_cvtps_pd(b), _mm_cvtps_pd(c));
    const __m128d high = dt_fma_pair(dt_fma_upper(a), dt_fma_upper(b), dt_fma_upper(c));
    return _mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
}

/*
 * Whether rounding one of four rounded sums once more may differ from rounding the exact sum. The first
 * rounding moves no sum across a double, so it may where it ended on a tie between two floats, whose lower 29
 * bits are a one and zeros, or below the smallest normal float, where ties are elsewhere. Local.
 */
DT_FMA_INLINE int dt_fma_is_near_tie(__m128d low, __m128d high) {
    const __m128 first = _mm_castpd_ps(low), second = _mm_castpd_ps(high);
    const __m128i lower = _mm_castps_si128(_mm_shuffle_ps(first, second, _MM_SHUFFLE(2, 0, 2, 0)));
    const __m128i upper = _mm_castps_si128(_mm_shuffle_ps(first, second, _MM_SHUFFLE(3, 1, 3, 1)));
    const __m128i tie =
        _mm_cmpeq_epi32(_mm_and_si128(lower, _mm_set1_epi32(0x1fffffff)), _mm_set1_epi32(0x10000000));
    const __m128i small =
        _mm_cmplt_epi32(_mm_and_si128(upper, _mm_set1_epi32(0x7fffffff)), _mm_set1_epi32(0x38100000));
    return _mm_movemask_epi8(_mm_or_si128(tie, small));
}
#endif

/** `value` in every lane; 0 is added nowhere, which would lose the sign of -0. Local. */
DT_FMA_INLINE dt_fma_lanes dt_fma_all(float value) {
    return value - (dt_fma_lanes){0};
}

/** a b + c in one rounding, lane by lane. Local. */
DT_FMA_INLINE dt_fma_lanes dt_fma_vector(dt_fma_lanes a, dt_fma_lanes b, dt_fma_lanes c) {
#if defined __AVX512F__
    return (dt_fma_lanes)_mm512_fmadd_ps((__m512)a, (__m512)b, (__m512)c);
#elif defined __AVX2__
    return (dt_fma_lanes)_mm256_fmadd_ps((__m256)a, (__m256)b, (__m256)c);
#elif defined __aarch64__
    return (dt_fma_lanes)vfmaq_f32((float32x4_t)c, (float32x4_t)a, (float32x4_t)b);
#else
    const __m128 x = (__m128)a, y = (__m128)b, z = (__m128)c;
    const __m128d low = _mm_add_pd(_mm_mul_pd(_mm_cvtps_pd(x), _mm_cvtps_pd(y)), _mm_cvtps_pd(z));
    const __m128d high = _mm_add_pd(_mm_mul_pd(dt_fma_upper(x), dt_fma_upper(y)), dt_fma_upper(z));
    return dt_fma_is_near_tie(low, high) ? (dt_fma_lanes)dt_fma_exact(x, y, z)
                                         : (dt_fma_lanes)_mm_movelh_ps(_mm_cvtpd_ps(low), _mm_cvtpd_ps(high));
#endif
}

#endif
