/**
 * A linear layer whose products are OpenBLAS's: math/linear.h's functions in fp32, for processors that
 * OpenBLAS has tuned kernels for and math/ has none.
 *
 * In which order OpenBLAS adds depends on the shape of a call, its version and the processor. The calls of a
 * micro-batch have the same shapes on any number of ranks and threads, and one thread each, so with one
 * version on one kind of processor the bits are the same. For that an output is never cut: it is one tile.
 */
#ifndef DT_MATH_LINEAR_BLAS_H
#define DT_MATH_LINEAR_BLAS_H

#include "math/linear.h"

/** Its functions may be called after dt_matmul_open (math/matmul.h). */
extern const struct dt_linear dt_linear_blas;

#endif
