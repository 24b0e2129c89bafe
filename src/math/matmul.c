/* Nothing that training computes comes from here. */
#include "math/matmul.h"

#include <cblas.h>

#include "base/narrow.h"

void dt_matmul_prepare(void) {
    openblas_set_num_threads(1);
}

const char *dt_matmul_core(void) {
    return openblas_get_corename();
}

void dt_matmul_sgemm(const dt_product *x) {
    cblas_sgemm(CblasRowMajor, x->transpose_a ? CblasTrans : CblasNoTrans,
                x->transpose_b ? CblasTrans : CblasNoTrans, dt_narrow(x->m), dt_narrow(x->n), dt_narrow(x->k),
                1.0f, x->a, dt_narrow(x->a_stride), x->b, dt_narrow(x->b_stride), 0.0f, x->c,
                dt_narrow(x->c_stride));
}
