/* One library, one function of it, one thread. */
#include "math/matmul.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/narrow.h"

#define LIBRARY "libopenblas.so.0"

/* Of CBLAS's header, what is used here (BLAS Technical Forum Standard, 2001, annex B). */
enum { ROW_MAJOR = 101, NO_TRANSPOSE = 111, TRANSPOSE = 112 };
typedef void sgemm_function(int order, int transpose_a, int transpose_b, int m, int n, int k, float alpha,
                            const float *a, int a_stride, const float *b, int b_stride, float beta, float *c,
                            int c_stride);

/* What was found in the library; `sgemm` is set last, so it tells whether all was. */
static struct {
    void (*set_num_threads)(int);
    char *(*get_corename)(void);
    char *(*get_config)(void); /* "OpenBLAS 0.3.21 DYNAMIC_ARCH .." */
    sgemm_function *sgemm;
} blas;

static dt_status find(void *library, const char *name, void *function) {
    void *const found = dlsym(library, name);
    if (found == NULL)
        return dt_fail("%s has no function %s: expected OpenBLAS; install Debian's libopenblas0", LIBRARY,
                       name);
    *(void **)function = found;
    return DT_OK;
}

dt_status dt_matmul_open(void) {
    if (blas.sgemm)
        return DT_OK;
    /* Read when it is loaded: later a thread per core would be there already. */
    (void)setenv("OPENBLAS_NUM_THREADS", "1", 1);
    void *library = dlopen(LIBRARY, RTLD_NOW | RTLD_LOCAL);
    if (library == NULL)
        return dt_fail("cannot load OpenBLAS: %s; install Debian's libopenblas0", dlerror());
    DT_TRY(find(library, "openblas_set_num_threads", &blas.set_num_threads));
    DT_TRY(find(library, "openblas_get_corename", &blas.get_corename));
    DT_TRY(find(library, "openblas_get_config", &blas.get_config));
    DT_TRY(find(library, "cblas_sgemm", &blas.sgemm));
    blas.set_num_threads(1);
    return DT_OK;
}

const char *dt_matmul_core(void) {
    return blas.sgemm ? blas.get_corename() : "none";
}

void dt_matmul_name(char name[DT_MATMUL_NAME_BYTES]) {
    /* The first two words; what follows is how it was built. */
    const char *config = blas.get_config(), *version = strchr(config, ' ');
    const size_t length =
        version ? (size_t)(version - config) + 1 + strcspn(version + 1, " ") : strlen(config);
    snprintf(name, DT_MATMUL_NAME_BYTES, "%.*s %s", (int)length, config, blas.get_corename());
}

void dt_matmul_sgemm(const dt_product *x) {
    DT_ASSERT(blas.sgemm != NULL && x->bias == NULL);
    blas.sgemm(ROW_MAJOR, x->transpose_a ? TRANSPOSE : NO_TRANSPOSE,
               x->transpose_b ? TRANSPOSE : NO_TRANSPOSE, dt_narrow(x->m), dt_narrow(x->n), dt_narrow(x->k),
               1.0f, x->a, dt_narrow(x->a_stride), x->b, dt_narrow(x->b_stride), x->add ? 1.0f : 0.0f, x->c,
               dt_narrow(x->c_stride));
}
