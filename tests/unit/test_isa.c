/* Which set of kernels a processor and DTRAIN_ISA lead to. */
#include "support/sentence.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "math/kernels.h"

#if defined __x86_64__
#define NAMES "avx512_bf16, avx512, avx2, baseline"
static const char *const names[DT_KERNELS_SETS] = {"avx512_bf16", "avx512", "avx2", "baseline"};
#else
#define NAMES "neon"
static const char *const names[DT_KERNELS_SETS] = {"neon"};
#endif

static const dt_kernels *fastest(void) {
    for (int index = 0; index < DT_KERNELS_SETS; index++)
        if (dt_kernels_get(index, DT_DTYPE_FP32))
            return dt_kernels_get(index, DT_DTYPE_FP32);
    return NULL;
}

/* Sets are whole, stand from fast to slow under their names, and every processor runs the last. */
static void sets_are_whole(void **state) {
    (void)state;
    assert_non_null(dt_kernels_get(DT_KERNELS_SETS - 1, DT_DTYPE_FP32));
    for (int index = 0; index < DT_KERNELS_SETS; index++) {
        const dt_kernels *k = dt_kernels_get(index, DT_DTYPE_FP32);
        if (k == NULL)
            continue;
        print_message("this processor runs %s\n", k->name);
        assert_string_equal(k->name, names[index]);
        assert_true(k->embedding && k->layernorm && k->attention && k->gelu && k->residual && k->loss);
        /* A processor that runs a set runs the slower ones too. */
        for (int slower = index + 1; slower < DT_KERNELS_SETS; slower++)
            assert_non_null(dt_kernels_get(slower, DT_DTYPE_FP32));
    }
    /* Each set has functions of its own: a table that names one set's twice would never run the other's. */
    for (int a = 0; a < DT_KERNELS_SETS; a++)
        for (int b = 0; b < a; b++) {
            const dt_kernels *one = dt_kernels_get(a, DT_DTYPE_FP32);
            const dt_kernels *other = dt_kernels_get(b, DT_DTYPE_FP32);
            if (one == NULL || other == NULL)
                continue;
            assert_ptr_not_equal(one->embedding, other->embedding);
            assert_ptr_not_equal(one->layernorm, other->layernorm);
            assert_ptr_not_equal(one->attention, other->attention);
            assert_ptr_not_equal(one->gelu, other->gelu);
            assert_ptr_not_equal(one->residual, other->residual);
            assert_ptr_not_equal(one->loss, other->loss);
            assert_ptr_not_equal(one->linear, other->linear);
        }
}

/* What DTRAIN_ISA names is taken where the processor runs it; otherwise it is refused with what would do. */
static void the_environment_asks_for_a_set(void **state) {
    (void)state;
    for (int index = 0; index < DT_KERNELS_SETS; index++) {
        setenv("DTRAIN_ISA", names[index], 1);
        if (dt_kernels_get(index, DT_DTYPE_FP32)) {
            assert_done(dt_kernels_check());
            assert_ptr_equal(dt_kernels_best(DT_DTYPE_FP32), dt_kernels_get(index, DT_DTYPE_FP32));
        } else {
            assert_int_equal(dt_kernels_check(), DT_USAGE);
            assert_non_null(strstr(dt_error(), "this processor does not run"));
            assert_non_null(strstr(dt_error(), fastest()->name));
        }
    }
}

static void an_unknown_name_is_refused(void **state) {
    (void)state;
    const char *const unknown[] = {"sse9", "AVX2", "avx", "avx51", "avx5120", " baseline"};
    for (size_t i = 0; i < sizeof unknown / sizeof *unknown; i++) {
        char sentence[256];
        snprintf(sentence, sizeof sentence,
                 "DTRAIN_ISA: expected one of " NAMES ", found \"%s\"; unset it for the fastest that the "
                 "processor runs",
                 unknown[i]);
        setenv("DTRAIN_ISA", unknown[i], 1);
        assert_refused(dt_kernels_check(), sentence);
    }
    setenv("DTRAIN_ISA", "", 1);
    assert_done(dt_kernels_check());
    assert_ptr_equal(dt_kernels_best(DT_DTYPE_FP32), fastest());
    unsetenv("DTRAIN_ISA");
    assert_done(dt_kernels_check());
    assert_ptr_equal(dt_kernels_best(DT_DTYPE_FP32), fastest());
}

/*
 * Every set multiplies and adds in one rounding where a formula says so: with 1.3333334 for a factor, 0.75 of
 * it is 1 + 2^-25, of which a second rounding leaves 1.
 */
static void every_set_fuses_multiplication_and_addition(void **state) {
    (void)state;
    enum { C = 64 };
    const dt_dropout drop = dt_dropout_at(1, 0.25, 0, DT_DROPOUT_EMBEDDING, 0, 1);
    const float zeros[C] = {0}, product = (float)(0.75 * (double)drop.scale);
    assert_true(product == 1.0f && 0.75 * (double)drop.scale > 1.0);
    for (int index = 0; index < DT_KERNELS_SETS; index++) {
        const dt_kernels *k = dt_kernels_get(index, DT_DTYPE_FP32);
        float out[C], x[C], residual[C], factor[DT_DROPOUT_ROOM(C)];
        if (k == NULL)
            continue;
        for (int c = 0; c < C; c++) {
            x[c] = 0.75f;
            residual[c] = -1.0f;
        }
        k->residual->forward(out, residual, x, zeros, 1, C, &drop, factor);
        const float expected = (float)(0.75 * (double)drop.scale - 1.0);
        for (int c = 0; c < C; c++)
            if (out[c] != (factor[c] == 0.0f ? -1.0f : expected))
                fail_msg("%s: out[%d] is %g, expected %g", k->name, c, (double)out[c], (double)expected);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sets_are_whole),
        cmocka_unit_test(the_environment_asks_for_a_set),
        cmocka_unit_test(an_unknown_name_is_refused),
        cmocka_unit_test(every_set_fuses_multiplication_and_addition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
