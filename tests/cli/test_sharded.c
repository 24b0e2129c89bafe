/* shard_optimizer saves memory and changes no bit: on any ranks, by every algorithm, in every dtype, with
 * clipping, hooks and skipped steps, and when it is switched on or off at a resume onto other ranks. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/training.h"

#define STEPS 6
#define MODEL TRAINING_MODEL "--lr-schedule cosine --warmup-steps 2 --min-learning-rate 1e-3 "
#define WHOLE MODEL "--max-steps 6 "
/* Many buckets, some smaller than a chunk for each rank would ask for. */
#define SHARD "--shard-optimizer --bucket-bytes 4096 "

static void ranks_and_threads_change_no_bit(void **state) {
    (void)state;
    static const int shapes[][2] = {{TRAINING_ALONE, 1}, {1, 1}, {2, 1}, {3, 2}, {5, 1}, {8, 1}};
    training_done(TRAINING_ALONE, 1, "whole", WHOLE "--eval-cadence 3");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char out_dir[32];
        snprintf(out_dir, sizeof out_dir, "sharded%zu", i);
        training_done(shapes[i][0], shapes[i][1], out_dir, WHOLE SHARD "--eval-cadence 3");
        training_same_run("whole", out_dir, STEPS);
        training_same_metric("whole", out_dir, "val_loss");
    }
}

static void algorithms_and_dtypes_change_no_bit(void **state) {
    (void)state;
    static const char *const ways[] = {"--allreduce flat", "--allreduce hierarchical",
                                       "--gradient-dtype bf16", "--compute-dtype bf16 --recompute layer",
                                       "--compute-dtype bf16 --eval-cadence 2"};
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++) {
        char flags[512], whole[32], sharded[32];
        snprintf(whole, sizeof whole, "whole%zu", w);
        snprintf(sharded, sizeof sharded, "sharded%zu", w);
        snprintf(flags, sizeof flags, "%s%s", WHOLE, ways[w]);
        training_done(TRAINING_ALONE, 1, whole, flags);
        snprintf(flags, sizeof flags, "%s%s%s", WHOLE, SHARD, ways[w]);
        /* In bf16 two threads of a rank pack what arrives. */
        training_done(w % 2 == 0 ? 3 : 2, strstr(ways[w], "compute") ? 2 : 1, sharded, flags);
        training_same_run(whole, sharded, STEPS);
    }
}

/* Update hooks get the whole gradient on every rank. */
static void hooks_change_no_bit(void **state) {
    (void)state;
    static const char hooks[] = "--hooks '{update: [{name: gradient_stats}]}'";
    char flags[512];
    snprintf(flags, sizeof flags, "%s%s", WHOLE, hooks);
    training_done(TRAINING_ALONE, 1, "whole", flags);
    snprintf(flags, sizeof flags, "%s%s%s", WHOLE, SHARD, hooks);
    training_done(3, 1, "sharded", flags);
    training_same_run("whole", "sharded", STEPS);
    training_same_metric("whole", "sharded", "hook");
}

/* Steps that are skipped since weights have grown beyond all bounds: which, and what is blamed for it. */
static void skipped_steps_change_no_bit(void **state) {
    (void)state;
    static const char blown[] =
        "--learning-rate 1e30 --grad-clip null --on-nonfinite skip --max-nonfinite 100 "
        "--checkpoint-cadence null ";
    char flags[512];
    snprintf(flags, sizeof flags, "%s%s", WHOLE, blown);
    command_result whole = training_run(TRAINING_ALONE, 1, "whole", flags);
    snprintf(flags, sizeof flags, "%s%s%s", WHOLE, SHARD, blown);
    command_result sharded = training_run(3, 1, "sharded", flags);
    assert_non_null(strstr(whole.err, "was skipped"));
    assert_non_null(strstr(sharded.err, "was skipped"));
    training_same_metric("whole", "sharded", "loss");
    training_same_metric("whole", "sharded", "grad_norm");
    training_same_metric("whole", "sharded", "first");
    command_free(&whole);
    command_free(&sharded);
}

/* A checkpoint does not know whether the optimizer was sharded, nor among how many ranks: each of these goes
 * on from both of them, with it and without. */
