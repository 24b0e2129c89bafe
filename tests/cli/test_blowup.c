/* Runs whose numbers blow up or whose replicas come to differ: what is taken, written and said, and that it
 * is the same on any number of ranks and over a stop. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/training.h"

#define MODEL         TRAINING_MODEL "--max-steps 6 "
#define PROBE(option) "--hooks '{update: [{name: p, library: " HOOK_PROBE ", " option "}]}' "
#define SKIP          "--on-nonfinite skip "

/* By default the run ends before the update, and the checkpoint of the step before stays the last. */
static void a_step_that_is_not_finite_stops_the_run(void **state) {
    (void)state;
    training_refused(3, "stop", MODEL PROBE("spoil: [4]") "--checkpoint-cadence 3", 1,
                     "dtrain: error: step 4: expected a finite loss and gradient, found loss ");
    training_expect_steps("stop", "loss", "1 2 3 ");
    command_result r = command_run("tail -n 1 stop/metrics.jsonl && %s runs stop && %s report stop --out - | "
                                   "grep -c 'class=\"failure\">step 4: expected a finite'",
                                   DTRAIN, DTRAIN);
    command_says(
        &r, "{\"event\":\"failed\",\"step\":3,\"cause\":\"step 4: expected a finite loss and gradient, ");
    command_says(&r, "stop  failed   3/6 ");
    command_says(&r, "stop failed: step 4: expected a finite loss and gradient, found loss ");
    command_says(&r, "\n1\n");
    command_free(&r);
    assert_int_equal(training_latest_step("stop"), 3);
    training_refused(2, "name", MODEL PROBE("spoil: [1]"), 1,
                     "the first that is not finite is the gradient of wte.weight; the step was not taken, "
                     "and");
    assert_int_equal(training_latest_step("name"), -1);
}

/* Skipped steps count, have a line each and change neither weights nor moments; the others are as they are on
 * any number of ranks, and after a stop. */
static void skipped_steps_count_and_change_nothing(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "one", MODEL SKIP PROBE("spoil: [3, 4]") "--checkpoint-cadence 1");
    training_done(3, 2, "three", MODEL SKIP PROBE("spoil: [3, 4]"));
    training_done(2, 1, "parts", TRAINING_MODEL SKIP PROBE("spoil: [3, 4]") "--max-steps 3");
    training_done(1, 1, "parts", MODEL SKIP PROBE("spoil: [3, 4]") "--resume latest");
    training_expect_steps("one", "loss", "1 2 3 4 5 6 ");
    training_expect_steps("one", "in_a_row", "3 4 ");
    training_same_weights("one", "three", 6);
    training_same_weights("one", "parts", 6);
    training_same_metric("one", "three", "loss");
    training_same_metric("one", "parts", "loss");
    training_same_metric("one", "three", "first");
    training_same_metric("one", "parts", "lr");
    for (int step = 3; step <= 4; step++)
        for (int file = 0; file < 2; file++) {
            const char *const names[] = {"model", "optimizer"};
            char path[128], other[128];
            snprintf(path, sizeof path, "one/checkpoints/checkpoint_step_2/%s.safetensors", names[file]);
            snprintf(other, sizeof other, "one/checkpoints/checkpoint_step_%d/%s.safetensors", step,
                     names[file]);
            assert_false(training_files_differ(path, other));
        }
    assert_true(training_files_differ("one/checkpoints/checkpoint_step_4/model.safetensors",
                                      "one/checkpoints/checkpoint_step_5/model.safetensors"));
}

/* As many in a row as max_nonfinite end the run; one good step between them starts the count anew. */
static void too_many_in_a_row_stop_the_run(void **state) {
    (void)state;
    training_refused(2, "row", MODEL SKIP PROBE("spoil: [2, 4, 5]") "--max-nonfinite 2", 1,
                     ", number 2 in a row; the first that is not finite is the gradient of wte.weight");
    training_expect_steps("row", "loss", "1 2 3 4 ");
    assert_int_equal(training_latest_step("row"), -1);
}

