/**
 * Layer normalisation over the last dimension (Ba, Kiros, Hinton 2016): y = (x - mean) rstd weight + bias,
 * with rstd = 1 / sqrt(var + 1e-5) and the biased variance, as GPT-2 has it.
 */
#ifndef DT_MATH_LAYERNORM_H
#define DT_MATH_LAYERNORM_H

#include <stdint.h>

#include "math/isa.h"
#include "math/operand.h"
#include "math/range.h"

#define DT_LAYERNORM_EPS 1e-5f

/** What a call of the backward pass computes: rows of dx, and columns of the two gradients of weights. */
typedef struct dt_layernorm_ranges {
    dt_range rows, cols;
} dt_layernorm_ranges;

/** All of both. Local. */
static inline dt_layernorm_ranges dt_layernorm_whole(int64_t rows, int64_t C) {
    return (dt_layernorm_ranges){dt_range_all(rows), dt_range_all(C)};
}

struct dt_layernorm {
    /** `rows` of y[.., C], mean[..], rstd[..] of x[.., C] with weight[C] and bias[C]. Local. */
    void (*forward)(dt_operand *y, float *mean, float *rstd, const float *x, const float *weight,
                    const float *bias, dt_range rows, int64_t C);

    /**
     * With n = (x - mean) rstd and g = dy weight, row by row:
     *     dx += rstd (g - mean(g) - n mean(g n))
     * added to ranges->rows of dx[rows, C], because x also goes on past the normalisation. ranges->cols of
     * dweight[C] = sum of dy n and of dbias[C] = sum of dy over all rows, in their order. Both at once, so
     * that a thread that takes all of both reads a row once. Local.
     */
    void (*backward)(float *dx, float *dweight, float *dbias, const float *dy, const float *x,
                     const float *mean, const float *rstd, const float *weight, int64_t rows, int64_t C,
                     const dt_layernorm_ranges *ranges);
};
DT_COMPUTE_DECLARE(dt_layernorm);

#endif
