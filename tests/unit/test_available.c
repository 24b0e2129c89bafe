/* What is left of a host's memory, on trees of files as Linux shows them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <cmocka.h>

#include "base/available.h"
#include "support/scratch.h"

/* Identity: without limits, MemAvailable in bytes; without anything, no limit at all. */
static void the_host_alone(void **state) {
    (void)state;
    char *root = scratch_make();
    assert_true(dt_available_bytes(root) == INT64_MAX);
    scratch_put_in(root, "proc", "meminfo",
                   "MemTotal:  9000 kB\nMemFree:  10 kB\nMemAvailable:    3000 kB\n");
    scratch_put_in(root, "proc/self", "cgroup", "0::/a/b\n");
    scratch_put_in(root, "sys/fs/cgroup/a", "memory.max", "max\n");
    scratch_put_in(root, "sys/fs/cgroup/a", "memory.current", "5\n");
    assert_int_equal(dt_available_bytes(root), 3000 * 1024);
    assert_false(dt_available_is_limited(root));
    scratch_remove(root);
}

/* Identity: limit - (usage - reclaimable), of the tightest group on the way up, in both versions. */
static void limits_of_groups(void **state) {
    (void)state;
    char *root = scratch_make();
    scratch_put_in(root, "proc", "meminfo", "MemAvailable: 3000 kB\n");
    scratch_put_in(root, "proc/self", "cgroup", "9:name=systemd:/\n4:memory:/job/1\n0::/slice/job\n");
    scratch_put_in(root, "sys/fs/cgroup/slice", "memory.max", "1000000\n");
    scratch_put_in(root, "sys/fs/cgroup/slice", "memory.current", "600000\n");
    scratch_put_in(root, "sys/fs/cgroup/slice", "memory.stat", "anon 1\ninactive_file 100000\n");
    assert_int_equal(dt_available_bytes(root), 500000);
    assert_true(dt_available_is_limited(root));
    scratch_put_in(root, "sys/fs/cgroup/slice/job", "memory.max", "100000\n");
    scratch_put_in(root, "sys/fs/cgroup/slice/job", "memory.current", "40000\n");
    assert_int_equal(dt_available_bytes(root), 60000);
    scratch_put_in(root, "sys/fs/cgroup/memory/job/1", "memory.limit_in_bytes", "2000\n");
    scratch_put_in(root, "sys/fs/cgroup/memory/job/1", "memory.usage_in_bytes", "1500\n");
    scratch_put_in(root, "sys/fs/cgroup/memory/job/1", "memory.stat",
                   "inactive_file 7\ntotal_inactive_file 250\n");
    assert_int_equal(dt_available_bytes(root), 750);
    scratch_put_in(root, "sys/fs/cgroup/memory/job/1", "memory.usage_in_bytes", "9999\n");
    assert_int_equal(dt_available_bytes(root), 0);
    scratch_remove(root);
}

/* Identity: what was read from files, once or often, and the kernel's own caches are not used memory; files
 * that live in memory alone (shmem) are. Each count stands on a line of its own whose name may begin another
 * one's. */
static void what_can_be_reclaimed_is_free(void **state) {
    (void)state;
    char *root = scratch_make();
    scratch_put_in(root, "proc/self", "cgroup", "0::/job\n");
    scratch_put_in(root, "sys/fs/cgroup/job", "memory.max", "1000000\n");
    scratch_put_in(root, "sys/fs/cgroup/job", "memory.current", "990000\n");
    scratch_put_in(
        root, "sys/fs/cgroup/job", "memory.stat",
        "anon 100000\nfile 850000\nshmem 50000\ninactive_anon 1\nactive_anon 2\ninactive_file 300000\n"
        "active_file 500000\nunevictable 7\nslab_reclaimable 30000\nslab_unreclaimable 9000\nslab 39000\n");
    assert_int_equal(dt_available_bytes(root), 1000000 - (990000 - 300000 - 500000 - 30000));
    /* The counts are not of one moment: no more is free than the limit. */
    scratch_put_in(root, "sys/fs/cgroup/job", "memory.current", "700000\n");
    assert_int_equal(dt_available_bytes(root), 1000000);
    scratch_remove(root);

    root = scratch_make();
    scratch_put_in(root, "proc/self", "cgroup", "4:memory:/job\n");
    scratch_put_in(root, "sys/fs/cgroup/memory/job", "memory.limit_in_bytes", "1000000\n");
    scratch_put_in(root, "sys/fs/cgroup/memory/job", "memory.usage_in_bytes", "990000\n");
    scratch_put_in(root, "sys/fs/cgroup/memory/job", "memory.stat",
                   "inactive_file 1\nactive_file 2\ntotal_cache 850000\ntotal_shmem 50000\n"
                   "total_inactive_file 300000\ntotal_active_file 500000\ntotal_unevictable 7\n");
    assert_int_equal(dt_available_bytes(root), 1000000 - (990000 - 300000 - 500000));
    scratch_remove(root);
}

/* The running system tells something sensible. */
static void this_host(void **state) {
    (void)state;
    assert_in_range(dt_available_bytes(""), (int64_t)1 << 20, (int64_t)1 << 50);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_host_alone),
        cmocka_unit_test(limits_of_groups),
        cmocka_unit_test(what_can_be_reclaimed_is_free),
        cmocka_unit_test(this_host),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
