/*
 * A core starts up to two vector multiply-adds a cycle, and each takes four or five cycles; ten in flight
 * fill it. Twelve accumulators and two operands fit in the sixteen registers that AVX2 has. Each accumulator
 * starts from a value of its own and passes through an empty asm in every round: otherwise a compiler would
 * see that accumulators hold the same values and compute them once, or compute the loop beforehand.
 */
#include "bench/fma.h"

#if defined(__AVX512F__)
#define VECTOR_BYTES 64
#elif defined(__AVX2__)
#define VECTOR_BYTES 32
#else
#define VECTOR_BYTES 16 /* without fused multiply-adds: a multiplication and an addition */
#endif

#define LANES        ((int64_t)(VECTOR_BYTES / sizeof(float)))
#define ACCUMULATORS 12

typedef float vector __attribute__((vector_size(VECTOR_BYTES)));

/* x = x multiplier + addend, held in a register. */
#define STEP(x)                                                                                              \
    x = x * multiplier + addend;                                                                             \
    __asm__ volatile("" : "+x"(x))

/* Values near 1 that move towards addend / (1 - multiplier) = 1: neither overflow nor denormals. */
static float run(int64_t rounds) {
    vector multiplier = (vector){0} + 0.875f, addend = (vector){0} + 0.125f;
    vector a = addend + 1.0f, b = addend + 1.1f, c = addend + 1.2f, d = addend + 1.3f, e = addend + 1.4f,
           f = addend + 1.5f, g = addend + 1.6f, h = addend + 1.7f, i = addend + 1.8f, j = addend + 1.9f,
           k = addend + 2.0f, l = addend + 2.1f;
    for (int64_t round = 0; round < rounds; round++) {
        STEP(a);
        STEP(b);
        STEP(c);
        STEP(d);
        STEP(e);
        STEP(f);
        STEP(g);
        STEP(h);
        STEP(i);
        STEP(j);
        STEP(k);
        STEP(l);
    }
    const vector all = a + b + c + d + e + f + g + h + i + j + k + l;
    float sum = 0.0f;
    for (int64_t lane = 0; lane < LANES; lane++)
        sum += all[lane];
    return sum;
}

const struct dt_fma DT_ISA_NAME(dt_fma) = {2 * LANES * ACCUMULATORS, run};
