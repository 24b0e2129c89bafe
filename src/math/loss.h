/**
 * Softmax cross-entropy against one target a row, forward and backward in one pass over the logits.
 */
#ifndef DT_MATH_LOSS_H
#define DT_MATH_LOSS_H

#include <stdint.h>

#include "math/isa.h"
#include "math/operand.h"
#include "math/range.h"

struct dt_loss {
    /**
     * `rows` of losses[..] = log(sum exp(logits)) - logits[target], in double. logits[.., stride] of which V
     * columns count, targets[..]. Local.
     */
    void (*forward)(double *losses, const float *logits, const int32_t *targets, dt_range rows, int64_t V,
                    int64_t stride);

    /**
     * As forward, and replaces the logits of `rows` by their gradient, scale (softmax(logits) -
     * onehot(target)). Columns V to stride become 0. The gradient's elements are operands: a row of them
     * starts where the row of logits did, and in bf16 takes the first half of it. Local.
     */
    void (*backward)(double *losses, float *logits, const int32_t *targets, dt_range rows, int64_t V,
                     int64_t stride, float scale);
};
DT_COMPUTE_DECLARE(dt_loss);

/** The sum of losses[rows], in their order: what one thread adds when all have computed theirs. Local. */
static inline double dt_loss_sum(const double *losses, int64_t rows) {
    double sum = 0.0;
    for (int64_t i = 0; i < rows; i++)
        sum += losses[i];
    return sum;
}

#endif
