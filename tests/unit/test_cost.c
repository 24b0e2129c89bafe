/* What schedules of whole jobs move and take, counted, and the times that the model makes of the counts. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "allreduce/cost.h"

static dt_cost_traffic busiest(const dt_cost_job *job, int64_t floats) {
    const int64_t bounds[] = {0, floats};
    dt_cost_traffic moved;
    int64_t workspace_bytes;
    assert_int_equal(dt_cost_busiest(job, bounds, 1, &moved, &workspace_bytes), DT_OK);
    assert_true(job->ranks == 1 ? workspace_bytes == 0 : workspace_bytes > 0);
    return moved;
}

static int64_t log2_of(int64_t power) {
    int64_t steps = 0;
    while (power > 1) {
        power /= 2;
        steps++;
    }
    return steps;
}

/* Powers of two: 2 log2 p messages, 2 (p - 1) / p of the bytes, (p - 1) / p of the additions; and on hosts of
 * 4 ranks a host sends 2 (h - 1) / h of the vector, as if it were one rank. From 2 to 512 ranks. */
static void powers_of_two_cost_what_the_literature_says(void **state) {
    (void)state;
    const int64_t floats = 1 << 16, bytes = 4 * floats;
    for (int p = 2; p <= 512; p *= 2) {
        const dt_cost_job job = {.ranks = p, .host_ranks = 1, .micro_batches = 1024};
        const dt_cost_traffic moved = busiest(&job, floats);
        assert_int_equal(moved.messages, 2 * log2_of(p));
        assert_int_equal(moved.sent_bytes, 2 * (p - 1) * (bytes / p));
        assert_int_equal(moved.received_bytes, moved.sent_bytes);
        assert_int_equal(moved.host_sent_bytes, moved.sent_bytes);
        assert_int_equal(moved.added_floats, (p - 1) * (floats / p));
        assert_int_equal(moved.inside_bytes, 0);
    }
    for (int p = 8; p <= 512; p *= 2)
        for (dt_algorithm algorithm = DT_ALGORITHM_AUTO; algorithm <= DT_ALGORITHM_HIERARCHICAL;
             algorithm++) {
            const dt_cost_job job = {
                .ranks = p, .host_ranks = 4, .micro_batches = 1024, .algorithm = algorithm};
            const int hosts = p / 4;
            const dt_cost_traffic moved = busiest(&job, floats);
            assert_int_equal(moved.host_sent_bytes, 2 * (hosts - 1) * (bytes / hosts));
            assert_int_equal(moved.messages, 2 * log2_of(algorithm == DT_ALGORITHM_FLAT ? p : hosts));
            assert_int_equal(moved.inside_bytes > 0, algorithm == DT_ALGORITHM_FLAT);
            assert_int_equal(moved.copied_floats > 0, algorithm != DT_ALGORITHM_FLAT);
        }
}

/* Other numbers, by slices: 2 (p - 1) messages where all bring one node, and the same bytes. */
static void other_numbers_go_by_slices(void **state) {
    (void)state;
    for (int p = 3; p <= 200; p += 1 + p / 8) {
        const dt_cost_job job = {.ranks = p, .host_ranks = 1, .micro_batches = p};
        const int64_t floats = (int64_t)16 * 64 * p;
        if ((p & (p - 1)) == 0)
            continue;
        const dt_cost_traffic moved = busiest(&job, floats);
        assert_int_equal(moved.messages, 2 * (p - 1));
        assert_int_equal(moved.sent_bytes, 2 * (p - 1) * (4 * floats / p));
    }
}

/* 3 hosts of 4 ranks, 12 micro-batches: flat, a host's ranks send each of their nodes out; hierarchical,
 * their sum alone. A host's four micro-batches are a node of the tree. bfloat16 halves both. */
static void hierarchy_crosses_once_a_host(void **state) {
    (void)state;
    const int64_t floats = 12 * 16 * 64, bytes = 4 * floats;
    dt_cost_job job = {.ranks = 12, .host_ranks = 4, .micro_batches = 12, .algorithm = DT_ALGORITHM_FLAT};
    assert_int_equal(busiest(&job, floats).host_sent_bytes, 4 * bytes * 2 / 3 + 4 * 8 * bytes / 12);
    job.algorithm = DT_ALGORITHM_HIERARCHICAL;
    assert_int_equal(busiest(&job, floats).host_sent_bytes, 2 * 2 * bytes / 3);
    job.dtype = DT_DTYPE_BF16;
    assert_int_equal(busiest(&job, floats).host_sent_bytes, 2 * bytes / 3);
}

