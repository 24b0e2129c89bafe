/*
 * Each row is read some times from the first-level cache: for its sums, and to normalise. A few rows go
 * through one part after the other: a sum ends in a chain of operations that wait for each other, which those
 * of the next row fill.
 */
#include "math/layernorm.h"

#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/minmax.h"
#include "math/row.h"

#define TOGETHER 4 /* rows */

/* The sum of (x - mean)^2. */
static float squares_about(const float *x, float mean, int64_t n) {
    float lane[DT_ROW_LANES] = {0};
    int64_t i = 0;
    /* Without the pragma gcc 12 puts each vector together from single floats. */
    for (; i + DT_ROW_LANES <= n; i += DT_ROW_LANES)
#pragma omp simd
        for (int l = 0; l < DT_ROW_LANES; l++)
            lane[l] = dt_fma(x[i + l] - mean, x[i + l] - mean, lane[l]);
    for (int l = 0; i + l < n; l++)
        lane[l] = dt_fma(x[i + l] - mean, x[i + l] - mean, lane[l]);
    return dt_row_fold(lane);
}

/* Elements [0, count) of a row, at most a block. */
DT_FMA_INLINE void normalise(dt_element *restrict out, const float *restrict in, const float *weight,
                             const float *bias, float mean, float rstd, int64_t count) {
    float workspace[DT_OPERAND_WORKSPACE], *made = dt_operand_target(out, workspace);
    for (int64_t c = 0; c < count; c++)
        made[c] = dt_fma((in[c] - mean) * rstd, weight[c], bias[c]);
    dt_operand_store(out, made, count);
}

static void normalise_row(dt_element *restrict out, const float *restrict in, const float *weight,
                          const float *bias, float mean, float rstd, int64_t C) {
    int64_t c = 0;
    for (; c < dt_operand_in_blocks(C); c += DT_OPERAND_BLOCK)
        normalise(out + c, in + c, weight + c, bias + c, mean, rstd, DT_OPERAND_BLOCK);
    normalise(out + c, in + c, weight + c, bias + c, mean, rstd, C - c);
}

static void forward(dt_operand *restrict y, float *restrict mean, float *restrict rstd,
                    const float *restrict x, const float *weight, const float *bias, dt_range rows,
                    int64_t C) {
    DT_ASSERT(C > 0 && dt_range_is_proper(rows));
    for (int64_t first = rows.first; first < rows.end; first += TOGETHER) {
        const int64_t end = dt_min(first + TOGETHER, rows.end);
        for (int64_t i = first; i < end; i++)
            mean[i] = dt_row_sum(x + i * C, C) / (float)C;
        for (int64_t i = first; i < end; i++)
            rstd[i] = 1.0f / sqrtf(squares_about(x + i * C, mean[i], C) / (float)C + DT_LAYERNORM_EPS);
        for (int64_t i = first; i < end; i++)
            normalise_row((dt_element *)y + i * C, x + i * C, weight, bias, mean[i], rstd[i], C);
    }
}

/* Of one row, with n = (x - mean) rstd and g = dy weight. */
typedef struct sums {
    float g, gn; /* sum of g, and of g n */
} sums;

static sums add_gradients(const float *x, const float *dy, const float *weight, float mean, float rstd,
                          int64_t C) {
    float g_lane[DT_ROW_LANES] = {0}, gn_lane[DT_ROW_LANES] = {0};
    int64_t c = 0;
    for (; c + DT_ROW_LANES <= C; c += DT_ROW_LANES)
        for (int l = 0; l < DT_ROW_LANES; l++) {
            const float n = (x[c + l] - mean) * rstd, g = dy[c + l] * weight[c + l];
            g_lane[l] += g;
            gn_lane[l] = dt_fma(g, n, gn_lane[l]);
        }
    for (int l = 0; c + l < C; l++) {
        const float n = (x[c + l] - mean) * rstd, g = dy[c + l] * weight[c + l];
        g_lane[l] += g;
        gn_lane[l] = dt_fma(g, n, gn_lane[l]);
    }
    return (sums){dt_row_fold(g_lane), dt_row_fold(gn_lane)};
}

/* One row's part in columns `cols` of the gradients of weights. */
static void add_columns(float *restrict dweight, float *restrict dbias, const float *restrict x,
                        const float *restrict dy, float mean, float rstd, dt_range cols) {
    for (int64_t c = cols.first; c < cols.end; c++) {
        dbias[c] += dy[c];
        dweight[c] = dt_fma(dy[c], (x[c] - mean) * rstd, dweight[c]);
    }
}

/* dx of one row, and where `with_columns` its part in all columns, in one pass. */
DT_FMA_INLINE void add_row(float *restrict dx, float *restrict dweight, float *restrict dbias,
                           const float *restrict x, const float *restrict dy, const float *restrict weight,
                           float mean, float rstd, sums sum, int64_t C, const bool with_columns) {
    const float mean_g = sum.g / (float)C, mean_gn = sum.gn / (float)C;
    for (int64_t c = 0; c < C; c++) {
        const float n = (x[c] - mean) * rstd, g = dy[c] * weight[c];
        if (with_columns) {
            dbias[c] += dy[c];
            dweight[c] = dt_fma(dy[c], n, dweight[c]);
        }
        dx[c] = dt_fma(rstd, dt_fma(-n, mean_gn, g - mean_g), dx[c]);
    }
}

static void backward(float *restrict dx, float *restrict dweight, float *restrict dbias,
                     const float *restrict dy, const float *restrict x, const float *mean, const float *rstd,
                     const float *weight, int64_t rows, int64_t C, const dt_layernorm_ranges *ranges) {
    DT_ASSERT(rows > 0 && C > 0 && dt_range_is_within(ranges->rows, rows) &&
              dt_range_is_within(ranges->cols, C));
    const dt_range own = ranges->rows, cols = ranges->cols,
                   read = cols.first < cols.end ? dt_range_all(rows) : own;
    const bool all_columns = cols.first == 0 && cols.end == C;
    for (int64_t c = cols.first; c < cols.end; c++)
        dweight[c] = dbias[c] = 0.0f;
    for (int64_t first = read.first; first < read.end; first += TOGETHER) {
        const dt_range some = {first, dt_min(first + TOGETHER, read.end)},
                       mine = dt_range_within(some.first, some.end, own);
        sums sum[TOGETHER];
        for (int64_t i = mine.first; i < mine.end; i++)
            sum[i - first] = add_gradients(x + i * C, dy + i * C, weight, mean[i], rstd[i], C);
        for (int64_t i = some.first; i < some.end; i++) {
            const float *in = x + i * C, *dout = dy + i * C;
            const bool is_own = i >= mine.first && i < mine.end;
            if (is_own && all_columns)
                add_row(dx + i * C, dweight, dbias, in, dout, weight, mean[i], rstd[i], sum[i - first], C,
                        true);
            else if (is_own)
                add_row(dx + i * C, NULL, NULL, in, dout, weight, mean[i], rstd[i], sum[i - first], C, false);
            if (!is_own || !all_columns)
                add_columns(dweight, dbias, in, dout, mean[i], rstd[i], cols);
        }
    }
}

const struct dt_layernorm DT_COMPUTE_NAME(dt_layernorm) = {forward, backward};
