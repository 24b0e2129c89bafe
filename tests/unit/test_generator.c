/*
 * Schedules from 2 to 4,096 ranks: on every rank the sum is the canonical tree's value (support/play.h).
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "allreduce/generator.h"
#include "support/play.h"

/* Every number of ranks up to 17, with as many micro-batches, twice and three times as many; units fewer than
 * ranks, and more. */
static void small_jobs_sum_along_the_tree(void **state) {
    (void)state;
    for (int size = 2; size <= 17; size++)
        for (int64_t more = 0; more <= 2 * size + 3; more += 1 + size)
            for (int64_t units = 1; units <= 2 * size; units += size) {
                play_check_even(DT_ALGORITHM_FLAT, size, 1, size + more, units);
                for (int host_ranks = 1; host_ranks <= size; host_ranks += 1 + host_ranks / 2)
                    play_check_even(DT_ALGORITHM_HIERARCHICAL, size, host_ranks, size + more, units);
            }
}

/* Hosts of unlike numbers of ranks, drawn at random. */
static void uneven_hosts_sum_along_the_tree(void **state) {
    (void)state;
    uint64_t random = 7;
    for (int round = 0; round < 100; round++) {
        int starts[9] = {0};
        const int hosts = 2 + (int)((random = play_mix(random + 1)) % 7);
        for (int h = 0; h < hosts; h++)
            starts[h + 1] = starts[h] + 1 + (int)((random = play_mix(random + 1)) % 9);
        const int64_t micro_batches = starts[hosts] + (int64_t)((random = play_mix(random + 1)) % 40);
        const int64_t units = 1 + (int64_t)((random = play_mix(random + 1)) % 20);
        play_check(DT_ALGORITHM_HIERARCHICAL, hosts, starts, micro_batches, units);
        play_check(DT_ALGORITHM_AUTO, hosts, starts, micro_batches, units);
    }
}

/* Thousands of ranks: by halving, by slices, and on hosts of 64 and of 48. */
static void large_jobs_sum_along_the_tree(void **state) {
    (void)state;
    for (int size = 32; size <= 4096; size *= 2)
        play_check_even(DT_ALGORITHM_FLAT, size, 1, size, 4);
    play_check_even(DT_ALGORITHM_FLAT, 4096, 1, 8192, 24);
    play_check_even(DT_ALGORITHM_FLAT, 4095, 1, 5000, 24);
    play_check_even(DT_ALGORITHM_HIERARCHICAL, 4096, 64, 4096, 128);
    play_check_even(DT_ALGORITHM_AUTO, 1000, 48, 1500, 60);
}

/* The comparison can tell orders apart: with the operands of one addition exchanged it notices. */
static void order_shows(void **state) {
    (void)state;
    const uint64_t a = play_value((dt_tree_node){0, 1}, 0), b = play_value((dt_tree_node){1, 2}, 0),
                   c = play_value((dt_tree_node){2, 3}, 0);
    assert_true(play_combine(a, b) != play_combine(b, a));
    assert_true(play_combine(play_combine(a, b), c) != play_combine(a, play_combine(b, c)));
}

/* What auto takes, and that hierarchical says what it needs where hosts are not known. */
static void auto_takes_what_the_hosts_allow(void **state) {
    (void)state;
    static const struct {
        int size, hosts;
        dt_algorithm asked, taken;
    } rows[] = {
        {1, 1, DT_ALGORITHM_AUTO, DT_ALGORITHM_FLAT},
        {1, 1, DT_ALGORITHM_HIERARCHICAL, DT_ALGORITHM_FLAT},
        {4, 1, DT_ALGORITHM_AUTO, DT_ALGORITHM_FLAT},
        {4, 4, DT_ALGORITHM_AUTO, DT_ALGORITHM_FLAT},
        {4, 2, DT_ALGORITHM_AUTO, DT_ALGORITHM_HIERARCHICAL},
        {4, 0, DT_ALGORITHM_AUTO, DT_ALGORITHM_FLAT},
        {4, 4, DT_ALGORITHM_HIERARCHICAL, DT_ALGORITHM_HIERARCHICAL},
        {4, 2, DT_ALGORITHM_FLAT, DT_ALGORITHM_FLAT},
        {1, 1, DT_ALGORITHM_LIBRARY, DT_ALGORITHM_LIBRARY},
    };
    dt_algorithm taken;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const dt_generator_job job = {
            .size = rows[i].size, .hosts = rows[i].hosts, .micro_batches = 8, .algorithm = rows[i].asked};
        assert_int_equal(dt_generator_choose(&job, &taken), DT_OK);
        assert_int_equal(taken, rows[i].taken);
    }
    const dt_generator_job in_turns = {.size = 4, .micro_batches = 8, .algorithm = DT_ALGORITHM_HIERARCHICAL};
    assert_int_equal(dt_generator_choose(&in_turns, &taken), DT_USAGE);
    assert_non_null(strstr(dt_error(), "follow each other"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(small_jobs_sum_along_the_tree),   cmocka_unit_test(uneven_hosts_sum_along_the_tree),
        cmocka_unit_test(large_jobs_sum_along_the_tree),   cmocka_unit_test(order_shows),
        cmocka_unit_test(auto_takes_what_the_hosts_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
