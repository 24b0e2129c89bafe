/**
 * OpenBLAS's matrix product, the yardstick that math/gemm.h's is held against: by `dtrain bench`, as a
 * ceiling, and by a test, as a second opinion. The only file that knows BLAS.
 */
#ifndef DT_MATH_MATMUL_H
#define DT_MATH_MATMUL_H

#include "math/gemm.h"

/** Makes OpenBLAS compute on the calling thread alone. Once, before the first product. Local. */
void dt_matmul_prepare(void);

/** The name of the kernels that OpenBLAS picked for this processor ("SkylakeX", "Haswell", ..). Local. */
const char *dt_matmul_core(void);

/** C = op(A) op(B) as in dt_product, whose bias must be NULL. Local. */
void dt_matmul_sgemm(const dt_product *product);

#endif
