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

static void forward(dt_operand *result, const dt_operand *given, dt_range elements) {
    DT_ASSERT(dt_range_is_proper(elements));
    DT_ASSERT_SAME_OR_APART(result, elements.end * (int64_t)sizeof(dt_element), given,
                            elements.end * (int64_t)sizeof(dt_element));
    dt_element *y = result;
    const dt_element *pre = given;
    const int64_t blocks_end = elements.first + dt_operand_in_blocks(elements.end - elements.first);
    int64_t i = elements.first;
    for (; i < blocks_end; i += BLOCK)
        forward_block(y + i, pre + i, BLOCK);
    forward_block(y + i, pre + i, elements.end - i);
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
                     dt_range elements) {
    DT_ASSERT(dt_range_is_proper(elements));
    DT_ASSERT_SAME_OR_APART(result, elements.end * (int64_t)sizeof(dt_element), of_y,
                            elements.end * (int64_t)sizeof(dt_element));
    DT_ASSERT_APART(result, elements.end * (int64_t)sizeof(dt_element), again,
                    elements.end * (int64_t)sizeof(dt_element));
    dt_element *dpre = result, *y = again;
    const dt_element *dy = of_y, *pre = given;
    const int64_t blocks_end = elements.first + dt_operand_in_blocks(elements.end - elements.first);
    int64_t i = elements.first;
    for (; i < blocks_end; i += BLOCK)
        backward_block(dpre + i, y + i, dy + i, pre + i, BLOCK);
    backward_block(dpre + i, y + i, dy + i, pre + i, elements.end - i);
}

const struct dt_gelu DT_COMPUTE_NAME(dt_gelu) = {forward, backward};
