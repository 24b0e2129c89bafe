/* The masks, element by element and by their statistics, and the branch that takes them to the residual. */
#include "support/numbers.h"
#include "support/reference.h"

/* The factors of T rows of C columns as a set of kernels makes them: the backward pass of a gradient of ones.
 */
static float *factors(const dt_kernels *k, int64_t T, int64_t C, const dt_dropout *drop) {
    float *ones = numbers_block(T * C, sizeof *ones), *made = numbers_poisoned(T * C);
    float *factor = numbers_poisoned(DT_DROPOUT_FLOATS(C));
    for (int64_t i = 0; i < T * C; i++)
        ones[i] = 1.0f;
    k->residual->backward(made, ones, dt_range_all(T), C, drop, factor);
    free(ones);
    free(factor);
    return made;
}

/* Every element has the word that dropout.h names, so no mask depends on how wide a row or a tile is. */
static void every_element_has_its_word(void **state) {
    (void)state;
    const int64_t widths[] = {1, 15, 16, 17, 63, 64, 65, 130, 200}, T = 7;
    const double ps[] = {0.1, 0.5, 0.999};
    for_each_kernels(k) for (size_t w = 0; w < sizeof widths / sizeof *widths; w++) for (size_t p = 0; p < 3;
                                                                                         p++) {
        const int64_t C = widths[w];
        const dt_dropout drop = dt_dropout_at(0x123456789abcdef0u, ps[p], 3, DT_DROPOUT_RESIDUAL_2, 11, 5);
        const reference_dropout same = reference_dropout_at(0x123456789abcdef0u, ps[p], 3, 3, 11, 5);
        float *made = factors(k, T, C, &drop);
        for (int64_t i = 0; i < T * C; i++) {
            const float expected = (float)reference_factor(&same, i / C, i % C);
            if (made[i] != expected)
                fail_msg("%s: p %g, C %" PRId64 ", row %" PRId64 ", column %" PRId64
                         ": factor %g, expected %g",
                         k->name, ps[p], C, i / C, i % C, (double)made[i], (double)expected);
        }
        free(made);
    }
}

/* The key is that of (seed, layer * 4 + site); slot, step, threshold and scale are as the header says. */
static void a_site_has_its_key(void **state) {
    (void)state;
    const dt_dropout drop = dt_dropout_at(77, 0.25, 2, DT_DROPOUT_ATTENTION, 9, 1000);
    const dt_philox_key key = dt_philox_derive(77, DT_PURPOSE_DROPOUT, 2 * 4 + 1);
    assert_memory_equal(&drop.key, &key, sizeof key);
    assert_int_equal(drop.slot, 9);
    assert_int_equal(drop.step, 1000);
    assert_int_equal(drop.threshold, 0x40000000);
    assert_true(drop.scale == (float)(1.0 / 0.75));
}

/*
 * Of n elements pn are dropped, with standard deviation sqrt(n p (1 - p)); five of them allow for chance.
 * Since what stays is scaled by 1 / (1 - p), the mean factor is then 1 within five of sqrt(p / (n (1 - p))).
 */
static void as_many_are_dropped_as_asked(void **state) {
    (void)state;
    const int64_t T = 500, C = 400, n = T * C;
    const double ps[] = {0.01, 0.1, 0.5, 0.9};
    for_each_kernels(k) for (size_t i = 0; i < sizeof ps / sizeof *ps; i++) {
        const double p = ps[i];
        const dt_dropout drop = dt_dropout_at(42, p, 1, DT_DROPOUT_RESIDUAL_1, 0, 1);
        float *made = factors(k, T, C, &drop);
        double dropped = 0.0, mean = 0.0;
        for (int64_t e = 0; e < n; e++) {
            dropped += made[e] == 0.0f ? 1.0 : 0.0;
            mean += (double)made[e] / (double)n;
        }
        if (!(fabs(dropped - p * (double)n) < 5.0 * sqrt((double)n * p * (1.0 - p))) ||
            !(fabs(mean - 1.0) < 5.0 * sqrt(p / ((double)n * (1.0 - p)))))
            fail_msg("%s: p %g dropped %g of %" PRId64 ", mean factor %g", k->name, p, dropped, n, mean);
        free(made);
    }
}

/* p = 1 drops all, and p below 2^-32 drops none and scales by 1. */
static void the_ends_of_the_range(void **state) {
    (void)state;
    const int64_t T = 64, C = 320;
    const dt_dropout all = dt_dropout_at(1, 1.0, 0, DT_DROPOUT_EMBEDDING, 0, 1);
    const dt_dropout none = dt_dropout_at(1, 1e-10, 0, DT_DROPOUT_EMBEDDING, 0, 1);
    for_each_kernels(k) {
        float *zeros = factors(k, T, C, &all), *ones = factors(k, T, C, &none),
              *plain = factors(k, T, C, NULL);
        for (int64_t i = 0; i < T * C; i++)
            if (zeros[i] != 0.0f || ones[i] != 1.0f || plain[i] != 1.0f)
                fail_msg("%s: element %" PRId64 ": %g at p 1, %g at p 1e-10, %g without dropout", k->name, i,
                         (double)zeros[i], (double)ones[i], (double)plain[i]);
        free(zeros);
        free(ones);
        free(plain);
    }
}

