/* The plan's formulas where their results are known in closed form, and the lists of ranks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "base/memory.h"
#include "plan/plan.h"
#include "plan/ranks.h"

static dt_plan_machine machine(double latency, double bandwidth, double add) {
    return (dt_plan_machine){.probe = {.threads = 1, .teams = 1, .add_alone_seconds = add},
                             .link = {latency, bandwidth, 0.0},
                             .inside = {latency, bandwidth, 0.0},
                             .host_ranks = 1};
}

#define assert_near(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * fabs(b))

/* Of a step of one micro-batch per rank nothing is left but the micro-batch and the update; memory holds the
 * three vectors at least. */
static void one_rank_computes_its_micro_batches_and_updates(void **state) {
    (void)state;
    dt_plan_machine m = machine(1e-6, 1e9, 0.0);
    m.probe.forward_seconds = 1.0;
    m.probe.backward_seconds = 2.0;
    m.probe.update_seconds = 0.5;
    dt_config config;
    dt_config_init(&config);
    dt_plan_point point;
    assert_int_equal(dt_plan_predict(&m, &config, 8 * config.micro_batch_size, 1, 1.0, &point), DT_OK);
    assert_near(point.step_seconds, 8 * 3.0 + 0.5);
    assert_int_equal(point.sent_bytes, 0);
    assert_near(point.tokens_per_second, (double)(8 * config.micro_batch_size * config.max_seq_len) / 24.5);
    const int64_t alone = point.memory_bytes;
    assert_true(alone > 4 * 3000000 * 4);

    /* Three ranks of eight micro-batches: the busiest has three. On cores shared by two, all takes twice as
     * long. */
    assert_int_equal(dt_plan_predict(&m, &config, 8 * config.micro_batch_size, 3, 1.0, &point), DT_OK);
    assert_near(point.compute_seconds, 3 * 3.0);
    assert_int_equal(dt_plan_predict(&m, &config, 8 * config.micro_batch_size, 3, 2.0, &point), DT_OK);
    assert_near(point.compute_seconds, 2 * 3 * 3.0);
    assert_near(point.update_seconds, 1.0);
    assert_int_equal(dt_plan_predict(&m, &config, 8 * config.micro_batch_size, 9, 1.0, &point), DT_USAGE);
    dt_config_free(&config);
}

/* A host's memory is the sum of its ranks', of which rank 0 has a copy more; what is recomputed is not kept.
 */
static void a_host_takes_what_its_ranks_take(void **state) {
    (void)state;
    dt_config config;
    dt_layout layout;
    dt_config_init(&config);
    config.n_layers = 12;
    assert_int_equal(dt_layout_create(&layout, (dt_shape){12, 256, 4, 1024, 256, 99}), DT_OK);
    dt_plan_memory alone, four, again;
    assert_int_equal(dt_plan_memory_of(&layout, &config, 16, 8, 1, 2, 0, &alone), DT_OK);
    assert_int_equal(dt_plan_memory_of(&layout, &config, 16, 8, 4, 2, 0, &four), DT_OK);
    const int64_t vector = layout.elements * (int64_t)sizeof(float),
                  block = dt_memory_block_bytes(layout.elements, sizeof(float));
    assert_int_equal(alone.max.bytes[DT_NEED_WEIGHTS], block);
    assert_int_equal(alone.max.bytes[DT_NEED_MOMENTS], 2 * block);
    assert_int_equal(alone.max.bytes[DT_NEED_SAVER], 3 * block);
    assert_int_equal(alone.max.bytes[DT_NEED_GRADIENTS], block);
    assert_int_equal(alone.node_bytes, dt_need_total(&alone.max));
    assert_int_equal(four.node_ranks, 4);
    assert_int_equal(four.max.bytes[DT_NEED_ACTIVATIONS], alone.max.bytes[DT_NEED_ACTIVATIONS]);
    assert_true(four.node_bytes > 3 * four.other_bytes && four.node_bytes < 4 * dt_need_total(&four.max));
    assert_true(dt_need_total(&four.max) - four.other_bytes >= 3 * vector);
    config.recompute = DT_RECOMPUTE_LAYER;
    assert_int_equal(dt_plan_memory_of(&layout, &config, 16, 8, 1, 2, 0, &again), DT_OK);
    assert_true(2 * again.max.bytes[DT_NEED_ACTIVATIONS] < alone.max.bytes[DT_NEED_ACTIVATIONS]);
    dt_layout_free(&layout);
    dt_config_free(&config);
}

