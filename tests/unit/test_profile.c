/* What is said of a profile: whether the table of a step's parts explains the step. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/profile.h"

/* A step of so many seconds of which the parts have so much. */
static bool warns(double seconds, double sum) {
    const dt_profile profile = {.step = {.median = seconds}, .sum_seconds = sum * seconds};
    char text[256];
    return dt_profile_warning(&profile, text, sizeof text);
}

static void more_than_a_tenth_without_a_part_is_told(void **state) {
    (void)state;
    assert_false(warns(1.0, 1.0));
    assert_false(warns(1.0, 0.91));
    assert_true(warns(1.0, 0.89));
    /* Two tenths of a millisecond belong to no part of any step. */
    assert_false(warns(0.4e-3, 0.5));
    const dt_profile profile = {.step = {.median = 4e-3}, .sum_seconds = 2e-3};
    char text[256];
    assert_true(dt_profile_warning(&profile, text, sizeof text));
    assert_non_null(strstr(text, "50 % of the step is in none of its sections"));
}

/* What an allreduce takes alone beyond what the step saw of it; a disturbed measurement hides nothing. */
static void what_is_hidden_is_never_negative(void **state) {
    (void)state;
    assert_true(dt_profile_hidden(&(dt_profile){.alone_seconds = 3.0, .exposed_seconds = 1.0}) == 2.0);
    assert_true(dt_profile_hidden(&(dt_profile){.alone_seconds = 1.0, .exposed_seconds = 3.0}) == 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_than_a_tenth_without_a_part_is_told),
        cmocka_unit_test(what_is_hidden_is_never_negative),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
