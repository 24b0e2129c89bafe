/**
 * A linear layer, y = x w + bias, with w[in, out] as GPT-2's files have it, and the two products of its
 * gradient.
 */
#ifndef DT_MATH_LINEAR_H
#define DT_MATH_LINEAR_H

#include <stdint.h>

#include "math/gemm.h"
#include "math/isa.h"

/** In all of these `room` is scratch of DT_GEMM_ROOM floats, and no output overlaps an input. Local. */
struct dt_linear {
    /** y[rows, out] = x[rows, in] w[in, out] + bias[out]; no bias where that is NULL. */
    void (*forward)(float *y, const float *x, const float *w, const float *bias, int64_t rows, int64_t in,
                    int64_t out, float *room);

    /** dx[rows, in] = dy[rows, out] w[in, out]^T. */
    void (*backward_input)(float *dx, const float *dy, const float *w, int64_t rows, int64_t in, int64_t out,
                           float *room);

    /** dw[in, out] = x[rows, in]^T dy[rows, out], and dbias[out] = the sum of dy's rows, in their order. */
    void (*backward_weight)(float *dw, float *dbias, const float *x, const float *dy, int64_t rows,
                            int64_t in, int64_t out, float *room);
};
DT_ISA_DECLARE(dt_linear);

#endif