/* Steps that are skipped leave the weights as they are, and so do checkpoints of them: the advice leads to
 * before the weights that were evaluated first. */
static void the_advice_leads_before_skipped_steps(void **state) {
    (void)state;
#define LARGE TRAINING_MODEL SKIP "--checkpoint-cadence 1 --eval-cadence 1 --grad-clip null "
    training_done(1, 1, "large", LARGE "--max-steps 2");
    training_refused(2, "large", LARGE "--max-steps 9 --max-nonfinite 3 --learning-rate 1e18 --resume latest",
                     1, ", number 3 in a row; the weights are finite, but too large to compute with;");
    command_result r = command_run("cp -r large again && rm -r again/checkpoints/checkpoint_step_[3-9] && "
                                   "ln -sf checkpoint_step_2 again/checkpoints/latest");
    command_free(&r);
    training_refused(2, "again", LARGE "--max-steps 9 --max-nonfinite 3 --learning-rate 1e18 --resume auto",
                     1, "--resume again/checkpoints/checkpoint_step_2, the newest from before it");
}

/* An update that leaves infinities behind is not saved: the next loss would come too late to say so. */
static void a_state_that_is_not_finite_is_not_saved(void **state) {
    (void)state;
    training_done(1, 1, "state", TRAINING_MODEL "--max-steps 1");
    training_refused(2, "state", TRAINING_MODEL "--resume latest --max-steps 2 --learning-rate 1e39", 1,
                     "dtrain: error: step 2 was not saved: expected finite numbers, found NaN or infinity "
                     "in tensor wte.weight");
    assert_int_equal(training_latest_step("state"), 1);
}

/* What a detector with a low threshold finds is the same on any number of ranks and over a stop. */
static void spikes_are_found_alike(void **state) {
    (void)state;
#define SPIKES TRAINING_MODEL "--loss-spike-window 3 --loss-spike-threshold 0.5 "
    training_done(TRAINING_ALONE, 1, "calm", SPIKES "--max-steps 40");
    training_done(3, 2, "calm3", SPIKES "--max-steps 40");
    training_done(2, 1, "resumed", SPIKES "--max-steps 21");
    training_done(1, 1, "resumed", SPIKES "--max-steps 40 --resume latest");
    training_same_metric("calm", "calm3", "z");
    training_same_metric("calm", "resumed", "z");
    training_same_metric("calm", "resumed", "mean");
    training_done(1, 1, "off", SPIKES "--max-steps 40 --loss-spike-window null");
    training_expect_steps("off", "z", "");
    training_same_weights("calm", "off", 40);
}

/* A hook that changes the gradient on one rank alone: no step is taken on it, however seldom weights are
 * compared. */
static void a_hook_that_strays_ends_the_run(void **state) {
    (void)state;
    training_refused(
        4, "stray", MODEL PROBE("stray: 0") "--check-cadence null", 1,
        " differs from the other 3 ranks; first in the gradient of wte.weight; the step was not taken;");
    training_expect_steps("stray", "loss", "");
    assert_int_equal(training_latest_step("stray"), -1);
}

#define FAULT(where) "--hooks '{update: [{name: fault, library: " HOOK_FAULT ", place: update, " where "}]}' "

/* One rank alone finds a number that is not finite in the sum that all have: all see it before they update,
 * and end at once, or skip the step together. The rank is known with two ranks too. */
