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

struct dt_gelu {
    /** y[i] = gelu(pre[i]) for each of `elements`. `y` may be `pre`. Local. */
    void (*forward)(dt_operand *y, const dt_operand *pre, dt_range elements);

    /** dpre[i] = dy[i] gelu'(pre[i]) for each of `elements`, and once more y[i] = gelu(pre[i]), which costs
     * less here than keeping it would. `dpre` may be `dy`. Local. */
    void (*backward)(dt_operand *dpre, dt_operand *y, const dt_operand *dy, const dt_operand *pre,
                     dt_range elements);
};
DT_COMPUTE_DECLARE(dt_gelu);

#endif
