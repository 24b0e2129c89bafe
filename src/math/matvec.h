/**
 * One row times a matrix, for generation: bound by reading the matrix, so that is all it does.
 */
#ifndef DT_MATH_MATVEC_H
#define DT_MATH_MATVEC_H

#include <stdint.h>

#include "math/isa.h"
#include "math/range.h"

struct dt_matvec {
    /** `cols` of y[out] = x[in] w[in, out] + bias[out]; no bias where that is NULL. `y` must not overlap the
     * others. The bits are those of a row of dt_gemm's product. Local. */
    void (*forward)(float *y, const float *x, const float *w, const float *bias, int64_t in, int64_t out,
                    dt_range cols);

    /** `rows` of y[..] = w[.., in] x[in]: the head, whose matrix is the token embedding. Local. */
    void (*transposed)(float *y, const float *x, const float *w, dt_range rows, int64_t in);
};
DT_ISA_DECLARE(dt_matvec);

#endif
