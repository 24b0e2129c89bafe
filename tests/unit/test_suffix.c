/* Texts beside their endings: longer, equal, shorter and empty ones. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/suffix.h"

static void a_text_ends_in_its_last_bytes(void **state) {
    (void)state;
    assert_true(dt_has_suffix("report.svg", ".svg"));
    assert_true(dt_has_suffix(".svg", ".svg"));
    assert_true(dt_has_suffix("report", ""));
    assert_true(dt_has_suffix("", ""));
    assert_false(dt_has_suffix("svg", ".svg"));
    assert_false(dt_has_suffix("report.svg.html", ".svg"));
    assert_false(dt_has_suffix("", "."));
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_text_ends_in_its_last_bytes)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
