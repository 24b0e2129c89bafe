/* Ticks are round, in order and within their axis, and no two say the same. */
#include "support/sentence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/axis.h"

/* All ticks of an axis with blanks between them. */
static const char *ticks_of(double low, double high, int max, bool whole) {
    static char text[512];
    dt_axis_ticks ticks;
    dt_axis_choose(low, high, max, whole, &ticks);
    *text = 0;
    for (int i = 0; i < ticks.count; i++)
        sprintf(text + strlen(text), "%s%s", i ? " " : "", ticks.text[i]);
    return text;
}

static void test_texts(void **state) {
    (void)state;
    assert_string_equal(ticks_of(0, 1e6, 6, true), "0 200k 400k 600k 800k 1M");
    assert_string_equal(ticks_of(0, 2e6, 5, true), "0 500k 1M 1.5M 2M");
    assert_string_equal(ticks_of(0, 1000, 6, true), "0 200 400 600 800 1000");
    assert_string_equal(ticks_of(0, 10000, 6, true), "0 2k 4k 6k 8k 10k");
    assert_string_equal(ticks_of(1.83, 4.6, 6, false), "2 3 4");
    assert_string_equal(ticks_of(0, 0.003, 4, false), "0 0.001 0.002 0.003");
    assert_string_equal(ticks_of(0, 3e-4, 4, false), "0 1e-4 2e-4 3e-4");
    assert_string_equal(ticks_of(-1, 1, 5, false), "-1.0 -0.5 0 0.5 1.0");
    assert_string_equal(ticks_of(0, 3, 9, true), "0 1 2 3");
    assert_string_equal(ticks_of(2.5e12, 7.5e12, 6, false), "3T 4T 5T 6T 7T");
    assert_string_equal(ticks_of(7, 7, 5, true), "7");
}

static void check(double low, double high, int max) {
    dt_axis_ticks ticks;
    dt_axis_choose(low, high, max, false, &ticks);
    const double slack = 1e-8 * (high - low);
    assert_in_range(ticks.count, 1, max);
    for (int i = 0; i < ticks.count; i++) {
        assert_true(ticks.value[i] >= low - slack && ticks.value[i] <= high + slack);
        assert_true(strlen(ticks.text[i]) < DT_AXIS_TEXT_BYTES);
        if (i > 0 && strcmp(ticks.text[i], ticks.text[i - 1]) == 0)
            fail_msg("%.17g to %.17g: %s twice", low, high, ticks.text[i]);
        if (i > 0)
            assert_true(ticks.value[i] > ticks.value[i - 1]);
    }
}

static void test_any_axis(void **state) {
    (void)state;
    srand(5);
    for (int i = 0; i < 100000; i++) {
        const double low = rand() % 3 ? pow(10.0, rand() % 20 - 8) * ((double)rand() / RAND_MAX) : 0.0;
        const double range = fmax(low, 1e-6) * pow(10.0, rand() % 12 - 5) * (0.1 + (double)rand() / RAND_MAX);
        const double first = rand() % 4 ? low : -low;
        check(first, first + range, 2 + rand() % 14);
    }
    check(0.0, 1e300, 8);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_texts), cmocka_unit_test(test_any_axis)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
