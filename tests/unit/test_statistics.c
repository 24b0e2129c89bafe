/*
 * Median, mean and interval equal those worked out by hand, and Student's quantile equals the printed tables
 * and the closed forms that exist for one and two degrees of freedom.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "bench/statistics.h"

/* The middle value of an odd number of values, the mean of the two middle ones of an even number; order does
 * not matter. */
static void test_median(void **state) {
    (void)state;
    double odd[] = {9.0, 1.0, 5.0}, even[] = {8.0, 2.0, 100.0, 4.0};
    const dt_statistics a = dt_statistics_of(odd, 3), b = dt_statistics_of(even, 4);
    assert_true(a.median == 5.0 && a.minimum == 1.0 && a.maximum == 9.0 && a.mean == 5.0 && a.count == 3);
    assert_true(b.median == 6.0 && b.minimum == 2.0 && b.maximum == 100.0 && b.mean == 28.5);
}

/* Mean 5, s^2 = 32/7; half_width = 2.364624 sqrt(32/7) / sqrt(8). */
static void test_interval(void **state) {
    (void)state;
    double values[] = {2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0};
    const dt_statistics s = dt_statistics_of(values, 8);
    assert_true(s.mean == 5.0 && s.median == 4.5);
    assert_true(fabs(s.half_width - 2.364624 * sqrt(32.0 / 7.0) / sqrt(8.0)) < 1e-6);
}

static void test_equal_values(void **state) {
    (void)state;
    double values[] = {3.0, 3.0, 3.0};
    const dt_statistics s = dt_statistics_of(values, 3);
    assert_true(s.median == 3.0 && s.half_width == 0.0);
}

/* One value has no spread to judge by. */
static void test_one_value(void **state) {
    (void)state;
    double value = 7.0;
    const dt_statistics s = dt_statistics_of(&value, 1);
    assert_true(s.median == 7.0 && s.minimum == 7.0 && s.maximum == 7.0 && s.mean == 7.0);
    assert_true(isnan(s.half_width));
}

/* t(1) is Cauchy's, tan(pi 0.475); t(2) is 2 z / sqrt(1 - z^2) / sqrt(2) with z = 0.95. */
static void test_student_closed_forms(void **state) {
    (void)state;
    assert_true(fabs(dt_statistics_student(1) - tan(3.14159265358979323846 * 0.475)) < 1e-9);
    assert_true(fabs(dt_statistics_student(2) - 0.95 * sqrt(2.0 / (1.0 - 0.95 * 0.95))) < 1e-9);
}

/* The quantiles of any printed table, to its digits; towards the normal distribution's 1.96 at the end. */
static void test_student_table(void **state) {
    (void)state;
    static const struct {
        int64_t freedom;
        double quantile;
    } table[] = {{3, 3.182},  {4, 2.776},  {5, 2.571},  {6, 2.447},   {9, 2.262},    {10, 2.228},
                 {19, 2.093}, {30, 2.042}, {60, 2.000}, {120, 1.980}, {1000, 1.962}, {1000000, 1.960}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (fabs(dt_statistics_student(table[i].freedom) - table[i].quantile) > 5.1e-4)
            fail_msg("t(%ld) is %.6f, expected %.3f", (long)table[i].freedom,
                     dt_statistics_student(table[i].freedom), table[i].quantile);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_median),
        cmocka_unit_test(test_interval),
        cmocka_unit_test(test_equal_values),
        cmocka_unit_test(test_one_value),
        cmocka_unit_test(test_student_closed_forms),
        cmocka_unit_test(test_student_table),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
