/* Each shape of the learning rate at its corners: the first step, the end of warm-up, the end, and past it.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "optim/lr_schedule.h"

/* Fails unless the rate of `step` is `expected` to a few roundings in double. */
static void assert_rate(const dt_lr_schedule *s, int64_t step, double expected) {
    const double rate = dt_lr_schedule_rate(s, step);
    if (!(fabs(rate - expected) <= 1e-15 * s->peak))
        fail_msg("the rate of step %lld is %.17g, expected %.17g", (long long)step, rate, expected);
}

static void constant_is_the_peak(void **state) {
    (void)state;
    const dt_lr_schedule s = {.shape = DT_LR_CONSTANT, .peak = 3e-4, .min = 1e-5, .max_steps = 100};
    const int64_t steps[] = {1, 2, 50, 100, 101, INT64_MAX / 2};
    for (size_t i = 0; i < sizeof steps / sizeof *steps; i++)
        assert_rate(&s, steps[i], 3e-4);
}

/* peak x step / warmup_steps, reaching the peak at its last step, in every shape. */
static void warmup_is_linear_in_every_shape(void **state) {
    (void)state;
    const dt_lr_shape every[] = {DT_LR_CONSTANT, DT_LR_COSINE, DT_LR_WSD};
    for (int i = 0; i < 3; i++) {
        const dt_lr_schedule s = {.shape = every[i],
                                  .peak = 2.0,
                                  .min = 0.5,
                                  .warmup_steps = 8,
                                  .decay_steps = 10,
                                  .max_steps = 100};
        assert_rate(&s, 1, 0.25);
        assert_rate(&s, 4, 1.0);
        assert_rate(&s, 7, 1.75);
        assert_rate(&s, 8, 2.0);
        assert_true(dt_lr_schedule_rate(&s, 9) <= 2.0);
        assert_true(dt_lr_schedule_rate(&s, 9) >= 1.99);
    }
    const dt_lr_schedule one = {.shape = DT_LR_CONSTANT, .peak = 2.0, .warmup_steps = 1, .max_steps = 3};
    assert_rate(&one, 1, 2.0);
    assert_rate(&one, 2, 2.0);
    const dt_lr_schedule all = {.shape = DT_LR_COSINE, .peak = 2.0, .warmup_steps = 4, .max_steps = 4};
    assert_rate(&all, 4, 2.0); /* warm-up may be the whole run */
}

/* Half a cosine between the end of warm-up and max_steps: cos of 0, pi/3, pi/2, 2 pi/3 and pi is exact. */
static void cosine_falls_by_its_formula(void **state) {
    (void)state;
    const dt_lr_schedule s = {
        .shape = DT_LR_COSINE, .peak = 1.0, .min = 0.2, .warmup_steps = 10, .max_steps = 70};
    assert_rate(&s, 10, 1.0);
    assert_rate(&s, 30, 0.2 + 0.8 * 0.75);
    assert_rate(&s, 40, 0.6);
    assert_rate(&s, 50, 0.2 + 0.8 * 0.25);
    assert_rate(&s, 70, 0.2);
    assert_rate(&s, 71, 0.2);
    assert_rate(&s, 1000000, 0.2);
    const dt_lr_schedule cold = {.shape = DT_LR_COSINE, .peak = 1.0, .min = 0.0, .max_steps = 3};
    assert_rate(&cold, 1, 0.75); /* without warm-up the first step is already one on the way */
    assert_rate(&cold, 2, 0.25);
    assert_rate(&cold, 3, 0.0);
}

/* The peak until decay_steps before the end, then a straight line that reaches `min` with max_steps. */
static void wsd_is_stable_and_then_falls(void **state) {
    (void)state;
    const dt_lr_schedule s = {
        .shape = DT_LR_WSD, .peak = 1.0, .min = 0.1, .warmup_steps = 5, .decay_steps = 20, .max_steps = 100};
    assert_rate(&s, 5, 1.0);
    assert_rate(&s, 6, 1.0);
    assert_rate(&s, 80, 1.0);
    assert_rate(&s, 81, 1.0 - 0.9 / 20.0);
    assert_rate(&s, 90, 0.55);
    assert_rate(&s, 100, 0.1);
    assert_rate(&s, 101, 0.1);
    assert_rate(&s, 1000000, 0.1);
    const dt_lr_schedule tight = {
        .shape = DT_LR_WSD, .peak = 1.0, .min = 0.0, .warmup_steps = 2, .decay_steps = 2, .max_steps = 4};
    const double expected[] = {0.5, 1.0, 0.5, 0.0};
    for (int64_t step = 1; step <= 4; step++)
        assert_rate(&tight, step, expected[step - 1]);
}

/* A run shorter than its schedule: the warm-up gets as far as it gets, and a decay begins where it ends. */
static void short_runs_get_part_of_the_way(void **state) {
    (void)state;
    const dt_lr_schedule rising = {.shape = DT_LR_COSINE, .peak = 1.0, .warmup_steps = 20, .max_steps = 10};
    assert_rate(&rising, 5, 0.25);
    assert_rate(&rising, 10, 0.5);
    assert_rate(&rising, 50, 0.5);
    const dt_lr_schedule falling = {
        .shape = DT_LR_WSD, .peak = 1.0, .warmup_steps = 2, .decay_steps = 90, .max_steps = 10};
    assert_rate(&falling, 2, 1.0);
    assert_rate(&falling, 6, 0.5);
    assert_rate(&falling, 10, 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(constant_is_the_peak),           cmocka_unit_test(warmup_is_linear_in_every_shape),
        cmocka_unit_test(cosine_falls_by_its_formula),    cmocka_unit_test(wsd_is_stable_and_then_falls),
        cmocka_unit_test(short_runs_get_part_of_the_way),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
