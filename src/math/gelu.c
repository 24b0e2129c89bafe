/* One exponential and one division an element, forward and backward. */
#include "math/gelu.h"

#include "base/assert.h"
#include "math/exp.h"

/* 2 sqrt(2/pi), and the same times 0.044715. */
#define TWO_ROOT  1.5957691216057308f
#define TWO_CUBIC 0.0713548162726009f

#define BLOCK  DT_OPERAND_BLOCK
#define INLINE static inline __attribute__((always_inline))

/* At most a block; whole ones, whose number is a constant, have a loop without a rest. */
INLINE void forward_block(dt_element *y, const dt_element *pre, const int64_t count) {
    float workspace[DT_OPERAND_WORKSPACE], *made = dt_operand_target(y, workspace);
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        const float x = dt_operand_get(pre[i]);
        const float s = 1.0f / (1.0f + dt_exp(-x * dt_fma(TWO_CUBIC, x * x, TWO_ROOT)));
        made[i] = x * s;
    }
    dt_operand_store(y, made, count);
}

/* Bytes from a matrix's start to the end of row `rows`. */
static int64_t bytes(int64_t rows, dt_gelu_shape shape) {
    return dt_assert_extent(rows, shape.cols, shape.stride) * (int64_t)sizeof(dt_element);
}

static void forward(dt_operand *result, const dt_operand *given, dt_range rows, dt_gelu_shape shape) {
    DT_ASSERT(dt_range_is_proper(rows) && shape.cols > 0 && shape.cols <= shape.stride);
    DT_ASSERT_SAME_OR_APART(result, bytes(rows.end, shape), given, bytes(rows.end, shape));
    const int64_t blocks_end = dt_operand_in_blocks(shape.cols);
    for (int64_t row = rows.first; row < rows.end; row++) {
        dt_element *y = (dt_element *)result + row * shape.stride;
        const dt_element *pre = (const dt_element *)given + row * shape.stride;
        int64_t j = 0;
        for (; j < blocks_end; j += BLOCK)
            forward_block(y + j, pre + j, BLOCK);
        forward_block(y + j, pre + j, shape.cols - j);
    }
}

/*
 * With e = exp(-2u) and s = 1 / (1 + e): gelu = x s and gelu' = s + x s (1 - s) 2u'. 1 - s is taken as e s,
 * which keeps its digits where s is next to 1 and x 2u' is large.
 */
INLINE void backward_block(dt_element *dpre, dt_element *y, const dt_element *dy, const dt_element *pre,
                           const int64_t count) {
    float workspace[DT_OPERAND_WORKSPACE], workspace_y[DT_OPERAND_WORKSPACE];
    float *made = dt_operand_target(dpre, workspace), *made_y = dt_operand_target(y, workspace_y);
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        float x = dt_operand_get(pre[i]);
        float e = dt_exp(-x * dt_fma(TWO_CUBIC, x * x, TWO_ROOT));
        float s = 1.0f / (1.0f + e);
        float slope = dt_fma(3.0f * TWO_CUBIC, x * x, TWO_ROOT);
        float act = x * s;
        made[i] = dt_operand_get(dy[i]) * dt_fma(act * (e * s), slope, s);
        made_y[i] = act;
    }
    dt_operand_store(dpre, made, count);
    dt_operand_store(y, made_y, count);
}

static void backward(dt_operand *result, dt_operand *again, const dt_operand *of_y, const dt_operand *given,
                     dt_range rows, dt_gelu_shape shape) {
    DT_ASSERT(dt_range_is_proper(rows) && shape.cols > 0 && shape.cols <= shape.stride);
    DT_ASSERT_SAME_OR_APART(result, bytes(rows.end, shape), of_y, bytes(rows.end, shape));
    DT_ASSERT_APART(result, bytes(rows.end, shape), again, bytes(rows.end, shape));
    const int64_t blocks_end = dt_operand_in_blocks(shape.cols);
    for (int64_t row = rows.first; row < rows.end; row++) {
        const int64_t at = row * shape.stride;
        dt_element *dpre = (dt_element *)result + at, *y = (dt_element *)again + at;
        const dt_element *dy = (const dt_element *)of_y + at, *pre = (const dt_element *)given + at;
        int64_t j = 0;
        for (; j < blocks_end; j += BLOCK)
            backward_block(dpre + j, y + j, dy + j, pre + j, BLOCK);
        backward_block(dpre + j, y + j, dy + j, pre + j, shape.cols - j);
    }
}

const struct dt_gelu DT_COMPUTE_NAME(dt_gelu) = {forward, backward};
