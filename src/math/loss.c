/* A row is V logits: small enough to stay in the first-level cache through all of this. */
#include "math/loss.h"

#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/elementary.h"
#include "math/exp.h"
#include "math/row.h"

/* The sum of exp(row - max). */
static float add_exponentials(const float *row, int64_t n, float max) {
    float lane[DT_ROW_LANES] = {0};
    int64_t i = 0;
    for (; i + DT_ROW_LANES <= n; i += DT_ROW_LANES)
#pragma omp simd
        for (int l = 0; l < DT_ROW_LANES; l++)
            lane[l] += dt_exp_flushed(row[i + l] - max);
    for (int l = 0; i + l < n; l++)
        lane[l] += dt_exp_flushed(row[i + l] - max);
    return dt_row_fold(lane);
}

/* The same sum; the exponentials replace the row. */
static float take_exponentials(float *row, int64_t n, float max) {
    for (int64_t i = 0; i < n; i++)
        row[i] = dt_exp_flushed(row[i] - max);
    return dt_row_sum(row, n);
}

/* Whether the targets of `rows` are tokens of the vocabulary. */
static bool are_tokens(const int32_t *targets, dt_range rows, int64_t V) {
    for (int64_t i = rows.first; i < rows.end; i++)
        if (targets[i] < 0 || targets[i] >= V)
            return false;
    return true;
}

static void forward(double *losses, const float *logits, const int32_t *targets, dt_range rows, int64_t V,
                    int64_t stride) {
    DT_ASSERT(V > 0 && V <= stride && dt_range_is_proper(rows) && are_tokens(targets, rows, V));
    for (int64_t i = rows.first; i < rows.end; i++) {
        const float *row = logits + i * stride;
        const float max = dt_row_max(row, V);
        const float sum = add_exponentials(row, V, max);
        losses[i] = dt_elementary_log((double)sum) + (double)max - (double)row[targets[i]];
    }
}

/* Makes a row of floats one of operands in its place, from its start to its end: what is written was read. */
static void to_operands(float *row, int64_t stride) {
    for (int64_t v = 0; v < stride; v += 16) {
        const int64_t count = stride - v < 16 ? stride - v : 16;
        dt_element made[16];
        dt_operand_store(made, row + v, count);
        memcpy((char *)row + v * (int64_t)sizeof *made, made, (size_t)count * sizeof *made);
    }
}

static void backward(double *losses, float *logits, const int32_t *targets, dt_range rows, int64_t V,
                     int64_t stride, float scale) {
    DT_ASSERT(V > 0 && V <= stride && dt_range_is_proper(rows) && are_tokens(targets, rows, V));
    for (int64_t i = rows.first; i < rows.end; i++) {
        float *row = logits + i * stride;
        const float max = dt_row_max(row, V);
        const double chosen = (double)row[targets[i]];
        const float sum = take_exponentials(row, V, max), factor = scale / sum;
        for (int64_t v = 0; v < V; v++)
            row[v] *= factor;
        for (int64_t v = V; v < stride; v++)
            row[v] = 0.0f;
        row[targets[i]] -= scale;
        if (sizeof(dt_element) < sizeof(float))
            to_operands(row, stride);
        losses[i] = dt_elementary_log((double)sum) + (double)max - chosen;
    }
}

const struct dt_loss DT_COMPUTE_NAME(dt_loss) = {forward, backward};
