/* Each row is read twice from the first-level cache: once for its sums, once to normalise. */
#include "math/layernorm.h"

#include <math.h>
#include <string.h>

static void forward(dt_operand *restrict y, float *restrict mean, float *restrict rstd,
                    const float *restrict x, const float *weight, const float *bias, int64_t rows,
                    int64_t C) {
    for (int64_t i = 0; i < rows; i++) {
        const float *in = x + i * C;
        dt_element *out = (dt_element *)y + i * C;
        float sum = 0.0f, squares = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (int64_t c = 0; c < C; c++)
            sum += in[c];
        const float m = sum / (float)C;
#pragma omp simd reduction(+ : squares)
        for (int64_t c = 0; c < C; c++)
            squares += (in[c] - m) * (in[c] - m);
        const float r = 1.0f / sqrtf(squares / (float)C + DT_LAYERNORM_EPS);
        for (int64_t c = 0; c < C; c++)
            out[c] = dt_operand_make((in[c] - m) * r * weight[c] + bias[c]);
        mean[i] = m;
        rstd[i] = r;
    }
}

static void backward(float *restrict dx, float *restrict dweight, float *restrict dbias,
                     const float *restrict dy, const float *restrict x, const float *mean, const float *rstd,
                     const float *weight, int64_t rows, int64_t C) {
    memset(dweight, 0, (size_t)C * sizeof *dweight);
    memset(dbias, 0, (size_t)C * sizeof *dbias);
    for (int64_t i = 0; i < rows; i++) {
        const float *in = x + i * C, *dout = dy + i * C;
        float *din = dx + i * C;
        const float m = mean[i], r = rstd[i];
        float sum_g = 0.0f, sum_gn = 0.0f;
#pragma omp simd reduction(+ : sum_g, sum_gn)
        for (int64_t c = 0; c < C; c++) {
            float n = (in[c] - m) * r, g = dout[c] * weight[c];
            sum_g += g;
            sum_gn += g * n;
        }
        const float mean_g = sum_g / (float)C, mean_gn = sum_gn / (float)C;
        for (int64_t c = 0; c < C; c++) {
            float n = (in[c] - m) * r;
            dbias[c] += dout[c];
            dweight[c] += dout[c] * n;
            din[c] += r * (dout[c] * weight[c] - mean_g - n * mean_gn);
        }
    }
}

const struct dt_layernorm DT_COMPUTE_NAME(dt_layernorm) = {forward, backward};
