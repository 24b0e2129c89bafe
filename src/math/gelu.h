/**
 * The Gaussian error linear unit in its tanh form (Hendrycks, Gimpel 2016).
 *
 *     gelu(x) = x/2 (1 + tanh(u)) = x / (1 + exp(-2u)),   u = sqrt(2/pi) (x + 0.044715 x^3)
 */
#ifndef DT_MATH_GELU_H
#define DT_MATH_GELU_H

#include <stdint.h>

#include "math/isa.h"
#include "math/operand.h"
#include "math/range.h"

/** All matrices of a call: `cols` numbers in each row, and how many elements lie between the starts of two.
 */
typedef struct dt_gelu_shape {
    int64_t cols, stride;
} dt_gelu_shape;

struct dt_gelu {
    /** y[i, j] = gelu(pre[i, j]) for the columns of each of `rows`. `y` may be `pre`. Local. */
    void (*forward)(dt_operand *y, const dt_operand *pre, dt_range rows, dt_gelu_shape shape);

    /** dpre[i, j] = dy[i, j] gelu'(pre[i, j]) for the columns of each of `rows`, and once more y[i, j] =
     * gelu(pre[i, j]), which costs less here than keeping it would. `dpre` may be `dy`. Local. */
    void (*backward)(dt_operand *dpre, dt_operand *y, const dt_operand *dy, const dt_operand *pre,
                     dt_range rows, dt_gelu_shape shape);
};
DT_COMPUTE_DECLARE(dt_gelu);

#endif
