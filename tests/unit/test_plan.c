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
#include "bench/plan.h"
#include "bench/ranks.h"

static const int64_t bounds[] = {0, 1000, 2000, 3000, 4000};
enum { BUCKETS = 4 };

/* Four equal buckets: 2 messages and 1000 bytes in the busier direction each, 10 floats to add. A host has
 * one rank. */
#define MOVED(sent, received)                                                                                \
    {                                                                                                        \
        .messages = 2, .sent_bytes = (sent), .received_bytes = (received), .host_sent_bytes = (sent),        \
        .host_received_bytes = (received), .added_floats = 10                                                \
    }
static const dt_traffic traffic[BUCKETS] = {MOVED(1000, 900), MOVED(1000, 900), MOVED(900, 1000),
                                            MOVED(1000, 1000)};

/* The same among ranks of one host. */
#define MOVED_INSIDE                                                                                         \
    { .messages = 2, .sent_bytes = 1000, .received_bytes = 900, .inside_bytes = 1000, .added_floats = 10 }
static const dt_traffic inside[BUCKETS] = {MOVED_INSIDE, MOVED_INSIDE, MOVED_INSIDE, MOVED_INSIDE};

static dt_plan_machine machine(double latency, double bandwidth, double add) {
    return (dt_plan_machine){.probe = {.threads = 1, .add_alone_seconds = add},
                             .link = {latency, bandwidth, 0.0},
                             .inside = {latency, bandwidth, 0.0},
                             .host_ranks = 1};
}

#define assert_near(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * fabs(b))

/* total = 4 (2 latency + 1000 / bandwidth) + 40 additions: Hockney's model. */
static void the_exchange_costs_messages_bytes_and_additions(void **state) {
    (void)state;
    const dt_plan_machine m = machine(0.5, 1000.0, 0.01);
    assert_near(dt_plan_exchange_of(&m, 1.0, 0.0, bounds, BUCKETS, traffic).total_seconds,
                4 * (1.0 + 1.0) + 0.4);
}

/* Without a backward pass to hide behind, or with messages that the rank's core copies, all of it is exposed.
 */
static void what_nothing_hides_is_exposed(void **state) {
    (void)state;
    dt_plan_machine m = machine(0.5, 1000.0, 0.01);
    assert_near(dt_plan_exchange_of(&m, 1.0, 0.0, bounds, BUCKETS, traffic).exposed_seconds, 8.4);
    assert_near(dt_plan_exchange_of(&m, 1.0, 1e6, bounds, BUCKETS, inside).exposed_seconds, 8.4);
    /* A quarter of the bytes' time is the core's: that is exposed, and the rest is hidden but for the last
     * bucket's. */
    m.link.touch_seconds = 0.25e-3;
    assert_near(dt_plan_exchange_of(&m, 1.0, 1e6, bounds, BUCKETS, traffic).exposed_seconds,
                4 * 0.25 + 1.75 + 0.4);
}

/* A backward pass that is slow beside the network hides all buckets but the last, and no addition. */
static void a_long_backward_pass_hides_all_but_the_last_bucket(void **state) {
    (void)state;
    const dt_plan_machine m = machine(0.5, 1000.0, 0.01);
    assert_near(dt_plan_exchange_of(&m, 1.0, 100.0, bounds, BUCKETS, traffic).exposed_seconds, 2.0 + 0.4);
    /* One bucket is ready only when the pass is over. */
    const int64_t whole[] = {0, 4000};
    assert_near(dt_plan_exchange_of(&m, 1.0, 100.0, whole, 1, traffic).exposed_seconds, 2.0 + 0.1);
}

/* Two threads that take turns on a core: each sees its own 0.4 s of additions, and the step loses both. */
static void a_shared_core_costs_the_step_more_than_a_rank_sees(void **state) {
    (void)state;
    const dt_plan_machine m = machine(0.5, 1000.0, 0.01);
    const dt_plan_exchange e = dt_plan_exchange_of(&m, 2.0, 1e6, bounds, BUCKETS, traffic);
    assert_near(e.exposed_seconds, 2.0 + 0.8);
    assert_near(e.seen_seconds, 2.0 + 0.4);
}

/* A slow network: the first bucket is ready a quarter of the pass in, and from then on the link is never
 * idle. */
static void a_slow_link_is_busy_from_the_first_bucket_on(void **state) {
    (void)state;
    const dt_plan_machine m = machine(0.5, 1000.0, 0.0);
    assert_near(dt_plan_exchange_of(&m, 1.0, 4.0, bounds, BUCKETS, traffic).exposed_seconds, 1.0 + 8.0 - 4.0);
}

/* Of a step of one leaf a rank nothing is left but the leaf and the update; memory holds the three vectors at
 * least. */
static void one_rank_computes_its_leaves_and_updates(void **state) {
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

    /* Three ranks of eight leaves: the busiest has three. On cores shared by two, all takes twice as long. */
    assert_int_equal(dt_plan_predict(&m, &config, 8 * config.micro_batch_size, 3, 1.0, &point), DT_OK);
    assert_near(point.compute_seconds, 3 * 3.0);
    assert_int_equal(dt_plan_predict(&m, &config, 8 * config.micro_batch_size, 3, 2.0, &point), DT_OK);
    assert_near(point.compute_seconds, 2 * 3 * 3.0);
    assert_near(point.update_seconds, 1.0);
    assert_int_equal(dt_plan_predict(&m, &config, 8 * config.micro_batch_size, 9, 1.0, &point), DT_USAGE);
    dt_config_free(&config);
}

/* A pair of rows of docs/performance.md: what a rank sends of the default model on 2, 4, .. 512 ranks, with
 * so many a host. Ranks of a single host have empty cells where hosts have several. */
static void expect_rows(const char *page, int host_ranks, const char *way) {
    char messages[256], bytes[256];
    dt_plan_machine m = machine(1e-6, 1e9, 1e-9);
    dt_config config;
    dt_config_init(&config);
    m.host_ranks = host_ranks;
    int m_length = snprintf(messages, sizeof messages, "\n| messages, %s |", way);
    int b_length = snprintf(bytes, sizeof bytes, "\n| MB, %s |", way);
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
    expect_rows(page, 16, "16 ranks a host, hierarchical");
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
    cmocka_unit_test(the_exchange_costs_messages_bytes_and_additions),
    cmocka_unit_test(what_nothing_hides_is_exposed),
    cmocka_unit_test(a_long_backward_pass_hides_all_but_the_last_bucket),
    cmocka_unit_test(a_shared_core_costs_the_step_more_than_a_rank_sees),
    cmocka_unit_test(a_slow_link_is_busy_from_the_first_bucket_on),
    cmocka_unit_test(one_rank_computes_its_leaves_and_updates),
    cmocka_unit_test(the_table_of_the_docs_is_the_schedules),
    cmocka_unit_test(lists_of_ranks_are_sorted_and_checked),
    cmocka_unit_test(doubling_ends_at_the_size),
};

int main(void) {
    return cmocka_run_group_tests(tests, NULL, NULL);
}
