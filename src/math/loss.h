/**
 * Softmax cross-entropy against one target a row, forward and backward in one pass over the logits.
 */
#ifndef DT_MATH_LOSS_H
#define DT_MATH_LOSS_H

#include <stdint.h>

#include "math/isa.h"
#include "math/operand.h"

struct dt_loss {
    /**
     * The sum over rows of log(sum exp(logits)) - logits[target], in double and in the order of rows.
     * logits[rows, stride] of which V columns count, targets[rows]. Local.
     */
    double (*forward)(const float *logits, const uint8_t *targets, int64_t rows, int64_t V, int64_t stride);

    /**
     * As forward, and replaces the logits by their gradient, scale (softmax(logits) - onehot(target)).
     * Columns V to stride become 0. The gradient's elements are operands: a row of them starts where the row
     * of logits did, and in bf16 takes the first half of it. Local.
     */
    double (*backward)(float *logits, const uint8_t *targets, int64_t rows, int64_t V, int64_t stride,
                       float scale);
};
DT_COMPUTE_DECLARE(dt_loss);

#endif
