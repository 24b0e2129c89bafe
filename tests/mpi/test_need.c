/* threads_per_micro_batch: auto takes the fewest threads with which what the ranks need fits their memory,
 * and a refusal names what would fit. What a host has left is the test's own. */
#include "support/cmocka_mpi.h"

#include <string.h>

#include "base/available.h"
#include "config/config.h"
#include "comm/placement.h"
#include "comm/topology.h"
#include "train/need.h"

static int64_t available, less_on_last;

int64_t __wrap_dt_available_bytes(const char *root);
int64_t __wrap_dt_available_bytes(const char *root) {
    (void)root;
    return available - (world.rank == world.size - 1 ? less_on_last : 0);
}

enum { THREADS = 6 };

static dt_config config;
static dt_layout layout;

static dt_need_job job_of(int64_t asked) {
    config.threads_per_micro_batch = asked;
    return (dt_need_job){.layout = &layout,
                         .config = &config,
                         .rank = world.rank,
                         .size = world.size,
                         .host_ranks = world.host_ranks,
                         .threads = THREADS,
                         .team_threads = 1};
}

/* What all ranks of the host need with teams of `threads`, by the config as it is. Collective. */
static int64_t need_with(int threads) {
    dt_need_job job = job_of(DT_NULL_INT);
    dt_need need;
    job.team_threads = threads;
    assert_ok(dt_need_of(&job, &need));
    int64_t all = dt_need_capacity(&need);
    assert_ok(dt_world_host_sum(&world, &all));
    return all;
}

static void set_up(void) {
    dt_config_init(&config);
    config.batch_size = 12 * world.size;
    config.micro_batch_size = 1;
    assert_ok(dt_layout_create(&layout, (dt_shape){4, 256, 4, 1024, 256, 99}));
}

static void tear_down(void) {
    dt_layout_free(&layout);
    dt_config_free(&config);
}

static void teams_are_as_small_as_memory_allows(void **state) {
    (void)state;
    static const int threads[] = {1, 2, 3, 4}; /* of which 6 threads form 6, 3, 2 teams and one */
    set_up();
    for (int i = 0; i < 4; i++) {
        dt_need_job job = job_of(DT_NULL_INT);
        dt_need need;
        available = need_with(threads[i]);
        assert_true(i == 0 || available < need_with(threads[i - 1]));
        assert_ok(dt_need_choose_teams(&world, &job, &need));
        assert_int_equal(job.team_threads, threads[i]);
        assert_int_equal(dt_need_teams(&job), THREADS / threads[i]);
        assert_ok(dt_need_check(&world, &job, &need));
    }
    tear_down();
}

/* Then a run is refused, by what the least would be. */
static void where_nothing_suffices_all_threads_are_one_team(void **state) {
    (void)state;
    set_up();
    dt_need_job job = job_of(DT_NULL_INT);
    dt_need need;
    available = need_with(THREADS) - 1;
    assert_ok(dt_need_choose_teams(&world, &job, &need));
    assert_int_equal(job.team_threads, THREADS);
    assert_int_equal(dt_need_check(&world, &job, &need), DT_USAGE);
    tear_down();
}

/* A host that has less than the others decides: here each rank looks at one of its own. */
static void the_host_with_least_memory_decides(void **state) {
    (void)state;
    set_up();
    dt_need_job job = job_of(DT_NULL_INT);
    dt_need need;
    available = need_with(1);
    less_on_last = available - need_with(2);
    assert_ok(dt_need_choose_teams(&world, &job, &need));
    assert_int_equal(job.team_threads, 2);
    assert_ok(dt_need_check(&world, &job, &need));
    less_on_last = 0;
    tear_down();
}

