/* Numbers as people read them. */
#include "support/sentence.h"

#include <math.h>
#include <string.h>

#include "base/units.h"

static void test_counts(void **state) {
    static const struct {
        double value;
        const char *text;
    } cases[] = {{0, "0"},         {7, "7"},         {950, "950"},       {999.4, "999"},   {999.6, "1k"},
                 {1000, "1k"},     {37924, "37.9k"}, {3276800, "3.28M"}, {1.5e9, "1.5G"},  {2e12, "2T"},
                 {999499, "999k"}, {999500, "1M"},   {0.25, "0.25"},     {-1500, "-1.5k"}, {9.2e18, "9.2E"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(dt_units_count(cases[i].value).text, cases[i].text);
}

static void test_bytes(void **state) {
    (void)state;
    assert_string_equal(dt_units_rate(350e9).text, "350 G");
    assert_string_equal(dt_units_rate(350).text, "350 ");
    assert_string_equal(dt_units_bytes(512).text, "512 B");
    assert_string_equal(dt_units_bytes(37924).text, "37.9 kB");
    assert_string_equal(dt_units_bytes(1073741824).text, "1.07 GB"); /* a power of 1000, not of 1024 */
}

static void test_times(void **state) {
    static const struct {
        double seconds;
        const char *text;
    } cases[] = {{0, "0 us"},       {84e-6, "84 us"},     {0.9996e-3, "1 ms"}, {0.0542, "54.2 ms"},
                 {1.234, "1.23 s"}, {59.96, "60 s"},      {119.9, "120 s"},    {120, "0:02:00"},
                 {754, "0:12:34"},  {100000, "27:46:40"}, {-1, "-:--:--"},     {INFINITY, "-:--:--"},
                 {NAN, "-:--:--"}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        assert_string_equal(dt_units_seconds(cases[i].seconds).text, cases[i].text);
    assert_string_equal(dt_units_clock(59.6).text, "0:01:00");
}

/* Identity: whatever the number, the text fits and ends. */
static void test_any_number_fits(void **state) {
    (void)state;
    for (double value = 1e-300; value < 1e300; value *= 7.3) {
        assert_true(strlen(dt_units_count(value).text) < sizeof(dt_units) - 1);
        assert_true(strlen(dt_units_bytes(-value).text) < sizeof(dt_units) - 1);
        assert_true(strlen(dt_units_seconds(value).text) < sizeof(dt_units) - 1);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_counts),
        cmocka_unit_test(test_bytes),
        cmocka_unit_test(test_times),
        cmocka_unit_test(test_any_number_fits),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
