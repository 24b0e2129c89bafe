/* The count of what a sum moves against a sum that is carried out, and the measurement of the links. */
#include "comm/link.h"
#include "allreduce/allreduce.h"
#include "allreduce/cost.h"
#include "support/cmocka_mpi.h"

#define MICRO_BATCHES 11
#define ELEMENTS      4096
static const int64_t bounds[] = {0, 1600, 1600 + 16, ELEMENTS};
#define BUCKETS 3

/* The bytes that dt_allreduce_take_sent_bytes reports are those of the formula. */
static void a_sum_sends_the_bytes_that_were_counted(void **state) {
    (void)state;
    static float vectors[DT_TREE_COVER_MAX][ELEMENTS] __attribute__((aligned(64)));
    float *nodes[DT_TREE_COVER_MAX];
    dt_allreduce *reduce;
    dt_cost_traffic counted;
    const dt_allreduce_options options = {0};
    const dt_cost_job job = {.ranks = world.size, .host_ranks = world.size, .micro_batches = MICRO_BATCHES};
    for (int i = 0; i < DT_TREE_COVER_MAX; i++)
        nodes[i] = vectors[i];
    assert_ok(dt_allreduce_create(&reduce, &world, MICRO_BATCHES, ELEMENTS, bounds, BUCKETS, &options));
    for (int64_t b = BUCKETS - 1; b >= 0; b--)
        assert_ok(dt_allreduce_start(reduce, b, nodes, nodes[0]));
    assert_ok(dt_allreduce_finish(reduce));
    const int64_t sent_bytes = dt_allreduce_take_sent_bytes(reduce);
    dt_allreduce_free(reduce);
    assert_ok(dt_cost_of_rank(&job, world.rank, bounds, BUCKETS, &counted));
    assert_int_equal(sent_bytes, counted.sent_bytes);
}

/* Both numbers are positive and rank 0's everywhere. */
static void the_links_have_one_latency_and_bandwidth(void **state) {
    (void)state;
    dt_link link, first;
    assert_ok(dt_link_measure(&world, &link));
    first = link;
    assert_ok(dt_world_broadcast(&world, &first, (int64_t)sizeof first));
    assert_true(link.latency_seconds > 0.0 && link.bandwidth_bytes > 0.0);
    assert_memory_equal(&link, &first, sizeof link);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(a_sum_sends_the_bytes_that_were_counted),
    cmocka_unit_test(the_links_have_one_latency_and_bandwidth),
};

CMOCKA_MPI_MAIN(tests)
