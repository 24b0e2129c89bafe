/* Eight rows of the matrix at a time: as many streams of memory, and y is loaded and stored once for all of
 * them. */
#include "math/matvec.h"

#include <string.h>

#define ROWS 8

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
        const float x4 = x[i + 4], x5 = x[i + 5], x6 = x[i + 6], x7 = x[i + 7];
#pragma omp simd
        for (int64_t j = 0; j < out; j++) {
            const float *at = row + j;
            y[j] += ((x0 * at[0] + x1 * at[out]) + (x2 * at[2 * out] + x3 * at[3 * out])) +
                    ((x4 * at[4 * out] + x5 * at[5 * out]) + (x6 * at[6 * out] + x7 * at[7 * out]));
        }
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
