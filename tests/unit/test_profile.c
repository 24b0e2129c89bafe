/* When the table of a step's parts does not explain the step, that is said. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bench/profile.h"

/* A step of so many seconds whose parts take so much of it by themselves, of which some is hidden. */
static bool step_warns(double seconds, double sum, double hidden, const char *says) {
    const dt_profile profile = {
        .step = {.median = seconds}, .sum_seconds = sum * seconds, .hidden_seconds = hidden * seconds};
    char text[256];
    const bool warned = dt_profile_warning(&profile, text, sizeof text);
    if (warned && strstr(text, says) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", says, text);
    return warned;
}

static bool warns(double sum, double hidden, const char *says) {
    return step_warns(1.0, sum, hidden, says);
}

static void more_than_a_tenth_without_a_part_is_told(void **state) {
    (void)state;
    assert_false(warns(1.0, 0.0, ""));
    assert_false(warns(0.91, 0.0, ""));
    assert_false(warns(1.09, 0.0, ""));
    assert_true(warns(0.1, 0.0, "90 % of the step is in none of its parts"));
    assert_true(warns(1.1, 0.5, "40 % of the step is in none of its parts"));
    assert_false(warns(1.5, 0.5, "")); /* hidden is accounted for */
    assert_true(warns(1.5, 0.0, "the parts by themselves take 50 % longer than the step"));
    /* Two tenths of a millisecond belong to no part of any step. */
    assert_false(step_warns(0.4e-3, 0.5, 0.0, ""));
    assert_true(step_warns(4e-3, 0.5, 0.0, "50 % of the step is in none of its parts"));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(more_than_a_tenth_without_a_part_is_told)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
