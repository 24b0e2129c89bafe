/*
 * A core starts up to two vector multiply-adds a cycle, four with NEON on large cores, and each takes four or
 * five cycles: ten in flight fill it, or twenty. Twelve accumulators and two operands fit in the sixteen
 * registers that AVX2 has, twenty-four in NEON's thirty-two. Each accumulator starts from a value of its own
 * and passes through an empty asm in every round: otherwise a compiler would see that accumulators hold the
 * same values and compute them once, or compute the loop beforehand.
 */
#include "step/fma_loop.h"

#include "math/fma.h"

typedef float vector __attribute__((vector_size(DT_FMA_LANES * sizeof(float))));

/* X(accumulator, what it starts from) for each, by name: those of an array do not all stay in registers. */
#define TWELVE(X)                                                                                            \
    X(a, 1.0f)                                                                                               \
    X(b, 1.1f)                                                                                               \
    X(c, 1.2f)                                                                                               \
    X(d, 1.3f) X(e, 1.4f) X(f, 1.5f) X(g, 1.6f) X(h, 1.7f) X(i, 1.8f) X(j, 1.9f) X(k, 2.0f) X(l, 2.1f)
/*
 * x = x multiplier + addend on x86-64, from values near 1 towards addend / (1 - multiplier) = 1. NEON's
 * multiply-add overwrites its addend, so there x += multiplier addend, a sum that stops growing far below
 * infinity; the multiplier passes through the asm as well, or the product would be taken out of the loop.
 */
#if defined __aarch64__
#define ACCUMULATORS 24
#define EACH(X)                                                                                              \
    TWELVE(X)                                                                                                \
    X(m, 2.2f)                                                                                               \
    X(n, 2.3f)                                                                                               \
    X(o, 2.4f)                                                                                               \
    X(p, 2.5f) X(q, 2.6f) X(r, 2.7f) X(s, 2.8f) X(t, 2.9f) X(u, 3.0f) X(v, 3.1f) X(w, 3.2f) X(x, 3.3f)
#define STEP(x, value)                                                                                       \
    x = (vector)dt_fma_vector(multiplier, addend, x);                                                        \
    __asm__ volatile("" : "+w"(x), "+w"(multiplier));
#elif defined __FMA__
#define ACCUMULATORS 12
#define EACH(X)      TWELVE(X)
#define STEP(x, value)                                                                                       \
    x = (vector)dt_fma_vector(x, multiplier, addend);                                                        \
    __asm__ volatile("" : "+x"(x));
#else /* no such instruction: a multiplication and an addition, which is what the processor can do */
#define ACCUMULATORS 12
#define EACH(X)      TWELVE(X)
#define STEP(x, value)                                                                                       \
    x = x * multiplier + addend;                                                                             \
    __asm__ volatile("" : "+x"(x));
#endif
#define START(x, value) vector x = addend + (value);
#define TAKE(x, value)  all += x;
#define LANES           DT_FMA_LANES

static float run(int64_t rounds) {
    vector multiplier = (vector){0} + 0.875f;
    const vector addend = (vector){0} + 0.125f;
    EACH(START)
    for (int64_t round = 0; round < rounds; round++) {
        EACH(STEP)
    }
    vector all = {0};
    EACH(TAKE)
    float sum = 0.0f;
    for (int64_t lane = 0; lane < LANES; lane++)
        sum += all[lane];
    return sum;
}

const struct dt_fma_loop DT_ISA_NAME(dt_fma_loop) = {2 * LANES * ACCUMULATORS, run};
