/* Cores are counted as a kernel's folder tells of them, made up here for machines that are not at hand. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/cores.h"
#include "support/scratch.h"

static void put(const char *path, const char *text) {
    scratch_put(path, text, strlen(text));
}

/* A machine of `threads` hardware threads whose lists of cores have this name and these contents; NULL for a
 * thread that nothing is told of. */
static char *make_machine(const char *online, const char *name, const char *const *lists, int threads) {
    char *folder = scratch_make(), path[512];
    snprintf(path, sizeof path, "%s/online", folder);
    put(path, online);
    for (int t = 0; t < threads; t++) {
        snprintf(path, sizeof path, "%s/cpu%d", folder, t);
        assert_int_equal(mkdir(path, 0777), 0);
        if (lists[t] == NULL)
            continue;
        snprintf(path, sizeof path, "%s/cpu%d/topology", folder, t);
        assert_int_equal(mkdir(path, 0777), 0);
        snprintf(path, sizeof path, "%s/cpu%d/topology/%s", folder, t, name);
        put(path, lists[t]);
    }
    return folder;
}

static void expect(const char *online, const char *name, const char *const *lists, int threads, int on,
                   int cores) {
    char *folder = make_machine(online, name, lists, threads);
    const cpu_set_t set = dt_cores_online(folder);
    assert_int_equal(CPU_COUNT(&set), on);
    assert_int_equal(dt_cores_count(folder, &set), cores);
    scratch_remove(folder);
}

static void a_core_of_two_threads_counts_once(void **state) {
    (void)state;
    const char *const far[] = {"0,2\n", "1,3\n", "0,2\n", "1,3\n"}, *const near[] = {"0-1", "0-1", "2-3",
                                                                                     "2-3"};
    const char *const four[] = {"0-3\n", "0-3\n", "0-3\n", "0-3\n"}, *const one[] = {"0\n", "1\n", "2\n",
                                                                                     "3\n"};
    expect("0-3\n", "core_cpus_list", far, 4, 4, 2);
    expect("0-3\n", "core_cpus_list", near, 4, 4, 2);
    expect("0-3\n", "thread_siblings_list", near, 4, 4, 2); /* an older kernel */
    expect("0-3\n", "core_cpus_list", four, 4, 4, 1);
    expect("0-3\n", "core_cpus_list", one, 4, 4, 4);
    /* Some cores have two threads, others one; a thread is off; another is told nothing of. */
    const char *const mixed[] = {"0-1\n", "0-1\n", "2\n", "3\n"}, *const half[] = {"0\n", NULL, "2-3\n",
                                                                                   "2-3\n"};
    expect("0-3\n", "core_cpus_list", mixed, 4, 4, 3);
    expect("0,2-3\n", "core_cpus_list", half, 4, 3, 2);
    const char *const silent[] = {NULL, NULL};
    expect("0-1\n", "core_cpus_list", silent, 2, 2, 2);
}

/* A rank that is bound to some threads has the cores of these, also where the first of a core is not its. */
static void only_threads_of_the_set_count(void **state) {
    (void)state;
    const char *const lists[] = {"0,2\n", "1,3\n", "0,2\n", "1,3\n"};
    char *folder = make_machine("0-3\n", "core_cpus_list", lists, 4);
    const int sets[][3] = {{0, 2, 1}, {2, 3, 2}, {3, 3, 1}, {1, 2, 2}}; /* two threads, and their cores */
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        cpu_set_t set;
        CPU_ZERO(&set);
        CPU_SET((size_t)sets[i][0], &set);
        CPU_SET((size_t)sets[i][1], &set);
        assert_int_equal(dt_cores_count(folder, &set), sets[i][2]);
    }
    scratch_remove(folder);
}

/* Nonsense and absence end in what the C library tells. */
static void a_folder_that_tells_nothing_is_done_without(void **state) {
    (void)state;
    const long known = sysconf(_SC_NPROCESSORS_ONLN);
    cpu_set_t set = dt_cores_online("/nowhere");
    assert_int_equal(CPU_COUNT(&set), known);
    assert_int_equal(dt_cores_count("/nowhere", &set), known);
    const char *const lists[] = {"words\n", "-5\n"};
    char *folder = make_machine("99999999999999999999-3\n", "core_cpus_list", lists, 2);
    CPU_ZERO(&set);
    CPU_SET(0, &set);
    CPU_SET(1, &set);
    assert_int_equal(dt_cores_count(folder, &set), 2);
    set = dt_cores_online(folder);
    scratch_remove(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_core_of_two_threads_counts_once),
        cmocka_unit_test(only_threads_of_the_set_count),
        cmocka_unit_test(a_folder_that_tells_nothing_is_done_without),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
