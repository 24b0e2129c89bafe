/* Which placements are warned of, and that the sentence holds the corrected numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "comm/placement.h"

typedef struct row {
    dt_placement placement; /* host cores, own cores, ranks here, threads, ranks, launched */
    const char *expected;   /* what the first warning holds, or NULL for none */
} row;

static void warnings_fit_the_placement(void **state) {
    (void)state;
    const row rows[] = {
        {{8, 1, 8, 1, 8, 0}, NULL},
        {{8, 4, 2, 4, 2, 0}, NULL},
        {{8, 8, 1, 8, 1, 1}, NULL},
        {{8, 1, 1, 1, 4, 4}, NULL}, /* one of four hosts */
        {{2, 2, 8, 1, 8, 0}, "8 ranks share 2 cores on this host and slow each other down; use mpirun -np 2"},
        {{8, 8, 4, 4, 4, 0}, "4 ranks of 4 threads share 8 cores"},
        {{8, 8, 4, 4, 4, 0}, "OMP_NUM_THREADS=2"},
        {{2, 2, 4, 4, 4, 0}, "OMP_NUM_THREADS=1"},
        {{8, 1, 2, 4, 2, 0}, "a rank with 4 threads is bound to 1 core,"},
        {{8, 1, 2, 4, 2, 0}, "--map-by slot:PE=4"},
        {{8, 8, 1, 1, 1, 4}, "the launcher started 4 tasks, but this one is a job of its own, rank 0 of 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        char text[512];
        const bool warned = dt_placement_warning(&rows[i].placement, 0, text, sizeof text);
        assert_int_equal(warned, rows[i].expected != NULL);
        if (warned && strstr(text, rows[i].expected) == NULL)
            fail_msg("row %zu: expected \"%s\" in \"%s\"", i, rows[i].expected, text);
    }
}

/* Every warning is given once, and then no more. */
static void all_warnings_are_listed(void **state) {
    (void)state;
    const dt_placement bad = {8, 1, 4, 4, 1, 4};
    char text[512], first[512];
    assert_true(dt_placement_warning(&bad, 0, first, sizeof first));
    assert_true(dt_placement_warning(&bad, 1, text, sizeof text));
    assert_string_not_equal(first, text);
    assert_true(dt_placement_warning(&bad, 2, text, sizeof text));
    assert_non_null(strstr(text, "bound"));
    assert_false(dt_placement_warning(&bad, 3, text, sizeof text));
}

/* Slurm's count of a crowded host switches yielding on; a choice that was made stands. */
static void crowded_hosts_yield(void **state) {
    (void)state;
    unsetenv("OMPI_MCA_mpi_yield_when_idle");
    setenv("SLURM_STEP_TASKS_PER_NODE", "1(x4)", 1);
    dt_placement_prepare();
    assert_null(getenv("OMPI_MCA_mpi_yield_when_idle"));
    setenv("SLURM_STEP_TASKS_PER_NODE", "99999(x2)", 1);
    dt_placement_prepare();
    assert_string_equal(getenv("OMPI_MCA_mpi_yield_when_idle"), "1");
    setenv("OMPI_MCA_mpi_yield_when_idle", "0", 1);
    dt_placement_prepare();
    assert_string_equal(getenv("OMPI_MCA_mpi_yield_when_idle"), "0");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(warnings_fit_the_placement),
        cmocka_unit_test(all_warnings_are_listed),
        cmocka_unit_test(crowded_hosts_yield),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
