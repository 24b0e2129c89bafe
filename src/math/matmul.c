/* Where the floating-point operations are: some 90 % of a step is spent in this file's calls of sgemm. */
#include "math/matmul.h"

#include <cblas.h>
#include <string.h>

#include "base/narrow.h"

void dt_matmul_prepare(void) {
    openblas_set_num_threads(1);
}

const char *dt_matmul_core(void) {
    return openblas_get_corename();
}

const char *dt_matmul_version(void) {
    return openblas_get_config();
}

void dt_matmul_gemm(bool transpose_a, bool transpose_b, int64_t m, int64_t n, int64_t k, float alpha,
                    const float *a, int64_t lda, const float *b, int64_t ldb, float beta, float *c,
                    int64_t ldc) {
    cblas_sgemm(CblasRowMajor, transpose_a ? CblasTrans : CblasNoTrans,
                transpose_b ? CblasTrans : CblasNoTrans, dt_narrow(m), dt_narrow(n), dt_narrow(k), alpha, a,
                dt_narrow(lda), b, dt_narrow(ldb), beta, c, dt_narrow(ldc));
}

void dt_matmul_forward(float *y, const float *x, const float *w, int64_t rows, int64_t in, int64_t out) {
    dt_matmul_gemm(false, false, rows, out, in, 1.0f, x, in, w, out, 0.0f, y, out);
}

void dt_matmul_forward_bias(float *y, const float *x, const float *w, const float *bias, int64_t rows,
                            int64_t in, int64_t out) {
    for (int64_t i = 0; i < rows; i++)
        memcpy(y + i * out, bias, (size_t)out * sizeof *y);
    dt_matmul_gemm(false, false, rows, out, in, 1.0f, x, in, w, out, 1.0f, y, out);
}

void dt_matmul_backward_input(float *dx, const float *dy, const float *w, int64_t rows, int64_t in,
                              int64_t out) {
    dt_matmul_gemm(false, true, rows, in, out, 1.0f, dy, out, w, out, 0.0f, dx, in);
}

void dt_matmul_backward_weight(float *dw, float *dbias, const float *x, const float *dy, int64_t rows,
                               int64_t in, int64_t out) {
    dt_matmul_gemm(true, false, in, out, rows, 1.0f, x, in, dy, out, 0.0f, dw, out);
    memcpy(dbias, dy, (size_t)out * sizeof *dbias);
    for (int64_t i = 1; i < rows; i++)
        for (int64_t j = 0; j < out; j++)
            dbias[j] += dy[i * out + j];
}