/* What a rank needs for what arrives: of two ranks with a node each, half a bucket in each of up to eight
 * slots; for bfloat16 also the two halves that travel. The most of all ranks is what the dry run says. */
static void workspace_is_counted_per_slot(void **state) {
    (void)state;
    const int64_t floats = 1 << 12;
    dt_cost_job job = {.ranks = 2, .host_ranks = 1, .micro_batches = 8};
    int64_t workspace_bytes, max = 0, dry_run;
    for (int64_t buckets = 1; buckets <= 20; buckets++) {
        const int64_t slots = buckets < 8 ? buckets : 8;
        for (job.dtype = DT_DTYPE_FP32; job.dtype <= DT_DTYPE_BF16; job.dtype++) {
            const int64_t travelling = job.dtype == DT_DTYPE_FP32 ? 0 : 2 * floats;
            assert_int_equal(dt_cost_workspace_bytes(&job, 1, floats, floats, buckets, &workspace_bytes),
                             DT_OK);
            assert_int_equal(workspace_bytes, slots * (4 * floats / 2 + travelling));
        }
    }
    job.algorithm = DT_ALGORITHM_LIBRARY; /* the rank's own nodes in one, and the result beside it */
    job.dtype = DT_DTYPE_FP32;
    assert_int_equal(dt_cost_workspace_bytes(&job, 1, floats, floats, 20, &workspace_bytes), DT_OK);
    assert_int_equal(workspace_bytes, 8 * 4 * floats);
    const dt_cost_job layered = {
        .ranks = 11, .host_ranks = 4, .micro_batches = 16, .algorithm = DT_ALGORITHM_HIERARCHICAL};
    const int64_t bounds[] = {0, floats, 2 * floats};
    dt_cost_traffic moved[2];
    assert_int_equal(dt_cost_busiest(&layered, bounds, 2, moved, &dry_run), DT_OK);
    for (int rank = 0; rank < 11; rank++) {
        assert_int_equal(dt_cost_workspace_bytes(&layered, rank, floats, floats, 2, &workspace_bytes), DT_OK);
        max = workspace_bytes > max ? workspace_bytes : max;
    }
    assert_int_equal(max, dry_run);
}

/* The ranks that stand for more than 512 tell the same of those as all would. */
static void large_jobs_are_sampled(void **state) {
    (void)state;
    const dt_cost_job job = {.ranks = 4096, .host_ranks = 8, .micro_batches = 4096};
    const int64_t floats = 1 << 20;
    const dt_cost_traffic moved = busiest(&job, floats);
    assert_int_equal(moved.host_sent_bytes, 2 * 511 * (4 * floats / 512));
    assert_int_equal(moved.messages, 2 * 9);
}

/* ---- times ---- */

static const int64_t bounds[] = {0, 1000, 2000, 3000, 4000};
enum { BUCKETS = 4 };

/* Four equal buckets: 2 messages and 1000 bytes in the busier direction each, 10 floats to add. A host has
 * one rank. */
#define MOVED(sent, received)                                                                                \
    {                                                                                                        \
        .messages = 2, .sent_bytes = (sent), .received_bytes = (received), .host_sent_bytes = (sent),        \
        .host_received_bytes = (received), .added_floats = 10                                                \
    }
static const dt_cost_traffic traffic[BUCKETS] = {MOVED(1000, 900), MOVED(1000, 900), MOVED(900, 1000),
                                                 MOVED(1000, 1000)};

/* The same among ranks of one host. */
#define MOVED_INSIDE                                                                                         \
    { .messages = 2, .sent_bytes = 1000, .received_bytes = 900, .inside_bytes = 1000, .added_floats = 10 }
static const dt_cost_traffic inside[BUCKETS] = {MOVED_INSIDE, MOVED_INSIDE, MOVED_INSIDE, MOVED_INSIDE};

