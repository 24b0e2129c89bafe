/**
 * Philox4x32-10 (base/philox.h) of several counters side by side, for the kernels that need masks by the
 * million.
 *
 * A word stands in the lower half of 64 bits, whose upper half is never read: that is how vector units
 * multiply 32 by 32 bits, so that a round is multiplications, shifts and exclusive-ors and nothing else. Left
 * to itself a compiler moves words between 32 and 64 bits around every multiplication, or multiplies 64 by
 * 64, and takes about twice as long. The bits are dt_philox's.
 */
#ifndef DT_MATH_PHILOX_LANES_H
#define DT_MATH_PHILOX_LANES_H

#if defined __aarch64__
#include <arm_neon.h>
#else
#include <immintrin.h>
#endif
#include <stdint.h>

#include "base/philox.h"

#if defined __AVX512F__
#define DT_PHILOX_LANES 8
#elif defined __AVX2__
#define DT_PHILOX_LANES 4
#else
#define DT_PHILOX_LANES 2
#endif

/** The same word of every counter. */
typedef uint64_t dt_philox_wide __attribute__((vector_size(DT_PHILOX_LANES * sizeof(uint64_t))));

/** Vectors of counters that go through the rounds together: one alone waits for its multiplications. */
#define DT_PHILOX_WAYS 2

/** The same of all ways without the upper halves; may be stored anywhere that a float may be. */
typedef uint32_t dt_philox_narrow __attribute__((
    vector_size(DT_PHILOX_WAYS * DT_PHILOX_LANES * sizeof(uint32_t)), aligned(sizeof(uint32_t)), may_alias));

/** The 64-bit products of the lower halves of `a` and `b`. Local. */
static inline dt_philox_wide dt_philox_multiply(dt_philox_wide a, dt_philox_wide b) {
#if defined __AVX512F__
    return (dt_philox_wide)_mm512_mul_epu32((__m512i)a, (__m512i)b);
#elif defined __AVX2__
    return (dt_philox_wide)_mm256_mul_epu32((__m256i)a, (__m256i)b);
#elif defined __aarch64__
    return (dt_philox_wide)vmull_u32(vmovn_u64((uint64x2_t)a), vmovn_u64((uint64x2_t)b));
#else
    return (dt_philox_wide)_mm_mul_epu32((__m128i)a, (__m128i)b);
#endif
}

/** `value` in every lane. Local. */
static inline dt_philox_wide dt_philox_all(uint32_t value) {
    return (dt_philox_wide){0} + (uint64_t)value;
}

/** first, first + 1, .. in the lanes' lower halves. Local. */
static inline dt_philox_wide dt_philox_count(uint32_t first) {
#if DT_PHILOX_LANES == 8
    const dt_philox_wide lane = {0, 1, 2, 3, 4, 5, 6, 7};
#elif DT_PHILOX_LANES == 4
    const dt_philox_wide lane = {0, 1, 2, 3};
#else
    const dt_philox_wide lane = {0, 1};
#endif
    return lane + (uint64_t)first;
}

/** The lower halves of `a`, then those of `b`. Local. */
static inline dt_philox_narrow dt_philox_join(dt_philox_wide a, dt_philox_wide b) {
    const dt_philox_narrow low = (dt_philox_narrow)a, high = (dt_philox_narrow)b;
#if DT_PHILOX_LANES == 8
    return __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28, 30);
#elif DT_PHILOX_LANES == 4
    return __builtin_shufflevector(low, high, 0, 2, 4, 6, 8, 10, 12, 14);
#else
    return __builtin_shufflevector(low, high, 0, 2, 4, 6);
#endif
}

/** Replaces the counters (c[way][0], .., c[way][3]) by their four random words under `key`. Local. */
static inline void dt_philox_run(dt_philox_wide c[DT_PHILOX_WAYS][4], dt_philox_key key) {
    const dt_philox_wide m0 = dt_philox_all(DT_PHILOX_M0), m1 = dt_philox_all(DT_PHILOX_M1);
    uint32_t k0 = key.k0, k1 = key.k1;
#pragma GCC unroll 10
    for (int round = 0; round < 10; round++) {
        const dt_philox_wide all_k0 = dt_philox_all(k0), all_k1 = dt_philox_all(k1);
        for (int way = 0; way < DT_PHILOX_WAYS; way++) {
            dt_philox_wide *w = c[way];
            const dt_philox_wide p0 = dt_philox_multiply(m0, w[0]), p1 = dt_philox_multiply(m1, w[2]);
            w[0] = (p1 >> 32) ^ w[1] ^ all_k0;
            w[2] = (p0 >> 32) ^ w[3] ^ all_k1;
            w[1] = p1;
            w[3] = p0;
        }
        k0 += DT_PHILOX_W0;
        k1 += DT_PHILOX_W1;
    }
}

#endif
