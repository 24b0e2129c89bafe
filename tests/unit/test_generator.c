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

/* Units of a chunk, where halves are cut. */
#define CHUNK (DT_FORM_CHUNK_FLOATS / DT_MEMORY_ALIGN_FLOATS)

/* The halves by themselves: as many chunks as ranks, a few more and a piece of one, and fewer. */
static void halves_sum_and_gather(void **state) {
    (void)state;
    for (int size = 2; size <= 17; size++)
        for (int64_t more = 0; more <= size + 3; more += 1 + size / 2)
            for (int64_t units = CHUNK * size; units > 0; units -= 1 + CHUNK * (1 + size / 3)) {
                play_check_even_halves(DT_ALGORITHM_FLAT, size, 1, size + more, units + 3);
                for (int host_ranks = 1; host_ranks <= size; host_ranks += 1 + host_ranks / 2)
                    play_check_even_halves(DT_ALGORITHM_HIERARCHICAL, size, host_ranks, size + more, units);
            }
    const int starts[] = {0, 3, 4, 9, 11};
    play_check_halves(DT_ALGORITHM_HIERARCHICAL, 4, starts, 13, 11 * CHUNK + 5);
    play_check_even_halves(DT_ALGORITHM_FLAT, 1024, 1, 1024, 1024 * CHUNK);
}

/* An allreduce sends what its two halves send, message for message. */
static void halves_are_the_whole(void **state) {
    (void)state;
    for (int size = 2; size <= 12; size++) {
        int64_t sent[3] = {0};
        for (int form = DT_FORM_ALLREDUCE; form <= DT_FORM_ALLGATHER; form++) {
            const dt_generator_job job = {
                .size = size, .micro_batches = 24, .form = (dt_form)form, .algorithm = DT_ALGORITHM_FLAT};
            dt_generator generator;
            assert_int_equal(dt_generator_create(&generator, &job, 0), DT_OK);
            for (int rank = 0; rank < size; rank++) {
                dt_schedule schedule = {0};
                assert_int_equal(dt_generator_set_rank(&generator, rank), DT_OK);
                dt_generator_write(&generator, 4 * size * DT_FORM_CHUNK_FLOATS, &schedule);
                sent[form] += schedule.work.sent_floats;
            }
            dt_generator_free(&generator);
        }
        assert_int_equal(sent[DT_FORM_ALLREDUCE], sent[DT_FORM_REDUCE_SCATTER] + sent[DT_FORM_ALLGATHER]);
    }
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
        cmocka_unit_test(halves_sum_and_gather),           cmocka_unit_test(halves_are_the_whole),
        cmocka_unit_test(auto_takes_what_the_hosts_allow),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
