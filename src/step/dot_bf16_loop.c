/*
 * As in fma_loop.c: twelve accumulators, more than are in flight, of which each starts from a value of its
 * own and passes through an empty asm in every round. Their sums stop growing where a float is too coarse for
 * more.
 */
#include "step/dot_bf16_loop.h"

#include <stddef.h>

#if defined __AVX512BF16__
#include <immintrin.h>

#define LANES        16
#define ACCUMULATORS 12

/* X(accumulator, what it starts from) for each, by name: those of an array do not all stay in registers. */
#define EACH(X)                                                                                              \
    X(a, 1.0f)                                                                                               \
    X(b, 1.1f)                                                                                               \
    X(c, 1.2f)                                                                                               \
    X(d, 1.3f) X(e, 1.4f) X(f, 1.5f) X(g, 1.6f) X(h, 1.7f) X(i, 1.8f) X(j, 1.9f) X(k, 2.0f) X(l, 2.1f)
#define START(x, value) __m512 x = _mm512_set1_ps(value);
#define STEP(x, value)                                                                                       \
    x = _mm512_dpbf16_ps(x, left, right);                                                                    \
    __asm__ volatile("" : "+v"(x));
#define TAKE(x, value) all = _mm512_add_ps(all, x);

static float run(int64_t rounds) {
    /* 1/8 in every place, as the bits of two bfloat16. */
    const __m512bh left = (__m512bh)_mm512_set1_epi32(0x3e003e00), right = left;
    EACH(START)
    for (int64_t round = 0; round < rounds; round++) {
        EACH(STEP)
    }
    __m512 all = _mm512_setzero_ps();
    EACH(TAKE)
    return _mm512_reduce_add_ps(all);
}

const struct dt_dot_bf16_loop DT_ISA_NAME(dt_dot_bf16_loop) = {4 * LANES * ACCUMULATORS, run};
#else
const struct dt_dot_bf16_loop DT_ISA_NAME(dt_dot_bf16_loop) = {0, NULL};
#endif
