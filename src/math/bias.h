/**
 * The gradient of a bias in fp32, which comes with that of its weights whoever multiplies.
 */
#ifndef DT_MATH_BIAS_H
#define DT_MATH_BIAS_H

#include <stdint.h>

#include "math/range.h"

/** `cols` of sum[out] = the sum of the rows of dy[rows, out], `stride` floats apart, in their order. Inline,
 * so that it is compiled for the instruction set of the kernel that uses it. Local. */
static inline void dt_bias_gradient(float *restrict sum, const float *restrict dy, int64_t rows,
                                    int64_t stride, dt_range cols) {
    for (int64_t j = cols.first; j < cols.end; j++)
        sum[j] = dy[j];
    for (int64_t i = 1; i < rows; i++)
        for (int64_t j = cols.first; j < cols.end; j++)
            sum[j] += dy[i * stride + j];
}

#endif
