/* One thing has the singular; none and several have the plural. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/plural.h"

static void one_alone_is_singular(void **state) {
    (void)state;
    static const int64_t many[] = {0, 2, 11, 21, 101, INT64_MAX};
    assert_string_equal(dt_plural(1, "is", "are"), "is");
    assert_string_equal(dt_plural_s(1), "");
    for (size_t i = 0; i < sizeof many / sizeof *many; i++) {
        assert_string_equal(dt_plural(many[i], "is", "are"), "are");
        assert_string_equal(dt_plural_s(many[i]), "s");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(one_alone_is_singular)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
