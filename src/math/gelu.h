/**
 * The Gaussian error linear unit in its tanh form (Hendrycks, Gimpel 2016), with the bias of the projection
 * before it.
 *
 *     gelu(x) = x/2 (1 + tanh(u)) = x / (1 + exp(-2u)),   u = sqrt(2/pi) (x + 0.044715 x^3)
 */
#ifndef DT_MATH_GELU_H
#define DT_MATH_GELU_H

#include <stdint.h>

#include "math/isa.h"

struct dt_gelu {
    /** pre[rows, F] += bias[F], kept for the backward pass; y[rows, F] = gelu(pre). `y` may be `pre`. Local.
     */
    void (*forward)(float *y, float *pre, const float *bias, int64_t rows, int64_t F);

    /** dpre[rows, F] = dy[rows, F] gelu'(pre[rows, F]), and once more y[rows, F] = gelu(pre), which costs
     * less here than keeping it would. `dpre` may be `dy`. Local. */
    void (*backward)(float *dpre, float *y, const float *dy, const float *pre, int64_t rows, int64_t F);
};
DT_ISA_DECLARE(dt_gelu);

#endif