static void a_resume_may_change_it(void **state) {
    (void)state;
    static const int ranks[] = {TRAINING_ALONE, 2, 3, 5};
    static const char *const from[] = {"whole", "sharded"}, *const flags[] = {"--no-shard", "--shard"};
    training_done(TRAINING_ALONE, 1, "whole", WHOLE "--checkpoint-cadence 3");
    training_done(3, 1, "sharded", WHOLE SHARD "--checkpoint-cadence 3");
    training_same_weights("whole", "sharded", 3);
    for (int way = 0; way < 16; way++) {
        char words[256], out_dir[16];
        const int kind = way / 4 % 2, shard = way / 8;
        if (kind == 0 && shard == 0) /* no part of this */
            continue;
        snprintf(out_dir, sizeof out_dir, "on%d", way);
        snprintf(words, sizeof words, "--resume %s/checkpoints/checkpoint_step_3 --out-dir %s %s-optimizer",
                 from[kind], out_dir, flags[shard]);
        training_goes_on(ranks[way % 4], words);
        training_same_weights("whole", out_dir, STEPS);
    }
}

static void given_weights_change_no_bit(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "first", MODEL "--max-steps 2");
    training_done(TRAINING_ALONE, 1, "whole", WHOLE "--init-from first/checkpoints/latest");
    training_done(2, 1, "sharded", WHOLE SHARD "--init-from first/checkpoints/latest");
    training_same_run("whole", "sharded", STEPS);
}

/* A signal stops the run after a step, whose moments are collected for the checkpoint that it ends with. */
static void a_stop_saves_all_moments(void **state) {
    (void)state;
    const pid_t job =
        training_start(2, "stopped", TRAINING_STEADY SHARD "--max-steps 100000 --checkpoint-cadence null ");
    training_await_step(job, "stopped", 3);
    assert_int_equal(kill(training_rank_process(job, 1), SIGUSR1), 0);
    assert_int_equal(training_end(job), 0);
    const int64_t step = training_latest_step("stopped");
    char rest[512];
    assert_true(step >= 3);
    snprintf(rest, sizeof rest, "%s --max-steps %d", TRAINING_STEADY, (int)step);
    training_done(TRAINING_ALONE, 1, "whole", rest);
    training_same_weights("whole", "stopped", step);
}

/* One rank takes long for step 5, and the others wait for it. A signal to rank 0 alone, which may soon be
 * killed, has the step before saved from what all ranks have of it, beside that. */
static void a_signal_in_a_long_step_saves_the_last_one(void **state) {
    (void)state;
    const pid_t job = training_start(
        3, "long",
        TRAINING_STEADY SHARD
        "--max-steps 100000 --checkpoint-cadence null --hooks '{forward: [{name: fault, library: " HOOK_FAULT
        ", rank: 2, step: 5, place: micro_batch, how: sleep, ms: 60000, mark: struck}]}'");
    for (int look = 0; look < 600 && access("struck", F_OK) != 0; look++)
        usleep(100000);
    assert_int_equal(kill(training_rank_process(job, 0), SIGTERM), 0);
    for (int look = 0; look < 300 && training_latest_step("long") < 0; look++)
        usleep(100000);
    assert_int_equal(kill(job, SIGKILL), 0);
    (void)training_end(job);
    assert_int_equal(training_latest_step("long"), 4);
    training_done(TRAINING_ALONE, 1, "whole", TRAINING_STEADY "--max-steps 4");
    training_same_weights("whole", "long", 4);
}

/* The best model is saved where it is found, and a save that is begun while the last is written waits for it.
 */
static void every_save_has_its_own_moments(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "whole", WHOLE "--checkpoint-cadence 1 --eval-cadence 2 --save-best");
    training_done(3, 1, "sharded", WHOLE SHARD "--checkpoint-cadence 1 --eval-cadence 2 --save-best");
    for (int64_t step = 1; step <= STEPS; step++)
        training_same_weights("whole", "sharded", step);
    training_no_leftovers("sharded");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranks_and_threads_change_no_bit),
                                       cmocka_unit_test(algorithms_and_dtypes_change_no_bit),
                                       cmocka_unit_test(hooks_change_no_bit),
                                       cmocka_unit_test(skipped_steps_change_no_bit),
                                       cmocka_unit_test(a_resume_may_change_it),
                                       cmocka_unit_test(given_weights_change_no_bit),
                                       cmocka_unit_test(a_stop_saves_all_moments),
                                       cmocka_unit_test(a_signal_in_a_long_step_saves_the_last_one),
                                       cmocka_unit_test(every_save_has_its_own_moments)};
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