static void what_one_rank_finds_all_act_upon(void **state) {
    (void)state;
    training_refused(2, "two", MODEL FAULT("rank: 1, step: 4, how: nan, tensor: 1"), 1,
                     "dtrain: error: step 4: expected a finite loss and gradient, found loss ");
    training_expect_steps("two", "loss", "1 2 3 ");
    training_refused(2, "two_again", MODEL FAULT("rank: 1, step: 4, how: nan, tensor: 1"), 1,
                     "the first that is not finite is the gradient of wpe.weight on rank 1 on ");
    training_refused(
        2, "two_cause", MODEL FAULT("rank: 1, step: 4, how: nan, tensor: 1"), 1,
        " alone; the step was not taken, and the checkpoints before it are untouched; the cause is bad memory, ");
    training_refused(
        5, "five", MODEL FAULT("rank: 3, step: 2, how: inf"), 1,
        " and grad_norm inf; the first that is not finite is the gradient of wte.weight on rank 3 on ");
    training_done(3, 1, "skip", MODEL SKIP FAULT("rank: 2, step: 4, how: nan, tensor: 1"));
    training_expect_steps("skip", "loss", "1 2 3 4 5 6 ");
    training_expect_steps("skip", "in_a_row", "4 ");
    char *first = training_metric("skip", "first");
    assert_non_null(strstr(first, "4 \"gradient of wpe.weight on rank 2 on "));
    free(first);
}

/* The advice leads to where the checkpoints are by then, and not to a copy in the old place. The run waits at
 * a pipe without a reader meanwhile. */
static void the_advice_follows_a_moved_folder(void **state) {
    (void)state;
    command_result r = command_run("mkfifo gate");
    command_free(&r);
    const pid_t run =
        training_start(TRAINING_ALONE, "old",
                       MODEL "--checkpoint-cadence 2 --hooks '{update: [{name: fault, library: " HOOK_FAULT
                             ", place: update, step: 5, mark: gate}, {name: fault, library: " HOOK_FAULT
                             ", place: update, step: 6, how: nan}]}'");
    training_await_step(run, "old", 4);
    r = command_run(
        "until test \"$(readlink old/checkpoints/latest)\" = checkpoint_step_4; do sleep 0.02; done; "
        "mv old moved && cp -r moved old && : < gate");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    assert_int_equal(training_end(run), 1);
    char *err = command_read_file("old.err");
    if (strstr(err, "/moved/checkpoints/checkpoint_step_4, the newest from before it") == NULL)
        fail_msg("%s", err);
    free(err);
}

/* The lowest bit of one element on one rank: too little for the norm, but no step is taken on it. With two
 * ranks nobody can know which is right, and the sentence says so. */
static void a_gradient_that_differs_is_not_taken(void **state) {
    (void)state;
    training_refused(
        3, "flip", MODEL FAULT("rank: 1, step: 4, how: flip, tensor: 1") "--checkpoint-cadence 3", 1,
        "dtrain: error: step 4: expected the same loss and gradient on every rank, found that rank 1 on ");
    training_expect_steps("flip", "loss", "1 2 3 ");
    assert_int_equal(training_latest_step("flip"), 3);
    training_refused(3, "flip3",
                     MODEL FAULT("rank: 1, step: 4, how: flip, tensor: 1") "--checkpoint-cadence 2", 1,
                     "fix the hook, and go on by the same command with --resume "
                     "flip3/checkpoints/checkpoint_step_2, the newest from before it");
    training_refused(
        2, "flip2", MODEL SKIP FAULT("rank: 1, step: 4, how: flip, tensor: 1"), 1,
        " differ from one another, and no majority says which is right; first in the gradient of "
        "wpe.weight; the step was not taken; ");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_step_that_is_not_finite_stops_the_run),
                                       cmocka_unit_test(skipped_steps_count_and_change_nothing),
                                       cmocka_unit_test(too_many_in_a_row_stop_the_run),
                                       cmocka_unit_test(the_advice_leads_before_skipped_steps),
                                       cmocka_unit_test(a_state_that_is_not_finite_is_not_saved),
                                       cmocka_unit_test(what_one_rank_finds_all_act_upon),
                                       cmocka_unit_test(a_gradient_that_differs_is_not_taken),
                                       cmocka_unit_test(the_advice_follows_a_moved_folder),
                                       cmocka_unit_test(spikes_are_found_alike),
                                       cmocka_unit_test(a_hook_that_strays_ends_the_run)};
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
