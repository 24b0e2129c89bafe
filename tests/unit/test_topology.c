/* What hwloc tells of machines that are not at hand: several packages and NUMA nodes, several threads a core,
 * threads that are switched off, cpusets, and nothing at all. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "comm/topology.h"
#include "support/machine_partly_off.h"

#define WORD_BITS (8 * (int)sizeof(unsigned long))

static dt_topology_set set_of(const int *threads, int count) {
    dt_topology_set set = {0};
    for (int i = 0; i < count; i++)
        set.words[threads[i] / WORD_BITS] |= 1UL << threads[i] % WORD_BITS;
    return set;
}

#define SET(...) set_of((const int[]){__VA_ARGS__}, (int)(sizeof(int[]){__VA_ARGS__} / sizeof(int)))

static void expect(const dt_topology *topology, dt_topology_set set, dt_topology_counts expected) {
    const dt_topology_counts found = dt_topology_count(topology, &set);
    assert_int_equal(found.threads, expected.threads);
    assert_int_equal(found.cores, expected.cores);
    assert_int_equal(found.packages, expected.packages);
    assert_int_equal(found.numa_nodes, expected.numa_nodes);
    assert_int_equal(found.node_cores, expected.node_cores);
}

static dt_topology *create(const char *description) {
    dt_topology *topology = dt_topology_create(description);
    assert_non_null(topology);
    assert_null(dt_topology_fault(topology));
    return topology;
}

/* Identity: threads, cores, packages and nodes of whole machines are the factors of their descriptions. */
static void whole_machines_are_counted(void **state) {
    (void)state;
    static const struct {
        const char *description;
        dt_topology_counts counts;
    } rows[] = {
        {"pack:2 numa:2 core:4 pu:2", {32, 16, 2, 4, 4}},
        {"pack:2 numa:1 core:64 pu:2", {256, 128, 2, 2, 64}},
        {"numa:2 pack:1 core:4 pu:2", {16, 8, 2, 2, 4}},
        {"pack:1 core:2 pu:4", {8, 2, 1, 1, 2}},
        {"pack:1 core:3 pu:1", {3, 3, 1, 1, 3}},
        {"pack:8 numa:2 core:16 pu:4", {1024, 256, 8, 16, 16}},
        {"pack:16 core:64 pu:2", {2048, 1024, 16, 1, 1024}},  /* more than cpu_set_t holds */
        {"pu:4", {4, 4, 1, 1, 4}},                            /* nothing is told of cores */
        {"pack:2 [numa] [numa] core:2 pu:1", {4, 4, 2, 2, 2}} /* two kinds of memory in each package */
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        dt_topology *topology = create(rows[i].description);
        expect(topology, dt_topology_online(topology), rows[i].counts);
        expect(topology, dt_topology_allowed(topology), rows[i].counts);
        expect(topology, dt_topology_mask(topology), rows[i].counts);
        assert_string_equal(dt_topology_processor(topology), "unknown processor");
        dt_topology_free(topology);
    }
}

/* A core counts by any thread of it, and a node has the cores of the set that lie in it. */
static void only_threads_of_the_set_count(void **state) {
    (void)state;
    dt_topology *topology = create("pack:2 numa:2 core:2 pu:2"); /* node 0: threads 0 to 3, .. */
    expect(topology, SET(0), (dt_topology_counts){1, 1, 1, 1, 1});
    expect(topology, SET(1), (dt_topology_counts){1, 1, 1, 1, 1});
    expect(topology, SET(0, 1), (dt_topology_counts){2, 1, 1, 1, 1});
    expect(topology, SET(1, 2), (dt_topology_counts){2, 2, 1, 1, 2});
    expect(topology, SET(0, 2, 4), (dt_topology_counts){3, 3, 1, 2, 1});
    expect(topology, SET(0, 1, 2, 3, 8, 10), (dt_topology_counts){6, 4, 2, 2, 2});
    dt_topology_free(topology);
}

/* As of a container whose kernel numbers processors in another way than its /sys: each is a core. */
static void unknown_threads_count_as_cores(void **state) {
    (void)state;
    dt_topology *topology = create("pack:1 core:2 pu:2");
    expect(topology, SET(12, 13), (dt_topology_counts){2, 2, 1, 1, 2});
    expect(topology, SET(0, 1, DT_TOPOLOGY_THREADS - 1), (dt_topology_counts){3, 2, 1, 1, 1});
    expect(topology, (dt_topology_set){0}, (dt_topology_counts){1, 1, 1, 1, 1});
    dt_topology_free(topology);
}

static void threads_may_be_off_or_outside_of_the_cpuset(void **state) {
    (void)state;
    dt_topology *topology = create(machine_partly_off);
    expect(topology, dt_topology_online(topology), (dt_topology_counts){3, 2, 1, 1, 2});
    expect(topology, dt_topology_allowed(topology), (dt_topology_counts){1, 1, 1, 1, 1});
    assert_string_equal(dt_topology_processor(topology), "A processor");
    dt_topology_free(topology);
}

static int kernels_mask(void) {
    cpu_set_t mask;
    assert_int_equal(sched_getaffinity(0, sizeof mask, &mask), 0);
    return CPU_COUNT(&mask);
}

/* Where hwloc tells nothing, a sentence says so, and the mask is the host. */
static void the_mask_stands_for_a_host_that_is_not_told(void **state) {
    (void)state;
    static const char *const bad[] = {"nonsense", "pack:0", "<topology"};
    const int threads = kernels_mask();
    const dt_topology_counts all = {threads, threads, 1, 1, threads};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        dt_topology *topology = dt_topology_create(bad[i]);
        assert_non_null(topology);
        assert_non_null(dt_topology_fault(topology));
        assert_non_null(strstr(dt_topology_fault(topology), "expected hwloc to tell the cores of this host"));
        expect(topology, dt_topology_online(topology), all);
        expect(topology, dt_topology_allowed(topology), all);
        expect(topology, dt_topology_mask(topology), all);
        expect(topology, SET(3, 70), (dt_topology_counts){2, 2, 1, 1, 2});
        assert_string_equal(dt_topology_processor(topology), "unknown processor");
        dt_topology_free(topology);
    }
}

/* This machine, whatever it is: the process may run on as many threads as the kernel says, and all are there.
 */
static void this_host_is_loaded_once(void **state) {
    (void)state;
    const dt_topology *here = dt_topology_here();
    const dt_topology_set mask = dt_topology_mask(here), online = dt_topology_online(here);
    const dt_topology_counts own = dt_topology_count(here, &mask), all = dt_topology_count(here, &online);
    assert_ptr_equal(here, dt_topology_here());
    assert_int_equal(own.threads, kernels_mask());
    assert_true(own.cores <= own.threads && all.cores <= all.threads);
    assert_true(all.packages <= all.cores && all.numa_nodes <= all.cores);
}

static void sets_are_joined(void **state) {
    (void)state;
    const dt_topology_set a = SET(1, 64), b = SET(1, 700), both = SET(1, 64, 700);
    const dt_topology_set joined = dt_topology_join(&a, &b);
    assert_memory_equal(&joined, &both, sizeof both);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whole_machines_are_counted),
        cmocka_unit_test(only_threads_of_the_set_count),
        cmocka_unit_test(unknown_threads_count_as_cores),
        cmocka_unit_test(threads_may_be_off_or_outside_of_the_cpuset),
        cmocka_unit_test(the_mask_stands_for_a_host_that_is_not_told),
        cmocka_unit_test(this_host_is_loaded_once),
        cmocka_unit_test(sets_are_joined),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
