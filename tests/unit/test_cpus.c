/* What ranks of a host may use together, from their masks and quotas, on made-up hosts. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cores.h"
#include "comm/cpus.h"
#include "support/scratch.h"

#define RANKS_MAX 4

/* A rank on the hardware threads whose bits are set, with a quota in thousandths (0 for none) of a group. */
typedef struct rank {
    unsigned mask;
    int64_t quota;
    uint64_t group;
} rank;

/* Four cores of two hardware threads: 0 and 4 are one, 1 and 5, and so on. */
static char *make_host(void) {
    char *folder = scratch_make(), path[512], text[16];
    snprintf(path, sizeof path, "%s/online", folder);
    scratch_put(path, "0-7\n", 4);
    for (int t = 0; t < 8; t++) {
        snprintf(path, sizeof path, "%s/cpu%d/topology", folder, t);
        assert_int_equal(dt_file_make_folder(path), DT_OK);
        snprintf(path, sizeof path, "%s/cpu%d/topology/core_cpus_list", folder, t);
        snprintf(text, sizeof text, "%d,%d\n", t % 4, t % 4 + 4);
        scratch_put(path, text, strlen(text));
    }
    return folder;
}

static dt_cpus join(const rank *ranks, int count, int given) {
    char *folder = make_host();
    dt_cpus_own own[RANKS_MAX];
    for (int r = 0; r < count; r++) {
        own[r].quota = (dt_cpu_quota){ranks[r].quota ? ranks[r].quota : INT64_MAX, ranks[r].group};
        CPU_ZERO(&own[r].allowed);
        for (size_t t = 0; t < 8; t++)
            if (ranks[r].mask >> t & 1)
                CPU_SET(t, &own[r].allowed);
        own[r].cores = dt_cores_count(folder, &own[r].allowed);
    }
    const dt_cpus cpus = dt_cpus_join(own, count, given, folder);
    scratch_remove(folder);
    return cpus;
}

static void expect(const rank *ranks, int count, int given, int cores, int threads, dt_cpus_limit limit) {
    const dt_cpus cpus = join(ranks, count, given);
    assert_int_equal(cpus.host_cores, 4);
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
        cmocka_unit_test(quotas_count_once_a_group),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
