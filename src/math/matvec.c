/*
 * The matrix is read from its first float to its last, once. The processor fetches ahead within a page only,
 * so what lies further on is asked for here.
 */
#include "math/matvec.h"

#include <stddef.h>
#include <string.h>

#include "base/assert.h"
#include "math/row.h"

#define LINE  16   /* floats */
#define AHEAD 1024 /* floats: a page */
#define COLS  1024 /* whose sums stay in the first-level cache */

/* sum[cols] = x[in] w[in, cols], the columns of a wider matrix. */
static void add_up(float *restrict sum, const float *restrict x, const float *restrict w, int64_t stride,
                   int64_t in, int64_t cols) {
    memset(sum, 0, (size_t)cols * sizeof *sum);
    for (int64_t i = 0; i < in; i++) {
        const float *row = w + i * stride;
        int64_t j = 0;
        for (; j + LINE <= cols; j += LINE) {
            __builtin_prefetch(row + j + AHEAD);
#pragma omp simd
            for (int64_t l = j; l < j + LINE; l++)
                sum[l] = dt_fma(x[i], row[l], sum[l]);
        }
        for (; j < cols; j++)
            sum[j] = dt_fma(x[i], row[j], sum[j]);
    }
}

static void forward(float *restrict y, const float *restrict x, const float *restrict w,
                    const float *restrict bias, int64_t in, int64_t out, dt_range cols) {
    DT_ASSERT(dt_range_is_within(cols, out));
    DT_ASSERT_APART(y, out * (int64_t)sizeof *y, x, in * (int64_t)sizeof *x);
    DT_ASSERT_APART(y, out * (int64_t)sizeof *y, w, in * out * (int64_t)sizeof *w);
    float sum[COLS];
    for (int64_t j = cols.first; j < cols.end; j += COLS) {
        const int64_t count = cols.end - j < COLS ? cols.end - j : COLS;
        add_up(sum, x, w + j, out, in, count);
        for (int64_t l = 0; l < count; l++)
            y[j + l] = bias ? sum[l] + bias[j + l] : sum[l];
    }
}

static void transposed(float *restrict y, const float *restrict x, const float *restrict w, dt_range rows,
                       int64_t in) {
    DT_ASSERT(dt_range_is_proper(rows));
    DT_ASSERT_APART(y, rows.end * (int64_t)sizeof *y, x, in * (int64_t)sizeof *x);
    DT_ASSERT_APART(y, rows.end * (int64_t)sizeof *y, w, rows.end * in * (int64_t)sizeof *w);
    for (int64_t r = rows.first; r < rows.end; r++)
        y[r] = dt_row_dot(w + r * in, x, in);
}

const struct dt_matvec DT_ISA_NAME(dt_matvec) = {forward, transposed};
