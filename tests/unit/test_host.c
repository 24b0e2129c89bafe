/* The host's name, of a system that the test makes up. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/host.h"

static const char *told; /* by the system; NULL: it fails */

int __wrap_gethostname(char *name, size_t bytes);

/* As the C library's: a name that does not fit is cut, and has no 0 byte then. */
int __wrap_gethostname(char *name, size_t bytes) {
    if (told == NULL) {
        errno = EPERM;
        return -1;
    }
    strncpy(name, told, bytes);
    return 0;
}

static void expect(const char *system, const char *expected) {
    char name[DT_HOST_BYTES];
    memset(name, 'x', sizeof name);
    told = system;
    dt_host_name(name);
    assert_string_equal(name, expected);
}

static void the_name_is_the_systems(void **state) {
    (void)state;
    expect("n17.cluster", "n17.cluster");
}

static void a_long_name_is_cut(void **state) {
    (void)state;
    char full[2 * DT_HOST_BYTES] = "", cut[DT_HOST_BYTES] = "";
    memset(full, 'n', sizeof full - 1);
    memset(cut, 'n', sizeof cut - 1);
    expect(full, cut);
}

static void without_a_name_the_host_is_unknown(void **state) {
    (void)state;
    expect(NULL, "unknown host");
    expect("", "unknown host");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_is_the_systems),
        cmocka_unit_test(a_long_name_is_cut),
        cmocka_unit_test(without_a_name_the_host_is_unknown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
