/* One exponential and one division an element, forward and backward. */
#include "math/gelu.h"

#include "math/exp.h"

/* 2 sqrt(2/pi), and the same times 0.044715. */
#define TWO_ROOT  1.5957691216057308f
#define TWO_CUBIC 0.0713548162726009f

static void forward(float *y, float *pre, const float *bias, int64_t rows, int64_t F) {
    for (int64_t i = 0; i < rows; i++) {
        float *p = pre + i * F, *out = y + i * F;
#pragma omp simd
        for (int64_t f = 0; f < F; f++) {
            float x = p[f] + bias[f];
            p[f] = x;
            float s = 1.0f / (1.0f + dt_exp(-x * (TWO_ROOT + TWO_CUBIC * x * x)));
            out[f] = x * s;
        }
    }
}

/*
 * With e = exp(-2u) and s = 1 / (1 + e): gelu = x s and gelu' = s + x s (1 - s) 2u'. 1 - s is taken as e s,
 * which keeps its digits where s is next to 1 and x 2u' is large.
 */
static void backward(float *dpre, float *y, const float *dy, const float *pre, int64_t rows, int64_t F) {
#pragma omp simd
    for (int64_t i = 0; i < rows * F; i++) {
        float x = pre[i];
        float e = dt_exp(-x * (TWO_ROOT + TWO_CUBIC * x * x));
        float s = 1.0f / (1.0f + e);
        float slope = TWO_ROOT + 3.0f * TWO_CUBIC * x * x;
        float act = x * s;
        dpre[i] = dy[i] * (s + act * (e * s) * slope);
        y[i] = act;
    }
}

const struct dt_gelu DT_ISA_NAME(dt_gelu) = {forward, backward};
