/* One bit of the state turned over on one rank is noticed, and rank and tensor are named, before a save. */
#include "support/cmocka_mpi.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "config/check.h"
#include "support/text.h"
#include "train/loop.h"
#include "train/run.h"

static char folder[64];

static int set_up(void **state) {
    char text[80];
    (void)state;
    snprintf(folder, sizeof folder, "/tmp/dtrain-test-XXXXXX");
    if (world.rank == 0) {
        assert_non_null(mkdtemp(folder));
        snprintf(text, sizeof text, "%s/text.txt", folder);
        text_write(text, 20000, 3);
    }
    assert_ok(dt_world_broadcast(&world, folder, (int64_t)sizeof folder));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    assert_ok(dt_world_barrier(&world));
    if (world.rank == 0)
        assert_ok(dt_file_remove_tree(folder));
    return 0;
}

static void make_run(dt_run *run, const char *check_cadence) {
    dt_config config;
    char data[80];
    snprintf(data, sizeof data, "%s/text.txt", folder);
    const char *const settings[][2] = {
        {"n_layers", "2"},    {"d_model", "16"},     {"n_heads", "2"},
        {"d_ff", "32"},       {"max_seq_len", "16"}, {"seed", "1"},
        {"batch_size", "10"}, {"max_steps", "12"},   {"checkpoint_cadence", "1"},
        {"out_dir", folder},  {"data", data},        {"check_cadence", check_cadence}};
    dt_config_init(&config);
    for (size_t i = 0; i < sizeof settings / sizeof *settings; i++)
        assert_ok(dt_config_set(&config, settings[i][0], settings[i][1], "test"));
    assert_ok(dt_config_check(&config));
    assert_ok(dt_run_create(run, &world, &config));
}

static void flip(float *number, int bit) {
    uint32_t bits;
    memcpy(&bits, number, sizeof bits);
    bits ^= UINT32_C(1) << bit;
    memcpy(number, &bits, sizeof bits);
}

/* Takes steps until one does not count, and returns the state's step then; at most up to `max`. */
static int64_t walk(dt_run *run, int64_t max, dt_step_outcome *outcome) {
    dt_step_result result = {0};
    while (run->state.step < max && result.outcome == DT_STEP_TAKEN)
        assert_ok(dt_step_run(run->step, &result, NULL, NULL));
    *outcome = result.outcome;
    return run->state.step;
}

/* Rank 0 has the sentence, with what is expected of it; the others have none. */
static void expect_named(int differing, int64_t step, const char *tensor) {
    char expected[1024];
    if (world.rank != 0) {
        assert_string_equal(dt_error(), "");
        return;
    }
    if (world.size == 2)
        snprintf(expected, sizeof expected,
                 "after step %" PRId64 " rank 0 on %s, rank 1 on %s differ from one another, and no majority "
                 "says which is right; first in tensor %s; this state was not saved",
                 step, world.host, world.host, tensor);
    else
        snprintf(expected, sizeof expected,
                 "after step %" PRId64 " rank %d on %s differs from the other %d ranks; first in tensor %s; "
                 "this state was not saved",
                 step, differing, world.host, world.size - 1, tensor);
    if (strstr(dt_error(), expected) == NULL)
        fail_msg("expected \"%s\", found \"%s\"", expected, dt_error());
}

/* The lowest bit of one weight, on each rank in turn: the next look, of every second state, finds it. */
static void a_bit_of_a_weight_is_found_by_the_next_look(void **state) {
    (void)state;
    for (int differing = 0; differing < world.size; differing++) {
        dt_run run;
        dt_step_outcome outcome;
        make_run(&run, "2");
        assert_int_equal(walk(&run, 4, &outcome), 4);
        const dt_tensor *tensor = dt_layout_find(&run.layout, "h.1.mlp.c_fc.weight");
        if (world.rank == differing)
            flip(run.state.parameters + tensor->offset + tensor->count - 1, 0);
        assert_int_equal(walk(&run, 12, &outcome), 4);
        assert_int_equal(outcome, DT_STEP_REPLICAS_DIFFER);
        assert_int_equal(dt_replica_check_name(&run.replica_check), DT_FAILED);
        expect_named(differing, 4, tensor->name);
        dt_run_free(&run);
    }
}

