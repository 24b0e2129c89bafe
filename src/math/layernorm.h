/**
 * Layer normalisation over the last dimension (Ba, Kiros, Hinton 2016): y = (x - mean) rstd weight + bias,
 * with rstd = 1 / sqrt(var + 1e-5) and the biased variance, as GPT-2 has it.
 */
#ifndef DT_MATH_LAYERNORM_H
#define DT_MATH_LAYERNORM_H

#include <stdint.h>

#include "math/isa.h"
#include "math/operand.h"

#define DT_LAYERNORM_EPS 1e-5f

struct dt_layernorm {
    /** y[rows, C], mean[rows], rstd[rows] of x[rows, C] with weight[C] and bias[C]. Local. */
    void (*forward)(dt_operand *y, float *mean, float *rstd, const float *x, const float *weight,
                    const float *bias, int64_t rows, int64_t C);

    /**
     * With n = (x - mean) rstd and g = dy weight, row by row:
     *     dx += rstd (g - mean(g) - n mean(g n))
     * added to dx[rows, C], because x also goes on past the normalisation. dweight[C] = sum of dy n and
     * dbias[C] = sum of dy over the rows, in their order. Local.
     */
    void (*backward)(float *dx, float *dweight, float *dbias, const float *dy, const float *x,
                     const float *mean, const float *rstd, const float *weight, int64_t rows, int64_t C);
};
DT_COMPUTE_DECLARE(dt_layernorm);

#endif
