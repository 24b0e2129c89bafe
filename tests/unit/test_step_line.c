/* Lines of numbers: each is what strtod makes of it, bit for bit, or none is. */
#include "support/sentence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/step_line.h"

static bool read(const char *line, dt_step_line *values) {
    return dt_step_line_read(line, strlen(line), values);
}

static void test_a_line_of_a_run(void **state) {
    dt_step_line v;
    (void)state;
    assert_true(
        read("{\"step\":3,\"loss\":4.54063659,\"lr\":0.0003,\"grad_norm\":2.7343815,\"step_ms\":22.462796,"
             "\"comm_ms\":14.666162,\"exposed_ms\":0,\"tokens_per_s\":45586.4889}\n",
             &v));
    assert_int_equal(v.step, 3);
    assert_true(v.value[DT_STEP_KEY_LOSS] == 4.54063659 && v.value[DT_STEP_KEY_LR] == 0.0003);
    assert_true(v.value[DT_STEP_KEY_STEP_MS] == 22.462796 && v.value[DT_STEP_KEY_EXPOSED_MS] == 0.0);
    assert_true(isnan(v.value[DT_STEP_KEY_VAL_LOSS]) && isnan(v.value[DT_STEP_KEY_NOISE_SCALE]));
    assert_true(read("{\"step\":7,\"loss\":null,\"grad_norm\":1e-05}", &v));
    assert_true(isnan(v.value[DT_STEP_KEY_LOSS]) && v.value[DT_STEP_KEY_GRAD_NORM] == 1e-5);
    assert_true(read("{\"step\":9,\"val_loss\":2.5}\n", &v));
    assert_true(v.value[DT_STEP_KEY_VAL_LOSS] == 2.5);
}

/* What is torn anywhere, or of another kind, is refused whole. */
static void test_other_lines(void **state) {
    static const char whole[] = "{\"step\":3,\"loss\":4.5,\"lr\":1e-3}\n";
    static const char *const others[] = {"",
                                         "\n",
                                         "{}",
                                         "[1]",
                                         "{\"loss\":1}",
                                         "{\"step\":1.5,\"loss\":1}",
                                         "{\"step\":1,\"loss\":nan}",
                                         "{\"step\":1,\"loss\":1e999}",
                                         "{\"step\":1,\"loss\":\"1\"}",
                                         "{\"step\":1,\"loss\":.5}",
                                         "{\"step\":1,\"loss\":1.}",
                                         "{\"step\":1,\"loss\":1}x",
                                         "{\"step\":1,\"loss\":1,}",
                                         "{\"step\":1,\"a\\\"b\":1}",
                                         "{\"step\":99999999999999999999}"};
    dt_step_line v;
    (void)state;
    for (size_t length = 0; length < strlen(whole) - 1; length++)
        assert_false(dt_step_line_read(whole, length, &v));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (read(others[i], &v))
            fail_msg("%s was read", others[i]);
}

/* Numbers of 1 to 17 digits and all exponents: the same bits as strtod. */
static void test_numbers_are_strtods(void **state) {
    char line[128], number[64];
    dt_step_line v;
    (void)state;
    srand(1);
    for (int i = 0; i < 200000; i++) {
        const double mantissa = (double)rand() / RAND_MAX - 0.5;
        const double value = ldexp(mantissa, rand() % 1200 - 600);
        snprintf(number, sizeof number, rand() % 2 ? "%.*g" : "%.*e", 1 + rand() % 17, value);
        snprintf(line, sizeof line, "{\"step\":1,\"loss\":%s}\n", number);
        assert_true(read(line, &v));
        const double expected = strtod(number, NULL);
        if (memcmp(&v.value[DT_STEP_KEY_LOSS], &expected, sizeof expected) != 0)
            fail_msg("%s was read as %.17g", number, v.value[DT_STEP_KEY_LOSS]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_a_line_of_a_run),
                                       cmocka_unit_test(test_other_lines),
                                       cmocka_unit_test(test_numbers_are_strtods)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
