/* A row is V logits: small enough to stay in the first-level cache through all of this. */
#include "math/loss.h"

#include <string.h>

#include "base/elementary.h"
#include "math/exp.h"
#include "math/row.h"

static double forward(const float *logits, const uint8_t *targets, int64_t rows, int64_t V, int64_t stride) {
    double loss = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        const float *row = logits + i * stride;
        const float most = dt_row_max(row, V);
        float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (int64_t v = 0; v < V; v++)
            sum += dt_exp(row[v] - most);
        loss += dt_elementary_log((double)sum) + (double)most - (double)row[targets[i]];
    }
    return loss;
}

/* Makes a row of floats one of operands in its place, from its start to its end: what is written was read. */
static void to_operands(float *row, int64_t stride) {
    for (int64_t v = 0; v < stride; v += 16) {
        const int64_t count = stride - v < 16 ? stride - v : 16;
        dt_element made[16];
        for (int64_t l = 0; l < count; l++)
            made[l] = dt_operand_make(row[v + l]);
        memcpy((char *)row + v * (int64_t)sizeof *made, made, (size_t)count * sizeof *made);
    }
}

static double backward(float *logits, const uint8_t *targets, int64_t rows, int64_t V, int64_t stride,
                       float scale) {
    double loss = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        float *row = logits + i * stride;
        const float most = dt_row_max(row, V);
        const double chosen = (double)row[targets[i]];
        float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
        for (int64_t v = 0; v < V; v++) {
            row[v] = dt_exp(row[v] - most);
            sum += row[v];
        }
        const float factor = scale / sum;
        for (int64_t v = 0; v < V; v++)
            row[v] *= factor;
        for (int64_t v = V; v < stride; v++)
            row[v] = 0.0f;
        row[targets[i]] -= scale;
        if (sizeof(dt_element) < sizeof(float))
            to_operands(row, stride);
        loss += dt_elementary_log((double)sum) + (double)most - chosen;
    }
    return loss;
}

const struct dt_loss DT_COMPUTE_NAME(dt_loss) = {forward, backward};
