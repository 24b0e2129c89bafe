/* Thinning keeps what is smallest and largest, and smoothing is an average. */
#include "support/sentence.h"

#include <math.h>
#include <stdlib.h>

#include "report/thin.h"

#define STEPS   100000
#define COLUMNS 300

static dt_series noise(void) {
    dt_series series = {0};
    srand(3);
    for (int i = 1; i <= STEPS; i++)
        assert_done(dt_series_add(&series, i, (double)rand() / RAND_MAX));
    return series;
}

/* Identity: each column has exactly the extremes, the mean and the count of its own steps. */
static void test_columns_keep_extremes(void **state) {
    static dt_thin_column columns[COLUMNS];
    dt_series series = noise();
    int64_t count = 0;
    (void)state;
    series.value[77777] = 1e6;
    series.value[12345] = -1e6;
    dt_thin(&series, 1, STEPS, columns, COLUMNS);
    for (int x = 0; x < COLUMNS; x++) {
        double min = HUGE_VAL, max = -HUGE_VAL, sum = 0.0;
        for (int64_t i = 0; i < series.count; i++)
            if (dt_thin_position(series.step[i], 1, STEPS, COLUMNS) == x) {
                min = fmin(min, series.value[i]);
                max = fmax(max, series.value[i]);
                sum += series.value[i];
            }
        assert_true(columns[x].min == min && columns[x].max == max);
        assert_true(fabs(columns[x].mean * (double)columns[x].count - sum) <= 1e-9 * fabs(sum) + 1e-9);
        count += columns[x].count;
    }
    assert_int_equal(count, STEPS);
    dt_series_free(&series);
}

/* Fewer steps than columns stay as they are, one a column. */
static void test_few_steps_stay(void **state) {
    dt_thin_column columns[COLUMNS];
    dt_series series = {0};
    (void)state;
    for (int i = 0; i < 5; i++)
        assert_done(dt_series_add(&series, 10.0 * i, i * i));
    dt_thin(&series, 0, 40, columns, COLUMNS);
    assert_int_equal(dt_thin_pack(columns, COLUMNS), 5);
    for (int i = 0; i < 5; i++)
        assert_true(columns[i].step == 10.0 * i && columns[i].mean == i * i &&
                    columns[i].min == columns[i].max);
    dt_series_free(&series);
}

/* A constant stays one, a width of 0 changes nothing, a straight line stays straight away from its ends, and
 * the first value stays. */
static void test_smoothing_is_an_average(void **state) {
    dt_thin_column columns[COLUMNS] = {{0}};
    double smooth[COLUMNS];
    (void)state;
    for (int i = 0; i < COLUMNS; i++)
        columns[i] = (dt_thin_column){.step = i, .mean = 2.5, .count = 1};
    dt_thin_smooth(columns, COLUMNS, 7.0, smooth);
    for (int i = 0; i < COLUMNS; i++)
        assert_true(fabs(smooth[i] - 2.5) < 1e-12);
    for (int i = 0; i < COLUMNS; i++)
        columns[i].mean = 3.0 * i;
    dt_thin_smooth(columns, COLUMNS, 7.0, smooth);
    assert_true(smooth[0] == 0.0);
    for (int i = 30; i < COLUMNS - 30; i++)
        assert_true(fabs(smooth[i] - 3.0 * i) < 1e-9);
    dt_thin_smooth(columns, COLUMNS, 0.0, smooth);
    for (int i = 0; i < COLUMNS; i++)
        assert_true(smooth[i] == columns[i].mean);
}

/* A step that comes again replaces what is there from it on; between steps a series is straight. */
static void test_series(void **state) {
    dt_series series = {0};
    (void)state;
    assert_true(isnan(dt_series_at(&series, 1)));
    assert_int_equal(dt_series_min(&series), -1);
    for (int i = 1; i <= 1000; i++)
        assert_done(dt_series_add(&series, i, 1000 - i));
    assert_done(dt_series_add(&series, 501, 7));
    assert_done(dt_series_add(&series, 502, NAN));
    assert_done(dt_series_add(&series, 503, INFINITY));
    assert_int_equal(series.count, 501);
    assert_int_equal(dt_series_min(&series), 500);
    assert_true(dt_series_at(&series, 0) == 999 && dt_series_at(&series, 1e9) == 7);
    assert_true(dt_series_at(&series, 10.5) == 989.5);
    dt_series_free(&series);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_columns_keep_extremes), cmocka_unit_test(test_few_steps_stay),
        cmocka_unit_test(test_smoothing_is_an_average), cmocka_unit_test(test_series)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
