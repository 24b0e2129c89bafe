/* Figures of numbers that no study measures but a file can hold. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "report/scaling_chart.h"

static int64_t count_of(const char *text, const char *words) {
    int64_t count = 0;
    for (; (text = strstr(text, words)) != NULL; text++)
        count++;
    return count;
}

/* Bytes of the figure of 1, 2 and 8 ranks of which the middle one is this. Nothing in it is no number. */
static size_t draw(bool rising, double value, double half_width, double predicted) {
    char *text = NULL;
    size_t length;
    FILE *file = open_memstream(&text, &length);
    dt_scaling_chart chart = {.title = "T", .unit = "u", .rising = rising, .count = 3};
    const double usual = rising ? 1.0 : 100.0;
    chart.measured[0] = (dt_scaling_chart_mark){1.0, usual, 0.0};
    chart.measured[1] = (dt_scaling_chart_mark){2.0, value, half_width};
    chart.measured[2] = (dt_scaling_chart_mark){8.0, usual, 0.1};
    chart.predicted[0] = chart.predicted[2] = usual;
    chart.predicted[1] = predicted;
    assert_non_null(file);
    dt_scaling_chart_draw(&chart, file);
    assert_int_equal(fclose(file), 0);
    assert_true(count_of(text, "<path class=\"grid\"") <= 9);
    assert_true(count_of(text, "<path class=\"grid\"") >= 2);
    for (const char *at = text; (at = strchr(at, '"')) != NULL; at++)
        if (strncmp(at, "\"nan", 4) == 0 || strncmp(at, "\"-nan", 5) == 0 || strncmp(at, "\"inf", 4) == 0)
            fail_msg("%g, %g, %g: %.40s", value, half_width, predicted, at);
    free(text);
    return length;
}

/* A figure has the size of its frame, whatever the numbers are that a file holds. */
static void no_value_makes_a_figure_large(void **state) {
    (void)state;
    const double values[] = {1.0,  50.0,  1e4,    1e6,  1e9,  1e15,   1e300,     1e-6,
                             1e-9, 1e-30, 1e-300, -1.0, 0.0,  5e-324, -INFINITY, INFINITY,
                             NAN,  160.1, 31.9,   7.0,  1e30, 1e31,   1.7e308};
    const size_t count = sizeof values / sizeof *values;
    for (int rising = 0; rising <= 1; rising++)
        for (size_t v = 0; v < count; v++)
            for (size_t w = 0; w < count; w++)
                assert_true(draw(rising, values[v], values[w], values[count - 1 - w]) < 8192);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(no_value_makes_a_figure_large)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