/* At p = 1/2, masks of another seed, layer, site, slot, step or row agree in half of their elements. */
static void masks_are_unlike_each_other(void **state) {
    (void)state;
    const int64_t T = 100, C = 200;
    const dt_dropout masks[] = {
        dt_dropout_at(1, 0.5, 0, DT_DROPOUT_EMBEDDING, 0, 1),
        dt_dropout_at(2, 0.5, 0, DT_DROPOUT_EMBEDDING, 0, 1),
        dt_dropout_at(1, 0.5, 1, DT_DROPOUT_EMBEDDING, 0, 1),
        dt_dropout_at(1, 0.5, 0, DT_DROPOUT_ATTENTION, 0, 1),
        dt_dropout_at(1, 0.5, 0, DT_DROPOUT_EMBEDDING, 1, 1),
        dt_dropout_at(1, 0.5, 0, DT_DROPOUT_EMBEDDING, 0, 2),
    };
    const int count = (int)(sizeof masks / sizeof *masks);
    const dt_kernels *k = dt_kernels_best(DT_DTYPE_FP32);
    for (int a = 0; a < count; a++)
        for (int b = 0; b <= a; b++) {
            float *one = factors(k, T, C, &masks[a]), *other = factors(k, T, C, &masks[b]);
            const int64_t shift = a == b ? C : 0, n = T * C - shift; /* a mask against itself one row on */
            int64_t agree = 0;
            for (int64_t i = 0; i < n; i++)
                agree += one[i + shift] == other[i] ? 1 : 0;
            if (!(fabs((double)agree - 0.5 * (double)n) < 5.0 * sqrt(0.25 * (double)n)))
                fail_msg("masks %d and %d agree in %" PRId64 " of %" PRId64 " elements", a, b, agree, n);
            free(one);
            free(other);
        }
}

/* out = residual + factor (x + bias), whichever array out is; three roundings make 2 eps of the largest. */
static void the_branch_joins_the_residual(void **state) {
    (void)state;
    const int64_t T = 6, C = 77, n = T * C;
    float *residual = numbers_random(n, 1, 1.0), *x = numbers_random(n, 2, 1.0),
          *bias = numbers_random(C, 3, 1.0);
    double *wide = numbers_widen(residual, n), *expected = numbers_wide(n), *branch = numbers_wide(n);
    for (int64_t i = 0; i < n; i++)
        branch[i] = (double)x[i] + (double)bias[i % C];
    for_each_kernels(k) for (int dropping = 0; dropping < 2; dropping++) {
        const dt_dropout some = dt_dropout_at(5, 0.3, 1, DT_DROPOUT_RESIDUAL_1, 2, 3);
        const reference_dropout same = reference_dropout_at(5, 0.3, 1, 2, 2, 3);
        const dt_dropout *drop = dropping ? &some : NULL;
        float *factor = dropping ? numbers_poisoned(DT_DROPOUT_FLOATS(C)) : NULL;
        float *out = numbers_poisoned(n), *over_residual = numbers_copy(residual, n),
              *over_x = numbers_copy(x, n);
        k->residual->forward(out, residual, x, bias, dt_range_all(T), C, drop, factor);
        k->residual->forward(over_residual, over_residual, x, bias, dt_range_all(T), C, drop, factor);
        k->residual->forward(over_x, residual, over_x, bias, dt_range_all(T), C, drop, factor);
        reference_residual(expected, wide, branch, T, C, dropping ? &same : NULL);
        assert_close(k->name, "out", out, expected, n, 2.0 * (double)FLT_EPSILON);
        assert_same_bits(k->name, "out over the residual", over_residual, out, n);
        assert_same_bits(k->name, "out over x", over_x, out, n);
        free(factor);
        free(out);
        free(over_residual);
        free(over_x);
    }
    free(residual);
    free(x);
    free(bias);
    free(wide);
    free(expected);
    free(branch);
}

/* dx = factor dout, a single rounding. */
static void the_gradient_takes_the_same_mask(void **state) {
    (void)state;
    const int64_t T = 6, C = 77, n = T * C;
    const dt_dropout drop = dt_dropout_at(5, 0.3, 1, DT_DROPOUT_RESIDUAL_1, 2, 3);
    float *dout = numbers_random(n, 1, 1.0), *factor = numbers_poisoned(DT_DROPOUT_FLOATS(C));
    for_each_kernels(k) {
        float *dx = numbers_poisoned(n), *made = factors(k, T, C, &drop), *expected = numbers_copy(made, n);
        k->residual->backward(dx, dout, dt_range_all(T), C, &drop, factor);
        for (int64_t i = 0; i < n; i++)
            expected[i] *= dout[i];
        assert_same_bits(k->name, "dx", dx, expected, n);
        k->residual->backward(dx, dout, dt_range_all(T), C, NULL, NULL);
        assert_same_bits(k->name, "dx without dropout", dx, dout, n);
        free(dx);
        free(made);
        free(expected);
    }
    free(dout);
    free(factor);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_element_has_its_word),       cmocka_unit_test(a_site_has_its_key),
        cmocka_unit_test(as_many_are_dropped_as_asked),     cmocka_unit_test(the_ends_of_the_range),
        cmocka_unit_test(masks_are_unlike_each_other),      cmocka_unit_test(the_branch_joins_the_residual),
        cmocka_unit_test(the_gradient_takes_the_same_mask),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