/* What keeps the bits and fits is named, and works; where nothing does, that is said. */
static void a_refusal_names_what_fits(void **state) {
    (void)state;
    static const struct {
        bool layer, shard, one_team;
        int64_t asked;
        const char *advice;
    } cases[] = {
        {false, false, true, 1, "; with threads_per_micro_batch: auto it fits, and the bits are the same;"},
        {true, false, true, DT_NULL_INT, "; with recompute: layer it fits, and the bits are the same;"},
        {true, false, true, 1,
         "; with recompute: layer and threads_per_micro_batch: auto it fits, and the bits are the same;"},
        {true, true, true, DT_NULL_INT,
         "; with recompute: layer and shard_optimizer: true it fits, and the bits are the same;"},
        {true, true, false, DT_NULL_INT, "; neither recompute: layer nor shard_optimizer: true is enough;"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        if (cases[i].shard && world.size == 1)
            continue;
        set_up();
        config.recompute = cases[i].layer ? DT_RECOMPUTE_LAYER : DT_RECOMPUTE_NONE;
        config.shard_optimizer = cases[i].shard;
        available = need_with(THREADS) - (cases[i].one_team ? 0 : 1);
        config.recompute = DT_RECOMPUTE_NONE;
        config.shard_optimizer = false;
        dt_need_job job = job_of(cases[i].asked);
        dt_need need;
        assert_ok(dt_need_choose_teams(&world, &job, &need));
        assert_int_equal(dt_need_check(&world, &job, &need), DT_USAGE);
        if (world.rank == 0 && strstr(dt_error(), cases[i].advice) == NULL)
            fail_msg("expected %s in: %s", cases[i].advice, dt_error());
        tear_down();
    }
}

/* Rank 0 generates samples, and its decoder is counted. */
static void samples_are_counted(void **state) {
    (void)state;
    set_up();
    dt_need_job job = job_of(1);
    dt_need need;
    config.sampling_cadence = 10;
    job.saves = true;
    assert_ok(dt_need_of(&job, &need));
    const int64_t keys_and_values = 4 * 256 * 3 * 256 * (int64_t)sizeof(float);
    if (world.rank == 0)
        assert_in_range(need.bytes[DT_NEED_SAMPLER], keys_and_values, 4 * keys_and_values);
    else
        assert_int_equal(need.bytes[DT_NEED_SAMPLER], 0);
    config.sampling_cadence = DT_NULL_INT;
    assert_ok(dt_need_of(&job, &need));
    assert_int_equal(need.bytes[DT_NEED_SAMPLER], 0);
    tear_down();
}

/* With so many of its threads on each NUMA node a rank passes over sizes whose teams would lie on two: of 6
 * threads on two nodes, teams of 2; what memory then asks for is the next that does not. */
static void teams_keep_to_a_node(void **state) {
    (void)state;
    dt_topology *topology = dt_topology_create("pack:2 numa:1 core:3 pu:1");
    assert_non_null(topology);
    const dt_topology_set all = dt_topology_online(topology);
    const dt_topology_counts counts = dt_topology_count(topology, &all);
    set_up();
    dt_need_job job = job_of(DT_NULL_INT);
    dt_need need;
    job.node_threads = dt_placement_node_threads(&counts, THREADS);
    assert_int_equal(job.node_threads, 3);
    available = need_with(2);
    assert_true(need_with(3) < available);
    assert_ok(dt_need_choose_teams(&world, &job, &need));
    assert_int_equal(job.team_threads, 3);
    job = job_of(DT_NULL_INT); /* one node: as small as memory allows */
    job.node_threads = THREADS;
    assert_ok(dt_need_choose_teams(&world, &job, &need));
    assert_int_equal(job.team_threads, 2);
    tear_down();
    dt_topology_free(topology);
}

static void a_number_is_taken_as_it_is(void **state) {
    (void)state;
    set_up();
    dt_need_job job = job_of(4);
    dt_need need;
    available = 1;
    assert_ok(dt_need_choose_teams(&world, &job, &need));
    assert_int_equal(job.team_threads, 4);
    assert_int_equal(dt_need_teams(&job), 1);
    tear_down();
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(teams_are_as_small_as_memory_allows),
                                          cmocka_unit_test(where_nothing_suffices_all_threads_are_one_team),
                                          cmocka_unit_test(the_host_with_least_memory_decides),
                                          cmocka_unit_test(a_refusal_names_what_fits),
                                          cmocka_unit_test(samples_are_counted),
                                          cmocka_unit_test(teams_keep_to_a_node),
                                          cmocka_unit_test(a_number_is_taken_as_it_is)};

CMOCKA_MPI_MAIN(tests)
