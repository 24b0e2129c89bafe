/* Eight rows of the matrix at a time: as many streams of memory, and y is loaded and stored once for all of
 * them. */
#include "math/matvec.h"

#include <string.h>

#define ROWS 4

static void forward(float *restrict y, const float *restrict x, const float *restrict w,
                    const float *restrict bias, int64_t in, int64_t out) {
    int64_t i = 0;
    if (bias)
        memcpy(y, bias, (size_t)out * sizeof *y);
    else
        memset(y, 0, (size_t)out * sizeof *y);
    for (; i + ROWS <= in; i += ROWS) {
        const float *row = w + i * out;
        const float x0 = x[i], x1 = x[i + 1], x2 = x[i + 2], x3 = x[i + 3];
#pragma omp simd
        for (int64_t j = 0; j < out; j++)
            y[j] += (x0 * row[j] + x1 * row[j + out]) + (x2 * row[j + 2 * out] + x3 * row[j + 3 * out]);
    }
    for (; i < in; i++)
        for (int64_t j = 0; j < out; j++)
            y[j] += x[i] * w[i * out + j];
}

static void transposed(float *restrict y, const float *restrict x, const float *restrict w, int64_t rows,
                       int64_t in) {
    for (int64_t r = 0; r < rows; r++) {
        const float *row = w + r * in;
        float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (int64_t i = 0; i < in; i++)
            sum += row[i] * x[i];
        y[r] = sum;
    }
}

const struct dt_matvec DT_ISA_NAME(dt_matvec) = {forward, transposed};
