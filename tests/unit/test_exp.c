/* dt_exp, compiled as each set of kernels compiles it, against the exponential of the C library in double. */
#include <float.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "math/exp.h"
#include "math/kernels.h"
#include "support/float_bits.h"
#include "support/formulas.h"

/* Arguments are worked through in blocks, so that the loops below become the vector code that kernels run. */
#define BLOCK 1024

#define FORMULAS(isa, nothing) &test_formulas_##isa,
static const struct test_formulas *const formulas[DT_KERNELS_SETS] = {DT_ISA_EACH(FORMULAS, )};

/* Units in the last place of the float next to `exact` that lie between it and `found`. */
static double ulps(float found, double exact) {
    int exponent;
    (void)frexp(exact, &exponent);
    return fabs((double)found - exact) / ldexp(1.0, exponent - 24);
}

/* The worst error of a variant on the block of arguments, beside the worst so far. */
static double worst_of(int index, const float *x, const double *exact, double worst) {
    float y[BLOCK];
    formulas[index]->exp(y, x, BLOCK);
    for (int i = 0; i < BLOCK; i++) {
        const double error = ulps(y[i], exact[i]);
        worst = error > worst ? error : worst;
    }
    return worst;
}

/*
 * The error is below the 1.1 units in the last place that exp.h promises. Bit patterns are taken at a stride,
 * of both signs, from 2^-30 (below it the answer is 1 on sight) to the end of the range: some millions.
 */
static void error_is_below_its_bound(void **state) {
    (void)state;
    const uint32_t min = float_bits_get(0x1p-30f), stride = 127;
    double worst[DT_KERNELS_SETS] = {0};
    for (int sign = 0; sign < 2; sign++) {
        const uint32_t max = float_bits_get(sign ? -DT_EXP_MIN : DT_EXP_MAX);
        for (uint32_t bits = min; bits <= max; bits += stride * BLOCK) {
            float x[BLOCK];
            double exact[BLOCK];
            for (uint32_t i = 0; i < BLOCK; i++) {
                const uint32_t at = bits + i * stride < max ? bits + i * stride : max;
                x[i] = sign ? -float_bits_make(at) : float_bits_make(at);
                exact[i] = exp((double)x[i]);
            }
            for (int index = 0; index < DT_KERNELS_SETS; index++)
                if (dt_kernels_get(index, DT_DTYPE_FP32))
                    worst[index] = worst_of(index, x, exact, worst[index]);
        }
    }
    for (int index = 0; index < DT_KERNELS_SETS; index++)
        if (dt_kernels_get(index, DT_DTYPE_FP32)) {
            print_message("%s: worst error %.3f ulp\n", dt_kernels_get(index, DT_DTYPE_FP32)->name,
                          worst[index]);
            if (!(worst[index] < 1.1))
                fail_msg("%s: worst error %.3f ulp", dt_kernels_get(index, DT_DTYPE_FP32)->name,
                         worst[index]);
        }
}

/* Whoever asks beyond the range gets the exponential of the nearer end, which is finite and at least 1e-38.
 */
static void outside_is_moved_to_the_nearer_end(void **state) {
    (void)state;
    const float beyond[] = {-87.30001f, -88.0f, -104.0f, -1e4f, -FLT_MAX, -INFINITY,
                            88.30001f,  89.0f,  128.0f,  1e4f,  FLT_MAX,  INFINITY};
    const int count = (int)(sizeof beyond / sizeof *beyond);
    float x[BLOCK] = {DT_EXP_MIN, DT_EXP_MAX}, y[BLOCK];
    memcpy(x + 2, beyond, sizeof beyond);
    for (int index = 0; index < DT_KERNELS_SETS; index++) {
        if (dt_kernels_get(index, DT_DTYPE_FP32) == NULL)
            continue;
        formulas[index]->exp(y, x, BLOCK);
        assert_true(y[0] >= 1e-38f && y[0] < 2e-38f && y[1] > 1e38f && isfinite(y[1]));
        for (int i = 0; i < count; i++)
            assert_true(y[2 + i] == (beyond[i] < 0.0f ? y[0] : y[1]));
    }
}

/*
 * Neighbouring floats near the ends are 7.6e-6 apart, sixty times the rounding of the result: there the
 * function must rise from each to the next. And exp(0) is exactly 1, so a softmax of one score is exactly 1.
 */
static void rises_towards_the_ends(void **state) {
    (void)state;
    float x[BLOCK], y[BLOCK];
    for (int index = 0; index < DT_KERNELS_SETS; index++) {
        if (dt_kernels_get(index, DT_DTYPE_FP32) == NULL)
            continue;
        for (int end = 0; end < 2; end++) {
            const uint32_t last = float_bits_get(end ? DT_EXP_MAX : -DT_EXP_MIN);
            for (uint32_t i = 0; i < BLOCK; i++)
                x[i] = end ? float_bits_make(last - BLOCK + 1 + i) : -float_bits_make(last - i);
            formulas[index]->exp(y, x, BLOCK);
            for (int i = 1; i < BLOCK; i++)
                if (!(y[i] > y[i - 1]))
                    fail_msg("%s: exp(%.9g) = %.9g is not above exp(%.9g) = %.9g",
                             dt_kernels_get(index, DT_DTYPE_FP32)->name, (double)x[i], (double)y[i],
                             (double)x[i - 1], (double)y[i - 1]);
        }
        memset(x, 0, sizeof x);
        x[1] = -0.0f;
        formulas[index]->exp(y, x, BLOCK);
        assert_true(y[0] == 1.0f && y[1] == 1.0f);
    }
}

/* For a softmax the function is the same down to DT_EXP_FLUSH, and 0 below, infinity included. */
static void a_softmax_flushes_what_is_small(void **state) {
    (void)state;
    float x[BLOCK], y[BLOCK], flushed[BLOCK];
    for (int i = 0; i < BLOCK; i++)
        x[i] = (float)(-86.0 + 86.5 * i / BLOCK);
    x[0] = -INFINITY;
    x[1] = -FLT_MAX;
    x[2] = nextafterf(DT_EXP_FLUSH, -INFINITY);
    x[3] = DT_EXP_FLUSH;
    for (int index = 0; index < DT_KERNELS_SETS; index++) {
        if (dt_kernels_get(index, DT_DTYPE_FP32) == NULL)
            continue;
        formulas[index]->exp(y, x, BLOCK);
        formulas[index]->exp_flushed(flushed, x, BLOCK);
        for (int i = 0; i < BLOCK; i++)
            assert_true(flushed[i] == (x[i] < DT_EXP_FLUSH ? 0.0f : y[i]));
        assert_true(flushed[3] > 0.0f);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(error_is_below_its_bound),
        cmocka_unit_test(outside_is_moved_to_the_nearer_end),
        cmocka_unit_test(rises_towards_the_ends),
        cmocka_unit_test(a_softmax_flushes_what_is_small),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
