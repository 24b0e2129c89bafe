/* The CPU time that control groups allow, on trees of files as Linux shows them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/cpu_quota.h"
#include "support/scratch.h"

static void expect(const char *root, int64_t thousandths) {
    assert_int_equal(dt_cpu_quota_find(root).thousandths, thousandths);
}

static void no_quota_limits_nothing(void **state) {
    (void)state;
    char *root = scratch_make();
    expect(root, INT64_MAX);
    scratch_put_in(root, "proc/self", "cgroup", "3:cpuset:/a\n1:cpu:/a/b\n0::/a/b\n");
    scratch_put_in(root, "sys/fs/cgroup/a/b", "cpu.max", "max 100000\n");
    scratch_put_in(root, "sys/fs/cgroup/a", "cpu.max", "nonsense\n");
    scratch_put_in(root, "sys/fs/cgroup/cpu/a/b", "cpu.cfs_quota_us", "-1\n");
    scratch_put_in(root, "sys/fs/cgroup/cpu/a/b", "cpu.cfs_period_us", "100000\n");
    scratch_put_in(root, "sys/fs/cgroup/cpuset/a", "cpu.cfs_quota_us", "1\n"); /* not this controller's */
    expect(root, INT64_MAX);
    scratch_remove(root);
}

/* Identity: quota / period of the tightest group on the way up. */
static void the_tightest_group_counts(void **state) {
    (void)state;
    char *root = scratch_make();
    scratch_put_in(root, "proc/self", "cgroup", "0::/pod/box\n");
    scratch_put_in(root, "sys/fs/cgroup/pod/box", "cpu.max", "400000 100000\n");
    expect(root, 4000);
    const uint64_t box = dt_cpu_quota_find(root).group;
    scratch_put_in(root, "sys/fs/cgroup/pod", "cpu.max", "75000 50000\n");
    expect(root, 1500);
    assert_true(dt_cpu_quota_find(root).group != box);
    scratch_put_in(root, "sys/fs/cgroup/pod/box", "cpu.max", "500 1000\n");
    expect(root, 500);
    assert_true(dt_cpu_quota_find(root).group == box);
    scratch_remove(root);
}

/* Version 1 names a hierarchy by all its controllers, in any order, or by one of them. */
static void the_first_version_too(void **state) {
    (void)state;
    static const char *const lines[] = {"4:cpu,cpuacct:/job/1\n", "4:cpuacct,cpu:/job/1\n", "4:cpu:/job/1\n"};
    static const char *const folders[] = {"cpu,cpuacct", "cpu", "cpu"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char *root = scratch_make(), folder[64];
        scratch_put_in(root, "proc/self", "cgroup", lines[i]);
        snprintf(folder, sizeof folder, "sys/fs/cgroup/%s/job", folders[i]);
        scratch_put_in(root, folder, "cpu.cfs_quota_us", "250000\n");
        scratch_put_in(root, folder, "cpu.cfs_period_us", "100000\n");
        expect(root, 2500);
        snprintf(folder, sizeof folder, "sys/fs/cgroup/%s/job/1", folders[i]);
        scratch_put_in(root, folder, "cpu.cfs_quota_us", "100000\n");
        scratch_put_in(root, folder, "cpu.cfs_period_us", "100000\n");
        expect(root, 1000);
        scratch_remove(root);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_quota_limits_nothing),
        cmocka_unit_test(the_tightest_group_counts),
        cmocka_unit_test(the_first_version_too),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