/* A pair of rows of docs/performance.md: what a rank sends of the default model on 2, 4, .. 512 ranks, with
 * so many a host. Ranks of a single host have empty cells where hosts have several. */
static void expect_rows(const char *page, int host_ranks, const char *algorithm) {
    char messages[256], bytes[256];
    dt_plan_machine m = machine(1e-6, 1e9, 1e-9);
    dt_config config;
    dt_config_init(&config);
    m.host_ranks = host_ranks;
    int m_length = snprintf(messages, sizeof messages, "\n| messages, %s |", algorithm);
    int b_length = snprintf(bytes, sizeof bytes, "\n| MB, %s |", algorithm);
    for (int ranks = 2; ranks <= 512; ranks *= 2) {
        const size_t m_left = sizeof messages - (size_t)m_length, b_left = sizeof bytes - (size_t)b_length;
        const bool empty = host_ranks > 1 && ranks <= host_ranks;
        dt_plan_point point;
        assert_int_equal(dt_plan_predict(&m, &config, 4096, ranks, 1.0, &point), DT_OK);
        m_length += empty ? snprintf(messages + m_length, m_left, " |")
                          : snprintf(messages + m_length, m_left, " %d |", (int)point.sent_messages);
        b_length += empty ? snprintf(bytes + b_length, b_left, " |")
                          : snprintf(bytes + b_length, b_left, " %.1f |", 1e-6 * (double)point.sent_bytes);
    }
    dt_config_free(&config);
    if (strstr(page, messages) == NULL || strstr(page, bytes) == NULL)
        fail_msg("docs/performance.md: expected the rows%s%s", messages, bytes);
}

static void the_table_of_the_docs_is_the_schedules(void **state) {
    (void)state;
    char *page;
    size_t length;
    assert_int_equal(dt_file_read(DTRAIN_SOURCE_DIR "/docs/performance.md", 1 << 20, &page, &length), DT_OK);
    expect_rows(page, 1, "flat");
    expect_rows(page, 16, "16 ranks per host, hierarchical");
    free(page);
}

static void lists_of_ranks_are_sorted_and_checked(void **state) {
    (void)state;
    static const char *const wrong[] = {"", ",", "1,", "1,,2", "0", "-1", "9", "1;2", "two", "1 ,2", " 1"};
    dt_ranks ranks;
    assert_int_equal(dt_ranks_parse(&ranks, "8,1,3,1", 8, "the size of the job"), DT_OK);
    assert_int_equal(ranks.count, 3);
    assert_int_equal(ranks.number[0], 1);
    assert_int_equal(ranks.number[1], 3);
    assert_int_equal(ranks.number[2], 8);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++)
        assert_int_equal(dt_ranks_parse(&ranks, wrong[i], 8, "the size of the job"), DT_USAGE);
}

/* 1, 2, 4, .. and the size, which is not listed twice. */
static void doubling_ends_at_the_size(void **state) {
    (void)state;
    static const int sizes[] = {1, 2, 3, 8, 9}, counts[] = {1, 2, 3, 4, 5};
    for (int i = 0; i < 5; i++) {
        dt_ranks ranks;
        dt_ranks_doubling(&ranks, sizes[i]);
        assert_int_equal(ranks.count, counts[i]);
        assert_int_equal(ranks.number[0], 1);
        assert_int_equal(ranks.number[ranks.count - 1], sizes[i]);
    }
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(one_rank_computes_its_micro_batches_and_updates),
    cmocka_unit_test(a_host_takes_what_its_ranks_take),
    cmocka_unit_test(the_table_of_the_docs_is_the_schedules),
    cmocka_unit_test(lists_of_ranks_are_sorted_and_checked),
    cmocka_unit_test(doubling_ends_at_the_size),
};

int main(void) {
    return cmocka_run_group_tests(tests, NULL, NULL);
}
