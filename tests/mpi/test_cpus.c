/* Ranks that a mask puts on one hardware thread know it, and let each other work while they wait. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>

#include "comm/placement.h"
#include "support/cmocka_mpi.h"

/* Open MPI's own; other libraries have no such thing. */
extern bool opal_progress_yield_when_idle __attribute__((weak));

static void ranks_on_one_thread_are_told_and_yield(void **state) {
    (void)state;
    assert_int_equal(world.size, 2);
    assert_int_equal(world.cpus.cores, 1);
    assert_int_equal(world.cpus.threads, 1);
    const dt_topology *here = dt_topology_here();
    const dt_topology_set cpuset = dt_topology_allowed(here);
    if (dt_topology_count(here, &cpuset).cores > 1)
        assert_int_equal(world.cpus.limit, DT_CPUS_MASK);
    if (&opal_progress_yield_when_idle)
        assert_true(opal_progress_yield_when_idle);
}

/* A part of the job in which no rank shares its core is not crowded; a quota, if there is one, stays. */
static void a_subset_has_what_its_own_ranks_have(void **state) {
    (void)state;
    dt_world subset;
    assert_ok(dt_world_split(&world, 1, &subset));
    if (subset.mpi)
        assert_int_not_equal(subset.cpus.limit, DT_CPUS_MASK);
    assert_ok(dt_world_rejoin(&world, &subset));
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(ranks_on_one_thread_are_told_and_yield),
    cmocka_unit_test(a_subset_has_what_its_own_ranks_have),
};

/* As by taskset: before MPI starts, on the first hardware thread that may be used; mpirun may have bound each
 * rank to another. */
int main(void) {
    cpu_set_t one;
    size_t first = 0;
    CPU_ZERO(&one);
    CPU_SET(first, &one);
    while (sched_setaffinity(0, sizeof one, &one) != 0 && first + 1 < CPU_SETSIZE) {
        CPU_CLR(first, &one);
        CPU_SET(++first, &one);
    }
    unsetenv("OMPI_MCA_mpi_yield_when_idle");
    if (!cmocka_mpi_open())
        return 1;
    const int failures = cmocka_run_group_tests(tests, NULL, NULL);
    dt_world_close(&world);
    return failures;
}