static dt_cost_machine machine(double latency, double bandwidth, double add) {
    return (dt_cost_machine){.link = {latency, bandwidth, 0.0},
                             .inside = {latency, bandwidth, 0.0},
                             .add_seconds = add,
                             .threads_per_core = 1.0};
}

#define assert_near(a, b) assert_true(fabs((a) - (b)) <= 1e-9 * fabs(b))

/* total = 4 (2 latency + 1000 / bandwidth) + 40 additions: Hockney's model. */
static void the_allreduce_costs_messages_bytes_and_additions(void **state) {
    (void)state;
    const dt_cost_machine m = machine(0.5, 1000.0, 0.01);
    assert_near(dt_cost_time_of(&m, 0.0, bounds, BUCKETS, traffic).total_seconds, 4 * (1.0 + 1.0) + 0.4);
}

/* Without a backward pass to hide behind, or with messages that the rank's core copies, all of it is exposed.
 */
static void what_nothing_hides_is_exposed(void **state) {
    (void)state;
    dt_cost_machine m = machine(0.5, 1000.0, 0.01);
    assert_near(dt_cost_time_of(&m, 0.0, bounds, BUCKETS, traffic).exposed_seconds, 8.4);
    assert_near(dt_cost_time_of(&m, 1e6, bounds, BUCKETS, inside).exposed_seconds, 8.4);
    /* A quarter of the bytes' time is the core's: that is exposed, and the rest is hidden but for the last
     * bucket's. */
    m.link.cpu_seconds_per_byte = 0.25e-3;
    assert_near(dt_cost_time_of(&m, 1e6, bounds, BUCKETS, traffic).exposed_seconds, 4 * 0.25 + 1.75 + 0.4);
}

/* A backward pass that is slow beside the network hides all buckets but the last, and no addition. */
static void a_long_backward_pass_hides_all_but_the_last_bucket(void **state) {
    (void)state;
    const dt_cost_machine m = machine(0.5, 1000.0, 0.01);
    assert_near(dt_cost_time_of(&m, 100.0, bounds, BUCKETS, traffic).exposed_seconds, 2.0 + 0.4);
    /* One bucket is ready only when the pass is over. */
    const int64_t whole[] = {0, 4000};
    assert_near(dt_cost_time_of(&m, 100.0, whole, 1, traffic).exposed_seconds, 2.0 + 0.1);
}

/* Two threads that take turns on a core: each sees its own 0.4 s of additions, and the step loses both. */
static void a_shared_core_costs_the_step_more_than_a_rank_sees(void **state) {
    (void)state;
    dt_cost_machine m = machine(0.5, 1000.0, 0.01);
    m.threads_per_core = 2.0;
    const dt_cost_time e = dt_cost_time_of(&m, 1e6, bounds, BUCKETS, traffic);
    assert_near(e.exposed_seconds, 2.0 + 0.8);
    assert_near(e.seen_seconds, 2.0 + 0.4);
}

/* A slow network: the first bucket is ready a quarter of the pass in, and from then on the link is never
 * idle. */
static void a_slow_link_is_busy_from_the_first_bucket_on(void **state) {
    (void)state;
    const dt_cost_machine m = machine(0.5, 1000.0, 0.0);
    assert_near(dt_cost_time_of(&m, 4.0, bounds, BUCKETS, traffic).exposed_seconds, 1.0 + 8.0 - 4.0);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_allreduce_costs_messages_bytes_and_additions),
    cmocka_unit_test(what_nothing_hides_is_exposed),
    cmocka_unit_test(a_long_backward_pass_hides_all_but_the_last_bucket),
    cmocka_unit_test(a_shared_core_costs_the_step_more_than_a_rank_sees),
    cmocka_unit_test(a_slow_link_is_busy_from_the_first_bucket_on),
    cmocka_unit_test(powers_of_two_cost_what_the_literature_says),
    cmocka_unit_test(other_numbers_go_by_slices),
    cmocka_unit_test(hierarchy_crosses_once_a_host),
    cmocka_unit_test(workspace_is_counted_per_slot),
    cmocka_unit_test(large_jobs_are_sampled),
};

int main(void) {
    return cmocka_run_group_tests(tests, NULL, NULL);
}
