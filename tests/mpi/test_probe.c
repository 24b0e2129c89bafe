/* A probe counts, round after round, what the slowest rank takes. Its clock is the test's, and always tells
 * the same, so that its numbers are known. */
#include "support/cmocka_mpi.h"

#include <math.h>

#include "base/clock.h"
#include "plan/probe.h"

/* What readings of the clock add, in turn: at the start and at the end of a forward pass, and of a backward
 * pass, as the first readings of a round are. */
static _Thread_local double tick_seconds[4] = {1e-3, 1e-3, 1e-3, 1e-3};
static _Thread_local int readings;

double __wrap_dt_clock_seconds(void);

double __wrap_dt_clock_seconds(void) {
    static _Thread_local double now;
    return now += tick_seconds[readings++ % 4];
}

/* A round in which forward passes take this rank `forward` seconds, and backward passes `backward`. */
static void take_round(dt_probing *probing, double forward, double backward) {
    tick_seconds[1] = forward;
    tick_seconds[3] = backward;
    readings = 0;
    assert_ok(dt_probe_round(probing));
}

static dt_config config_of(const char *n_layers, const char *d_model) {
    const char *const settings[][2] = {
        {"n_layers", n_layers}, {"d_model", d_model},      {"n_heads", "2"},     {"d_ff", "32"},
        {"batch_size", "5"},    {"micro_batch_size", "1"}, {"max_seq_len", "16"}};
    dt_config config;
    dt_config_init(&config);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        assert_ok(dt_config_set(&config, settings[i][0], settings[i][1], "test"));
    return config;
}

/* A probe of a small model with one thread a rank is the `*state` of tests. */
static int create_probe(void **state) {
    dt_config config = config_of("2", "16");
    dt_probing *probing;
    assert_ok(dt_probe_create(&probing, &world, &config, 1));
    dt_config_free(&config);
    *state = probing;
    return 0;
}

static int free_probe(void **state) {
    dt_probe_free(*state);
    return 0;
}

/* The tolerance is for what the sums of a clock's readings round. */
static void expect_seconds(double found, double expected) {
    if (!(fabs(found - expected) <= 1e-9 * expected))
        fail_msg("rank %d: %.12g s, expected %.12g s", world.rank, found, expected);
}

/*
 * In every round another rank is slow: it needs ten milliseconds for what takes the others one. As many
 * rounds as ranks make each of them slow once, so the slowest rank's mean is far below ten on two ranks or
 * more, but ten is what a step would wait for.
 */
static void the_slowest_rank_of_each_round_counts(void **state) {
    for (int round = 0; round < world.size; round++) {
        const double seconds = round == world.rank ? 1e-2 : 1e-3;
        take_round(*state, seconds, seconds);
    }
    for (int threads_per_core = 1; threads_per_core <= 2; threads_per_core++) {
        const dt_probe probe = dt_probe_read(*state, threads_per_core);
        assert_int_equal(probe.threads, 1);
        expect_seconds(probe.forward_seconds, 1e-2 / threads_per_core);
        expect_seconds(probe.backward_seconds, 1e-2 / threads_per_core);
        expect_seconds(probe.update_seconds, 1e-2 / threads_per_core);
        expect_seconds(probe.add_seconds, probe.add_alone_seconds);
        assert_true(probe.add_seconds > 0.0 && probe.add_seconds < 1e-2 / 1000);
    }
}

/* Rank 0 is slow in its forward passes and the last one in its backward passes, but not slower in all: a step
 * waits for rank 0, and nobody takes as long as the slowest of each. */
static void a_micro_batch_is_one_ranks(void **state) {
    take_round(*state, world.rank == 0 ? 7e-3 : 1e-3, world.rank == world.size - 1 ? 5e-3 : 1e-3);
    const dt_probe probe = dt_probe_read(*state, 1.0);
    expect_seconds(probe.forward_seconds, 7e-3);
    expect_seconds(probe.backward_seconds, world.size == 1 ? 5e-3 : 1e-3);
}

/* A model of this size takes 0.28 petabytes. */
static void what_cannot_be_is_refused_on_all_ranks(void **state) {
    (void)state;
    dt_config config = config_of("1024", "65536");
    dt_probing *probing;
    assert_int_not_equal(dt_probe_create(&probing, &world, &config, 1), DT_OK);
    dt_probe_free(probing);
    dt_config_free(&config);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(the_slowest_rank_of_each_round_counts, create_probe, free_probe),
    cmocka_unit_test_setup_teardown(a_micro_batch_is_one_ranks, create_probe, free_probe),
    cmocka_unit_test(what_cannot_be_is_refused_on_all_ranks)};

CMOCKA_MPI_MAIN(tests)
