/* What ranks of a host may use together, from their masks and quotas, on made-up hosts. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "comm/cpus.h"
#include "support/machine_partly_off.h"

#define RANKS_MAX 4

/* A rank on the hardware threads whose bits are set, with a quota in thousandths (0 for none) of a group. */
typedef struct rank {
    unsigned mask;
    int64_t quota;
    uint64_t group;
} rank;

/* Four cores of two hardware threads: 0 and 4 are one, 1 and 5, and so on. */
#define HOST "pack:2 core:2 pu:2(indexes=0,4,1,5,2,6,3,7)"

static dt_cpus join(const char *host, const rank *ranks, int count, int given) {
    dt_topology *topology = dt_topology_create(host);
    dt_cpus_own own[RANKS_MAX];
    assert_non_null(topology);
    for (int r = 0; r < count; r++) {
        own[r] = (dt_cpus_own){.quota = {ranks[r].quota ? ranks[r].quota : INT64_MAX, ranks[r].group}};
        own[r].allowed.words[0] = ranks[r].mask;
    }
    const dt_cpus cpus = dt_cpus_join(own, count, given, topology);
    dt_topology_free(topology);
    return cpus;
}

static void expect(const rank *ranks, int count, int given, int cores, int threads, dt_cpus_limit limit) {
    const dt_cpus cpus = join(HOST, ranks, count, given);
    assert_int_equal(cpus.host.cores, 4);
    assert_int_equal(cpus.cores, cores);
    assert_int_equal(cpus.threads, threads);
    assert_int_equal(cpus.limit, limit);
}

/* Identity: without masks and quotas the host; with masks that are apart too, since a launcher binds so. */
static void places_of_their_own_limit_nothing(void **state) {
    (void)state;
    const rank free_ones[] = {{0xff, 0, 0}, {0xff, 0, 0}}, bound[] = {{0x11, 0, 0}, {0x22, 0, 0}},
               alone[] = {{0x01, 0, 0}};
    expect(free_ones, 2, 0, 4, 8, DT_CPUS_ALL);
    expect(bound, 2, 0, 4, 8, DT_CPUS_ALL);
    expect(alone, 1, 0, 4, 8, DT_CPUS_ALL);
    expect(free_ones, 2, 3, 3, 3, DT_CPUS_SLURM);
    expect(free_ones, 2, 8, 4, 8, DT_CPUS_ALL);
}

static void masks_that_meet_count_together(void **state) {
    (void)state;
    const rank same[] = {{0x02, 0, 0}, {0x02, 0, 0}}, siblings[] = {{0x02, 0, 0}, {0x20, 0, 0}},
               partly[] = {{0x03, 0, 0}, {0x06, 0, 0}}, wide[] = {{0x0f, 0, 0}, {0xff, 0, 0}};
    expect(same, 2, 0, 1, 1, DT_CPUS_MASK);
    expect(siblings, 2, 0, 1, 2, DT_CPUS_MASK); /* two hardware threads of one core */
    expect(partly, 2, 0, 3, 3, DT_CPUS_MASK);
    expect(partly, 2, 2, 2, 2, DT_CPUS_SLURM);
    expect(wide, 2, 0, 4, 8, DT_CPUS_ALL);
}

/* What a control group's cpuset leaves is a limit for a single rank too, and Slurm's share is named first. */
static void a_cpuset_limits(void **state) {
    (void)state;
    const rank ranks[] = {{0x04, 0, 0}, {0x04, 0, 0}};
    for (int count = 1; count <= 2; count++) {
        dt_cpus cpus = join(machine_partly_off, ranks, count, 0);
        assert_int_equal(cpus.host.cores, 2);
        assert_int_equal(cpus.cores, 1);
        assert_int_equal(cpus.threads, 1);
        assert_int_equal(cpus.limit, DT_CPUS_CPUSET);
        cpus = join(machine_partly_off, ranks, count, 1);
        assert_int_equal(cpus.cores, 1);
        assert_int_equal(cpus.limit, DT_CPUS_SLURM);
    }
}

/* Of a host that hwloc tells nothing of, all is known that the masks of its ranks say. */
static void masks_stand_for_a_host_that_is_not_told(void **state) {
    (void)state;
    const rank apart[] = {{0x03, 0, 0}, {0x0c, 0, 0}}, same[] = {{0x01, 0, 0}, {0x01, 0, 0}};
    cpu_set_t mine, two;
    assert_int_equal(sched_getaffinity(0, sizeof mine, &mine), 0);
    CPU_ZERO(&two);
    for (size_t t = 0; t < 4; t++)
        CPU_SET(t, &two);
    CPU_OR(&two, &two, &mine);
    dt_cpus cpus = join("nonsense", apart, 2, 0);
    assert_int_equal(cpus.host.cores, CPU_COUNT(&two));
    assert_int_equal(cpus.cores, CPU_COUNT(&two));
    assert_int_equal(cpus.limit, DT_CPUS_ALL);
    cpus = join("nonsense", same, 2, 0);
    assert_int_equal(cpus.cores, 1);
}

/* A quota is for all ranks of its group; those of groups of their own have each their own. */
static void quotas_count_once_a_group(void **state) {
    (void)state;
    const rank shared[] = {{0xff, 2500, 7}, {0xff, 2500, 7}}, own[] = {{0xff, 1000, 7}, {0xff, 1000, 8}},
               little[] = {{0xff, 300, 7}, {0xff, 300, 7}}, one_free[] = {{0xff, 1000, 7}, {0xff, 0, 0}},
               large[] = {{0xff, 64000, 7}, {0xff, 64000, 7}}, both[] = {{0x03, 1000, 7}, {0x03, 1000, 7}};
    expect(shared, 2, 0, 2, 2, DT_CPUS_QUOTA);
    expect(own, 2, 0, 2, 2, DT_CPUS_QUOTA);
    expect(little, 2, 0, 1, 1, DT_CPUS_QUOTA);
    expect(one_free, 2, 0, 4, 8, DT_CPUS_ALL);
    expect(large, 2, 0, 4, 8, DT_CPUS_ALL);
    expect(both, 2, 0, 1, 1, DT_CPUS_QUOTA);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(places_of_their_own_limit_nothing),
        cmocka_unit_test(masks_that_meet_count_together),
        cmocka_unit_test(a_cpuset_limits),
        cmocka_unit_test(masks_stand_for_a_host_that_is_not_told),
        cmocka_unit_test(quotas_count_once_a_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
