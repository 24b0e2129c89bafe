/* GELU against its formula in double, its slope against central differences of that formula. */
#include "support/numbers.h"
#include "support/reference.h"

enum { COUNT = 11 * 401 };

/* So many numbers as a matrix of one row. */
#define ONE_ROW(count) dt_range_all(1), ((dt_gelu_shape){count, count})

/* -12 to 12 in even steps, with 0 among them. */
static float *arguments(void) {
    float *pre = numbers_block(COUNT, sizeof *pre);
    for (int i = 0; i < COUNT; i++)
        pre[i] = 24.0f * (float)(i - COUNT / 2) / (float)COUNT;
    return pre;
}

/*
 * gelu(x) = x s with 0 < s < 1, and s comes with an absolute error of some eps (exp has 2 ulp, 1 + exp and
 * the division round once each, and the argument's own rounding counts only where s is steep): 4 eps |x|.
 */
static void forward_is_the_formula(void **state) {
    (void)state;
    float *pre = arguments();
    for_each_kernels(k) {
        float *y = numbers_poisoned(COUNT), *over = numbers_copy(pre, COUNT);
        k->gelu->forward(y, pre, ONE_ROW(COUNT));
        for (int i = 0; i < COUNT; i++) {
            const double x = (double)pre[i], expected = reference_gelu(x);
            if (!(fabs((double)y[i] - expected) <= 4.0 * (double)FLT_EPSILON * fabs(x)))
                fail_msg("%s: gelu(%.9g) is %.9g, expected %.9g", k->name, x, (double)y[i], expected);
        }
        k->gelu->forward(over, over, ONE_ROW(COUNT));
        assert_same_bits(k->name, "y over pre", over, y, COUNT);
        free(y);
        free(over);
    }
    free(pre);
}

static double value_of(void *context) {
    return reference_gelu(*(double *)context);
}

/* gelu' is at most 1.13 and made of terms up to 2 in size, each with a few roundings: 16 eps |dy|. */
static void backward_is_the_slope(void **state) {
    (void)state;
    float *pre = arguments(), *dy = numbers_random(COUNT, 10, 1.0);
    for_each_kernels(k) {
        float *dpre = numbers_poisoned(COUNT), *over = numbers_copy(dy, COUNT), *y = numbers_poisoned(COUNT);
        float *y_forward = numbers_poisoned(COUNT);
        k->gelu->backward(dpre, y, dy, pre, ONE_ROW(COUNT));
        k->gelu->forward(y_forward, pre, ONE_ROW(COUNT));
        assert_same_bits(k->name, "y made again", y, y_forward, COUNT);
        for (int i = 0; i < COUNT; i++) {
            double x = (double)pre[i];
            const double expected = (double)dy[i] * reference_slope(&x, value_of, &x);
            if (!(fabs((double)dpre[i] - expected) <= 16.0 * (double)FLT_EPSILON * fabs((double)dy[i])))
                fail_msg("%s: %.9g gelu'(%.9g) is %.9g, expected %.9g", k->name, (double)dy[i],
                         (double)pre[i], (double)dpre[i], expected);
        }
        k->gelu->backward(over, y, over, pre, ONE_ROW(COUNT));
        assert_same_bits(k->name, "dpre over dy", over, dpre, COUNT);
        float *blocks[] = {dpre, over, y, y_forward};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            free(blocks[i]);
    }
    free(pre);
    free(dy);
}

/* Far out gelu is x or 0 and its slope 1 or 0, whatever the exponential does there. */
static void far_out_it_is_a_ramp(void **state) {
    (void)state;
    enum { N = 8 };
    const float far[N] = {-1e6f, -1e4f, -100.0f, -20.0f, 20.0f, 100.0f, 1e4f, 1e6f};
    for_each_kernels(k) {
        float y[N], again[N], dpre[N], ones[N];
        for (int i = 0; i < N; i++)
            ones[i] = 1.0f;
        k->gelu->forward(y, far, ONE_ROW(N));
        k->gelu->backward(dpre, again, ones, far, ONE_ROW(N));
        for (int i = 0; i < N; i++)
            if (!(fabsf(y[i] - fmaxf(far[i], 0.0f)) <= 1e-30f) ||
                !(fabsf(dpre[i] - (far[i] > 0.0f)) <= 1e-20f))
                fail_msg("%s: gelu(%g) is %g with slope %g", k->name, (double)far[i], (double)y[i],
                         (double)dpre[i]);
    }
}

/* Rows with a gap between them have the bits of rows without, and nothing is written into the gaps. */
static void a_gap_between_rows_is_left_alone(void **state) {
    (void)state;
    enum { ROWS = 11, COLS = 401, STRIDE = COLS + 7 };
    const dt_gelu_shape apart = {COLS, STRIDE};
    float *pre = arguments(), *dy = numbers_random(COUNT, 10, 1.0);
    for_each_kernels(k) {
        float *y = numbers_poisoned(COUNT), *dpre = numbers_poisoned(COUNT), *again = numbers_poisoned(COUNT);
        float *pre_apart = numbers_poisoned(ROWS * STRIDE), *dy_apart = numbers_poisoned(ROWS * STRIDE);
        float *y_apart = numbers_poisoned(ROWS * STRIDE), *again_apart = numbers_poisoned(ROWS * STRIDE);
        for (int i = 0; i < ROWS; i++) {
            memcpy(pre_apart + i * STRIDE, pre + i * COLS, COLS * sizeof *pre);
            memcpy(dy_apart + i * STRIDE, dy + i * COLS, COLS * sizeof *dy);
        }
        k->gelu->forward(y, pre, ONE_ROW(COUNT));
        k->gelu->backward(dpre, again, dy, pre, ONE_ROW(COUNT));
        k->gelu->forward(y_apart, pre_apart, dt_range_all(ROWS), apart);
        k->gelu->backward(dy_apart, again_apart, dy_apart, pre_apart, dt_range_all(ROWS), apart);
        for (int i = 0; i < ROWS; i++) {
            assert_same_bits(k->name, "y", y_apart + i * STRIDE, y + i * COLS, COLS);
            assert_same_bits(k->name, "dpre", dy_apart + i * STRIDE, dpre + i * COLS, COLS);
            assert_same_bits(k->name, "y made again", again_apart + i * STRIDE, again + i * COLS, COLS);
            for (int j = COLS; j < STRIDE; j++)
                assert_true(isnan(y_apart[i * STRIDE + j]) && isnan(dy_apart[i * STRIDE + j]) &&
                            isnan(again_apart[i * STRIDE + j]));
        }
        float *blocks[] = {y, dpre, again, pre_apart, dy_apart, y_apart, again_apart};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            free(blocks[i]);
    }
    free(pre);
    free(dy);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_formula),
        cmocka_unit_test(backward_is_the_slope),
        cmocka_unit_test(far_out_it_is_a_ramp),
        cmocka_unit_test(a_gap_between_rows_is_left_alone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
