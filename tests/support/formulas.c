#include "support/formulas.h"

#include "math/exp.h"
#include "math/fma.h"

static void fma_loop(float *restrict y, const float *a, const float *b, const float *c, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        y[i] = dt_fma(a[i], b[i], c[i]);
}

static void fma_vector(float *restrict y, const float *a, const float *b, const float *c, int64_t count) {
    int64_t i = 0;
    for (; i + DT_FMA_LANES <= count; i += DT_FMA_LANES)
        *(dt_fma_lanes *)(y + i) = dt_fma_vector(
            *(const dt_fma_lanes *)(a + i), *(const dt_fma_lanes *)(b + i), *(const dt_fma_lanes *)(c + i));
    fma_loop(y + i, a + i, b + i, c + i, count - i);
}

static void exp_loop(float *restrict y, const float *x, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        y[i] = dt_exp(x[i]);
}

static void exp_flushed(float *restrict y, const float *x, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        y[i] = dt_exp_flushed(x[i]);
}

const struct test_formulas DT_ISA_NAME(test_formulas) = {fma_loop, fma_vector, exp_loop, exp_flushed};
