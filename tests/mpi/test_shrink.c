/*
 * All that depends on the ranks is freed and created anew between two steps, over fewer ranks, as a job does
 * that goes on without some of them. Identity: weights and moments are those of a run that had so few from
 * the start.
 */
#include <string.h>

#include "base/memory.h"
#include "support/small_harness.h"

#define STEPS_BEFORE 2
#define STEPS_AFTER  2

static void describe(dt_config *config, dt_algorithm algorithm) {
    small_config(config, 14);
    config->grad_clip = 0.5;
    config->allreduce = algorithm;
}

static void copy_state(dt_state *to, const dt_state *from) {
    const size_t bytes = (size_t)from->layout->elements * sizeof(float);
    memcpy(to->parameters, from->parameters, bytes);
    memcpy(to->exp_avg, from->exp_avg, bytes);
    memcpy(to->exp_avg_sq, from->exp_avg_sq, bytes);
    to->step = from->step;
}

static void expect_same(const dt_state *a, const dt_state *b) {
    const size_t bytes = (size_t)a->layout->elements * sizeof(float);
    assert_int_equal(a->step, b->step);
    assert_memory_equal(a->parameters, b->parameters, bytes);
    assert_memory_equal(a->exp_avg, b->exp_avg, bytes);
    assert_memory_equal(a->exp_avg_sq, b->exp_avg_sq, bytes);
}

/* The rest of the run, on the ranks that are left. */
static void go_on(const dt_world *subset, const dt_config *config, const dt_state *reached) {
    dt_harness fewer, from_the_start;
    assert_ok(dt_harness_create(&fewer, subset, config, 1));
    assert_ok(dt_harness_create(&from_the_start, subset, config, 1));
    copy_state(&fewer.state, reached);
    take_steps(&fewer, STEPS_AFTER);
    take_steps(&from_the_start, STEPS_BEFORE + STEPS_AFTER);
    expect_same(&fewer.state, &from_the_start.state);
    dt_harness_free(&from_the_start);
    dt_harness_free(&fewer);
}

static void check_shrink(dt_algorithm algorithm, int ranks) {
    dt_config config;
    dt_harness all;
    dt_state reached;
    dt_layout layout;
    dt_world subset;
    describe(&config, algorithm);
    assert_ok(dt_harness_create(&all, &world, &config, 1));
    take_steps(&all, STEPS_BEFORE);
    assert_ok(dt_layout_create(&layout, all.layout.shape));
    assert_ok(dt_state_create(&reached, &layout));
    copy_state(&reached, &all.state);
    dt_harness_free(&all);
    assert_ok(dt_world_split(&world, ranks, &subset));
    if (subset.mpi)
        go_on(&subset, &config, &reached);
    assert_ok(dt_world_rejoin(&world, &subset));
    dt_state_free(&reached);
    dt_layout_free(&layout);
    dt_config_free(&config);
}

static void fewer_ranks_go_on_to_the_same_bits(void **state) {
    (void)state;
    const dt_algorithm algorithms[] = {DT_ALGORITHM_FLAT, DT_ALGORITHM_HIERARCHICAL};
    for (int a = 0; a < 2; a++)
        for (int ranks = world.size; ranks >= 1; ranks--)
            check_shrink(algorithms[a], ranks);
}

static const struct CMUnitTest tests[] = {cmocka_unit_test(fewer_ranks_go_on_to_the_same_bits)};

CMOCKA_MPI_MAIN(tests)
