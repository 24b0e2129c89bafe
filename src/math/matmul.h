/**
 * Matrix products, by OpenBLAS's sgemm on one thread: the only file that knows BLAS.
 *
 * All matrices are row-major. A call's shape decides its bits, and shapes never depend on ranks or threads.
 */
#ifndef DT_MATH_MATMUL_H
#define DT_MATH_MATMUL_H

#include <stdbool.h>
#include <stdint.h>

/** Makes OpenBLAS compute on the calling thread alone. Once, before the first product. Local. */
void dt_matmul_prepare(void);

/** The name of the kernels that OpenBLAS picked for this processor ("SkylakeX", "Haswell", ..). Local. */
const char *dt_matmul_core(void);

/** What OpenBLAS says of its version and how it was built, in one line. Local. */
const char *dt_matmul_version(void);

/**
 * C[m, n] = alpha op(A)[m, k] op(B)[k, n] + beta C, with row strides lda, ldb, ldc; op transposes where
 * asked. With beta 0 what stood in C does not matter. Local.
 */
void dt_matmul_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
                    const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
                    int64_t ldc);

/** y[rows, out] = x[rows, in] w[in, out]. Local. */
void dt_matmul_forward(float *y, const float *x, const float *w, int64_t rows, int64_t in, int64_t out);

/** y[rows, out] = bias[out] + x[rows, in] w[in, out]. Local. */
void dt_matmul_forward_bias(float *y, const float *x, const float *w, const float *bias, int64_t rows,
                            int64_t in, int64_t out);

/** dx[rows, in] = dy[rows, out] w[in, out]^T. Local. */
void dt_matmul_backward_input(float *dx, const float *dy, const float *w, int64_t rows, int64_t in,
                              int64_t out);

/** dw[in, out] = x[rows, in]^T dy[rows, out], and dbias[out] = the sum of dy's rows, in their order. Local.
 */
void dt_matmul_backward_weight(float *dw, float *dbias, const float *x, const float *dy, int64_t rows,
                               int64_t in, int64_t out);

#endif
