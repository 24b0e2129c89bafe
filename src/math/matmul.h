/**
 * OpenBLAS's matrix product: the yardstick that math/gemm.h's is held against, by `dtrain bench` as a ceiling
 * and by a test as a second opinion; and with `products: blas` what training multiplies with
 * (math/linear_blas.h). The only file that knows BLAS.
 *
 * The library is loaded only where it is asked for: it would start a thread per core and take memory for each
 * in every program that merely links it.
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

/** Room for dt_matmul_name. */
#define DT_MATMUL_NAME_BYTES 64

/** What decides the bits of a product beside its operands and their shape: the library, its version and the
 * kernels that it picked for this processor, "OpenBLAS 0.3.21 SkylakeX". After dt_matmul_open. Local. */
void dt_matmul_name(char name[DT_MATMUL_NAME_BYTES]);

/** The name of the kernels that OpenBLAS picked for this processor ("SkylakeX", "Haswell", ..), "none" where
 * it has not been loaded. Local. */
const char *dt_matmul_core(void);

/** C = op(A) op(B), or += with `add`, as in dt_product, whose bias must be NULL; after dt_matmul_open. Local.
 */
void dt_matmul_sgemm(const dt_product *product);

#endif
