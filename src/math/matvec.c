/*
 * The matrix is read from its first float to its last, once. The processor fetches ahead within a page only,
 * so what lies further on is asked for here.
 */
#include "math/matvec.h"

#include <string.h>

#define LINE  16   /* floats */
#define AHEAD 1024 /* floats: a page */

static void forward(float *restrict y, const float *restrict x, const float *restrict w,
                    const float *restrict bias, int64_t in, int64_t out) {
    if (bias)
        memcpy(y, bias, (size_t)out * sizeof *y);
    else
        memset(y, 0, (size_t)out * sizeof *y);
    for (int64_t i = 0; i < in; i++) {
        const float *row = w + i * out;
        int64_t j = 0;
        for (; j + LINE <= out; j += LINE) {
            __builtin_prefetch(row + j + AHEAD);
#pragma omp simd
            for (int64_t l = j; l < j + LINE; l++)
                y[l] += x[i] * row[l];
        }
        for (; j < out; j++)
            y[j] += x[i] * row[j];
    }
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
