/* Modes of arithmetic that are not IEEE 754's default are noticed. */
#include <fenv.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/ieee.h"
#include "support/arithmetic.h"

static void the_default_has_no_fault(void **state) {
    (void)state;
    assert_null(dt_ieee_find_fault());
}

static void flush_to_zero_is_a_fault(void **state) {
    (void)state;
    arithmetic_flush(1);
    const char *fault = dt_ieee_find_fault();
    arithmetic_flush(0);
    assert_non_null(fault);
    assert_string_equal(fault, "denormal numbers become 0 (flush-to-zero)");
    assert_null(dt_ieee_find_fault());
}

static void every_other_rounding_is_a_fault(void **state) {
    (void)state;
    static const int modes[] = {FE_DOWNWARD, FE_UPWARD, FE_TOWARDZERO};
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        fesetround(modes[i]);
        const char *fault = dt_ieee_find_fault();
        fesetround(FE_TONEAREST);
        assert_non_null(fault);
        assert_string_equal(fault, "results are not rounded to nearest");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_default_has_no_fault),
        cmocka_unit_test(flush_to_zero_is_a_fault),
        cmocka_unit_test(every_other_rounding_is_a_fault),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