/* A bit that turns between two looks has wandered into all tensors of that rank by the second. */
static void a_bit_between_looks_is_found_at_the_second(void **state) {
    (void)state;
    dt_run run;
    dt_step_outcome outcome;
    make_run(&run, "5");
    assert_int_equal(walk(&run, 6, &outcome), 6);
    if (world.rank == world.size - 1)
        flip(run.state.parameters, 22);
    assert_int_equal(walk(&run, 12, &outcome), 10);
    assert_int_equal(outcome, DT_STEP_REPLICAS_DIFFER);
    assert_int_equal(dt_replica_check_name(&run.replica_check), DT_FAILED);
    expect_named(world.size - 1, 10, "wte.weight");
    dt_run_free(&run);
}

/* The moments are compared too, and with null nothing is. */
static void what_is_to_be_saved_is_compared(void **state) {
    (void)state;
    for (int compared = 0; compared < 2; compared++) {
        dt_run run;
        dt_step_outcome outcome;
        make_run(&run, compared ? "1000" : "null");
        assert_int_equal(walk(&run, 3, &outcome), 3);
        assert_ok(dt_replica_check_compare_now(&run.replica_check));
        const dt_tensor *tensor = dt_layout_find(&run.layout, "ln_f.bias");
        if (world.rank == 0)
            flip(run.state.exp_avg_sq + tensor->offset, 13);
        assert_int_equal(dt_replica_check_compare_now(&run.replica_check), compared ? DT_FAILED : DT_OK);
        if (compared)
            expect_named(0, 3, "exp_avg_sq.ln_f.bias");
        dt_run_free(&run);
    }
}

/* A number that is not finite tells the rank, with two ranks too, whatever the others' bits. */
static void a_replica_that_blows_up_is_named(void **state) {
    (void)state;
    for (int differing = 0; differing < world.size; differing++) {
        dt_run run;
        dt_step_outcome outcome;
        char expected[512];
        make_run(&run, "100");
        assert_int_equal(walk(&run, 3, &outcome), 3);
        const dt_tensor *tensor = dt_layout_find(&run.layout, "h.0.ln_2.bias");
        if (world.rank == differing)
            run.state.parameters[tensor->offset] = NAN;
        assert_int_equal(walk(&run, 12, &outcome), 3);
        assert_int_equal(outcome, DT_STEP_REPLICAS_DIFFER);
        assert_int_equal(dt_replica_check_name(&run.replica_check), DT_FAILED);
        snprintf(
            expected, sizeof expected,
            "after step 3 rank %d on %s alone has NaN or infinity; first in tensor h.0.ln_2.bias; this state was not "
            "saved",
            differing, world.host);
        if (world.rank == 0 && strstr(dt_error(), expected) == NULL)
            fail_msg("expected \"%s\", found \"%s\"", expected, dt_error());
        dt_run_free(&run);
    }
}

/* A run whose replicas differ from the start ends as a failure with nothing saved. */
static void the_run_ends_before_it_saves(void **state) {
    (void)state;
    dt_run run;
    char latest[96];
    make_run(&run, "100");
    const dt_tensor *tensor = dt_layout_find(&run.layout, "wpe.weight");
    if (world.rank == 1)
        flip(run.state.parameters + tensor->offset, 31);
    assert_int_equal(dt_loop_run(&run), DT_FAILED);
    expect_named(1, 0, "wpe.weight");
    snprintf(latest, sizeof latest, "%s/checkpoints/latest", folder);
    assert_false(dt_file_exists(latest));
    dt_run_free(&run);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test_setup_teardown(a_bit_of_a_weight_is_found_by_the_next_look, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_bit_between_looks_is_found_at_the_second, set_up, tear_down),
    cmocka_unit_test_setup_teardown(what_is_to_be_saved_is_compared, set_up, tear_down),
    cmocka_unit_test_setup_teardown(a_replica_that_blows_up_is_named, set_up, tear_down),
    cmocka_unit_test_setup_teardown(the_run_ends_before_it_saves, set_up, tear_down)};

CMOCKA_MPI_MAIN(tests)
