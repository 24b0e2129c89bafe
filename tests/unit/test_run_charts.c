/* Charts of numbers that a run may have: none at all, one, equal ones, and such as no run should have. */
#include "support/sentence.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "report/chart.h"

static const double steps[] = {1, 2, 3, 50, 51, 100};

#define STEPS ((int)(sizeof steps / sizeof *steps))

static const dt_chart_domain domain = {{0, 0, 0}, {100, 1e6, 2}, 1.0, "hours"};

#define TEXT_BYTES 20000

/* The chart of these values, an SVG and its data; the next call takes its memory. */
static char *draw(const double *values, int count, bool raw, double width) {
    dt_series series = {0};
    dt_chart chart = {.id = "c", .title = "T", .unit = "u", .domain = &domain};
    const dt_chart_line like = {.label = "<name of a run that is long>", .raw = raw};
    static char text[TEXT_BYTES];
    for (int i = 0; i < count; i++)
        assert_done(dt_series_add(&series, steps[i], values[i]));
    assert_done(dt_chart_add(&chart, &series, &like, 40));
    FILE *file = fmemopen(text, sizeof text, "w");
    dt_chart_draw(&chart, width, file);
    dt_chart_data(&chart, file);
    assert_int_equal(fclose(file), 0);
    dt_chart_free(&chart);
    dt_series_free(&series);
    return text;
}

static void test_any_values(void **state) {
    static const double odd[] = {0.0,   1.0,  -1.0,    1e-300, -1e300,   1e300,     1.7e308, 5e-324,
                                 1e-30, 1e30, 3.14159, NAN,    INFINITY, -INFINITY, 77.0};
    (void)state;
    srand(7);
    for (int round = 0; round < 5000; round++) {
        double values[STEPS];
        for (int i = 0; i < STEPS; i++)
            values[i] = odd[(size_t)rand() % (sizeof odd / sizeof *odd)];
        char *text =
            draw(values, rand() % (STEPS + 1), rand() % 2, rand() % 2 ? DT_CHART_WIDE : DT_CHART_SMALL);
        if (strstr(text, "nan") || strstr(text, "inf"))
            fail_msg("%s", text);
        assert_true(strlen(text) < TEXT_BYTES - 1);
        assert_null(strstr(text, "<name"));
    }
}

/* The line of a step stands where its axis says: the first and the last tick are at the plot's ends. */
static void test_lines_meet_their_axis(void **state) {
    static const double values[] = {5, 5, 5, 5, 5, 10};
    double left, right, x, y;
    (void)state;
    char *text = draw(values, STEPS, false, DT_CHART_SMALL);
    assert_int_equal(sscanf(strstr(text, "data-plot="), "data-plot=\"%lf %lf", &left, &right), 2);
    const char *path = strstr(text, "<path class=\"line c0\"");
    assert_non_null(path);
    assert_int_equal(sscanf(strchr(path, 'M'), "M%lf %lf", &x, &y), 2);
    assert_true(fabs(x - (left + 0.015 * (right - left))) < 0.06); /* steps 1 and 2 share a column */
    const char *end = strchr(path, '/');
    while (*end != 'L')
        end--;
    assert_int_equal(sscanf(end, "L%lf %lf", &x, &y), 2);
    assert_true(fabs(x - right) < 0.06);
}

/* Of equal lines none hides another: those above are dashed, and their dots smaller; others are whole. */
static void test_equal_lines_show_one_another(void **state) {
    static const double values[][3] = {{3, 2, 1}, {3, 2, 1}, {3, 2, 2}, {3, 2, 1}};
    dt_chart chart = {.id = "c", .title = "T", .unit = "u", .domain = &domain};
    char *text = NULL;
    size_t length;
    (void)state;
    for (int l = 0; l < 4; l++) {
        dt_series series = {0};
        for (int i = 0; i < 3; i++)
            assert_done(dt_series_add(&series, steps[i], values[l][i]));
        assert_done(
            dt_chart_add(&chart, &series, &(dt_chart_line){.colour = l, .dots = true, .exact = true}, 100));
        dt_series_free(&series);
    }
    FILE *file = open_memstream(&text, &length);
    dt_chart_draw(&chart, DT_CHART_SMALL, file);
    assert_int_equal(fclose(file), 0);
    assert_non_null(strstr(text, "<path class=\"joined c0\" data-line=\"0\" d="));
    assert_non_null(strstr(text, "<path class=\"joined c1\" data-line=\"1\" stroke-dasharray=\"16 8\" d="));
    assert_non_null(strstr(text, "<path class=\"joined c2\" data-line=\"2\" d="));
    assert_non_null(strstr(text, "<path class=\"joined c3\" data-line=\"3\" stroke-dasharray=\"8 16\" d="));
    assert_non_null(strstr(text, "<path class=\"dots c0\" data-line=\"0\" style=\"stroke-width:13.5\" d="));
    assert_non_null(strstr(text, "<path class=\"dots c1\" data-line=\"1\" style=\"stroke-width:9.5\" d="));
    assert_non_null(strstr(text, "<path class=\"dots c2\" data-line=\"2\" d="));
    assert_non_null(strstr(text, "<path class=\"dots c3\" data-line=\"3\" d="));
    free(text);
    dt_chart_free(&chart);
}

/* One value far above all others is left out and counted; a few of many are not left out without need. */
static void test_outliers_are_counted(void **state) {
    dt_series series = {0};
    dt_chart chart = {.id = "c", .title = "T", .unit = "u", .domain = &domain};
    char *text = NULL;
    size_t length;
    (void)state;
    for (int i = 1; i <= 100; i++)
        assert_done(dt_series_add(&series, i, i == 50 ? 1e6 : 2.0 + 0.01 * (i % 5)));
    assert_done(dt_chart_add(&chart, &series, &(dt_chart_line){.raw = true}, 100));
    FILE *file = open_memstream(&text, &length);
    dt_chart_draw(&chart, DT_CHART_SMALL, file);
    assert_int_equal(fclose(file), 0);
    assert_non_null(strstr(text, "1 point beyond the axis"));
    free(text);
    dt_chart_free(&chart);
    dt_series_free(&series);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_any_values), cmocka_unit_test(test_lines_meet_their_axis),
        cmocka_unit_test(test_equal_lines_show_one_another), cmocka_unit_test(test_outliers_are_counted)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
