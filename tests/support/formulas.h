/**
 * The formulas that kernels are made of, over arrays, compiled as each set of kernels is: vector code.
 */
#ifndef DT_TESTS_FORMULAS_H
#define DT_TESTS_FORMULAS_H

#include <stdint.h>

#include "math/isa.h"

/** All arrays have `count` elements. */
struct test_formulas {
    void (*fma)(float *y, const float *a, const float *b, const float *c, int64_t count);

    /** dt_fma_vector for whole vectors, dt_fma for what is left. */
    void (*fma_vector)(float *y, const float *a, const float *b, const float *c, int64_t count);

    void (*exp)(float *y, const float *x, int64_t count);
    void (*exp_flushed)(float *y, const float *x, int64_t count);
};
DT_ISA_DECLARE(test_formulas);

#endif
