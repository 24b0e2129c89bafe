/* A loss that jumps is told from one that varies, and what is not a number disturbs nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "config/config.h"
#include "train/spike.h"

/* Losses that vary around `level`, the same for the same number. */
static double loss_of(int64_t step, double level) {
    return level + 0.1 * sin((double)step * 1.7) + 0.01 * cos((double)step * 0.3);
}

/* Feeds the losses of steps [first, end); none of them is a spike. */
static void feed(dt_spike *spike, int64_t first, int64_t end) {
    dt_spike_finding finding;
    for (int64_t step = first; step < end; step++)
        assert_false(dt_spike_look(spike, loss_of(step, 3.0), &finding));
}

/* Against the definition: mean and standard deviation of the window before the loss. */
static void z_is_that_of_the_definition(void **state) {
    (void)state;
    dt_spike spike;
    dt_spike_finding finding;
    double mean = 0.0, squares = 0.0;
    assert_int_equal(dt_spike_create(&spike, 20, 6.0), DT_OK);
    feed(&spike, 0, 50);
    for (int64_t step = 30; step < 50; step++)
        mean += loss_of(step, 3.0) / 20.0;
    for (int64_t step = 30; step < 50; step++)
        squares += pow(loss_of(step, 3.0) - mean, 2.0) / 20.0;
    assert_true(dt_spike_look(&spike, 4.0, &finding));
    assert_true(fabs(finding.mean - mean) < 1e-8);
    assert_true(fabs(finding.deviation - sqrt(squares)) < 1e-8);
    assert_true(fabs(finding.z - (4.0 - mean) / sqrt(squares)) < 1e-6);
    dt_spike_free(&spike);
}

/* Just below and just above the threshold, and a fall as deep as the rise. */
static void the_threshold_is_met_from_below(void **state) {
    (void)state;
    for (int above = 0; above < 3; above++) {
        dt_spike spike;
        dt_spike_finding finding;
        assert_int_equal(dt_spike_create(&spike, 4, 3.0), DT_OK);
        for (int i = 0; i < 4; i++)
            assert_false(dt_spike_look(&spike, i % 2 ? 2.5 : 1.5, &finding)); /* mean 2, deviation 0.5 */
        const double loss = above == 2 ? 0.0 : above ? 3.501 : 3.499;
        assert_int_equal(dt_spike_look(&spike, loss, &finding), above == 1);
        dt_spike_free(&spike);
    }
}

/* A NaN or an infinity is no spike, and the next real one is found as if it had not been there. */
static void what_is_not_finite_changes_nothing(void **state) {
    (void)state;
    dt_spike spoiled, clean;
    dt_spike_finding of_spoiled, of_clean;
    assert_int_equal(dt_spike_create(&spoiled, 10, 6.0), DT_OK);
    assert_int_equal(dt_spike_create(&clean, 10, 6.0), DT_OK);
    for (int64_t step = 0; step < 15; step++) {
        feed(&spoiled, step, step + 1);
        feed(&clean, step, step + 1);
        assert_false(dt_spike_look(&spoiled, (double)NAN, &of_spoiled));
        assert_false(dt_spike_look(&spoiled, (double)INFINITY, &of_spoiled));
        assert_false(dt_spike_look(&spoiled, (double)-INFINITY, &of_spoiled));
    }
    assert_true(dt_spike_look(&spoiled, 9.0, &of_spoiled));
    assert_true(dt_spike_look(&clean, 9.0, &of_clean));
    assert_true(of_spoiled.z == of_clean.z && of_spoiled.mean == of_clean.mean);
    dt_spike_free(&spoiled);
    dt_spike_free(&clean);
}

/* A detector that is filled from the ninth digit of the last losses finds the same bits as one never stopped.
 */
static void a_detector_filled_again_finds_the_same(void **state) {
    (void)state;
    dt_spike whole, again;
    dt_spike_finding of_whole, of_again, unused;
    assert_int_equal(dt_spike_create(&whole, 7, 2.0), DT_OK);
    assert_int_equal(dt_spike_create(&again, 7, 2.0), DT_OK);
    for (int64_t step = 0; step < 40; step++) {
        char text[32];
        (void)dt_spike_look(&whole, loss_of(step, 3.0), &unused);
        snprintf(text, sizeof text, "%.9g", loss_of(step, 3.0));
        if (step >= 20) /* more of them than the window holds, and another start in the ring */
            (void)dt_spike_look(&again, strtod(text, NULL), &unused);
    }
    assert_true(dt_spike_look(&whole, 5.0, &of_whole));
    assert_true(dt_spike_look(&again, 5.0, &of_again));
    assert_memory_equal(&of_whole, &of_again, sizeof of_whole);
    dt_spike_free(&whole);
    dt_spike_free(&again);
}

/* Without variance the deviation is a thousandth of the mean; before the window is full, and switched off,
 * nothing is a spike. */
static void the_edges(void **state) {
    (void)state;
    dt_spike spike;
    dt_spike_finding finding;
    assert_int_equal(dt_spike_create(&spike, 5, 6.0), DT_OK);
    for (int i = 0; i < 4; i++)
        assert_false(dt_spike_look(&spike, 2.0, &finding));
    assert_false(dt_spike_look(&spike, 2.0, &finding));
    assert_false(dt_spike_look(&spike, 2.011, &finding));
    dt_spike_free(&spike);
    assert_int_equal(dt_spike_create(&spike, 5, 6.0), DT_OK);
    for (int i = 0; i < 4; i++)
        assert_false(dt_spike_look(&spike, 2.0, &finding));
    assert_false(dt_spike_look(&spike, 100.0, &finding));
    dt_spike_free(&spike);
    assert_int_equal(dt_spike_create(&spike, DT_NULL_INT, 6.0), DT_OK);
    for (int i = 0; i < 10; i++)
        assert_false(dt_spike_look(&spike, i == 9 ? 1e9 : 2.0, &finding));
    dt_spike_free(&spike);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(z_is_that_of_the_definition), cmocka_unit_test(the_threshold_is_met_from_below),
        cmocka_unit_test(what_is_not_finite_changes_nothing),
        cmocka_unit_test(a_detector_filled_again_finds_the_same), cmocka_unit_test(the_edges)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
