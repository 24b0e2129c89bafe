/**
 * OpenBLAS's matrix product, the yardstick that math/gemm.h's is held against: by `dtrain bench`, as a
 * ceiling, and by a test, as a second opinion. The only file that knows BLAS.
 *
 * Training never calls it, so the library is loaded only where it is asked for: it would start a thread per
 * core and take memory for each in every program that merely links it.
 */
#ifndef DT_MATH_MATMUL_H
#define DT_MATH_MATMUL_H

#include "base/status.h"
#include "math/gemm.h"

/**
 * Loads OpenBLAS, to compute on the calling thread alone; a second call does nothing. Fails where it is not
 * installed. By one thread, before any other calls the functions below. Local.
 */
dt_status dt_matmul_open(void);

/** The name of the kernels that OpenBLAS picked for this processor ("SkylakeX", "Haswell", ..), "none" where
 * it has not been loaded. Local. */
const char *dt_matmul_core(void);

/** C = op(A) op(B) as in dt_product, whose bias must be NULL, after dt_matmul_open. Local. */
void dt_matmul_sgemm(const dt_product *product);

#endif
