/* The promise: the same losses, gradients and weights, bit for bit, on any number of ranks and threads. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

#define STEPS 6
#define MODEL TRAINING_MODEL "--max-steps 6 --lr-schedule cosine --warmup-steps 2 --min-learning-rate 1e-3 "

typedef struct job_shape {
    int ranks, threads;
} job_shape;

static void ranks_and_threads_change_no_bit(void **state) {
    (void)state;
    const job_shape shapes[] = {
        {TRAINING_ALONE, 1}, {1, 2}, {2, 1}, {2, 3}, {3, 1}, {3, 2}, {5, 1}, {5, 2}, {8, 1}, {8, 2}};
    training_done(1, 1, "one", MODEL "--eval-cadence 3");
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char out_dir[32];
        snprintf(out_dir, sizeof out_dir, "r%d_t%d", shapes[i].ranks, shapes[i].threads);
        training_done(shapes[i].ranks, shapes[i].threads, out_dir, MODEL "--eval-cadence 3");
        training_same_run("one", out_dir, STEPS);
        training_same_metric("one", out_dir, "val_loss");
    }
}

/* How nodes travel is free: the same weights by messages alone and through shared memory. */
static void the_algorithm_changes_no_bit(void **state) {
    (void)state;
    training_done(1, 1, "alone", MODEL);
    for (int ranks = 2; ranks <= 8; ranks += 3) {
        char flat[32], shared[32];
        snprintf(flat, sizeof flat, "flat%d", ranks);
        snprintf(shared, sizeof shared, "shared%d", ranks);
        training_done(ranks, 1, flat, MODEL "--allreduce flat --bucket-bytes 8192");
        training_done(ranks, 2, shared, MODEL "--allreduce hierarchical --bucket-bytes 4096");
        training_same_run("alone", flat, STEPS);
        training_same_run("alone", shared, STEPS);
    }
}

/* bf16 rounds every node of the tree, so it too gives the same bits on any number of ranks, on one
 * micro-batch and on many; and others than fp32. */
static void rounded_gradients_are_exact_too(void **state) {
    (void)state;
    static const int ranks[] = {1, 2, 3, 5, 8};
    training_done(TRAINING_ALONE, 1, "floats", MODEL);
    training_done(TRAINING_ALONE, 2, "rounded", MODEL "--gradient-dtype bf16");
    if (!training_files_differ("floats/checkpoints/latest/model.safetensors",
                               "rounded/checkpoints/latest/model.safetensors"))
        fail_msg("--gradient-dtype bf16 changed nothing");
    for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
        char out_dir[32];
        snprintf(out_dir, sizeof out_dir, "rounded%d", ranks[i]);
        training_done(ranks[i], 1, out_dir,
                      i % 2 == 0 ? MODEL "--gradient-dtype bf16 --allreduce hierarchical"
                                 : MODEL "--gradient-dtype bf16 --bucket-bytes 8192");
        training_same_run("rounded", out_dir, STEPS);
    }
}

/* OpenMP's own limit leaves a rank fewer threads than it asks for; the others still get its whole gradient.
 */
static void a_limit_on_threads_changes_no_bit(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "unlimited", MODEL "--micro-batch-size 1");
    setenv("OMP_THREAD_LIMIT", "2", 1);
    training_done(2, 4, "limited", MODEL "--micro-batch-size 1");
    unsetenv("OMP_THREAD_LIMIT");
    training_same_run("unlimited", "limited", STEPS);
}

/* The comparison can fail: dropout, clipping, seed and order all reach the weights. */
static void other_settings_change_the_bits(void **state) {
    (void)state;
    static const char *const other[] = {"--dropout 0.2", "--grad-clip 0.4", "--seed 8", "--no-shuffle"};
    training_done(TRAINING_ALONE, 1, "plain", MODEL);
    for (size_t i = 0; i < sizeof other / sizeof *other; i++) {
        char flags[512];
        snprintf(flags, sizeof flags, MODEL "%s", other[i]);
        training_done(TRAINING_ALONE, 1, "other", flags);
        if (!training_files_differ("plain/checkpoints/latest/model.safetensors",
                                   "other/checkpoints/latest/model.safetensors"))
            fail_msg("%s changed nothing", other[i]);
    }
}

/* B = 2 L - 1 in micro-batches of 2: the last of L micro-batches is half as large. One takes B = 2. */
static void a_short_last_micro_batch_changes_nothing(void **state) {
    (void)state;
    static const int micro_batches[] = {1, 2, 3, 4, 7};
    for (size_t i = 0; i < sizeof micro_batches / sizeof *micro_batches; i++) {
        const int L = micro_batches[i];
        char flags[512], one[32], many[32];
        snprintf(flags, sizeof flags, MODEL "--batch-size %d --micro-batch-size 2", L == 1 ? 2 : 2 * L - 1);
        snprintf(one, sizeof one, "micro_batches%d_one", L);
        snprintf(many, sizeof many, "micro_batches%d_many", L);
        training_done(TRAINING_ALONE, 1, one, flags);
        training_done(L, 1, many, flags);
        training_same_run(one, many, STEPS);
    }
    training_done(3, 2, "thirteen3", MODEL "--batch-size 13 --micro-batch-size 2");
    training_same_run("micro_batches7_one", "thirteen3", STEPS);
    training_done(5, 1, "thirteen5", MODEL "--batch-size 13 --micro-batch-size 2");
    training_same_run("micro_batches7_one", "thirteen5", STEPS);
}

/* A rank without a micro-batch would have nothing to do. */
static void more_ranks_than_micro_batches_are_refused(void **state) {
    (void)state;
    training_refused(
        5, "refused", MODEL "--batch-size 8 --micro-batch-size 2", 2,
        "dtrain: error: 5 ranks for 4 micro-batches: expected at most one rank per micro-batch (a step has "
        "ceil(batch_size / micro_batch_size) of them); use at most 4 ranks, a larger batch_size or a smaller "
        "micro_batch_size\n");
}

/* Rank 0 alone or all ranks together, also with fewer validation micro-batches than ranks: the same text. */
static void everybody_evaluates_to_the_same_bits(void **state) {
    (void)state;
    static const char *const windows[] = {"", "--eval-max-windows 3", "--eval-max-windows 1"};
    const int ranks[] = {2, 3, 5};
    for (size_t w = 0; w < sizeof windows / sizeof *windows; w++) {
        char flags[512], rank_0[32];
        snprintf(rank_0, sizeof rank_0, "rank0_%zu", w);
        snprintf(flags, sizeof flags, MODEL "--eval-cadence 2 --eval-on rank0 %s", windows[w]);
        training_done(2, 1, rank_0, flags);
        snprintf(flags, sizeof flags, MODEL "--eval-cadence 2 --eval-on all %s", windows[w]);
        for (size_t i = 0; i < sizeof ranks / sizeof *ranks; i++) {
            char all[32];
            snprintf(all, sizeof all, "all_%zu_%d", w, ranks[i]);
            training_done(ranks[i], 1, all, flags);
            training_same_metric(rank_0, all, "val_loss");
            training_same_metric(rank_0, all, "loss");
        }
    }
    char *whole = training_last_metric("rank0_0", "val_loss"),
         *few = training_last_metric("rank0_1", "val_loss");
    assert_string_not_equal(whole, few); /* the bound on windows does bound them */
    free(whole);
    free(few);
}

/* What hooks report is the same on 1 and on 3 ranks; hooks that only look change no bit of the weights. */
static void hooks_report_the_same_bits(void **state) {
    (void)state;
    static const char hooks[] = MODEL
        "--hooks '{forward: [{name: activation_stats, log_interval: 2}], update: [{name: gradient_stats}]}'";
    training_done(TRAINING_ALONE, 1, "bare", MODEL);
    training_done(1, 1, "hooks1", hooks);
    training_done(3, 2, "hooks3", hooks);
    training_same_run("bare", "hooks1", STEPS);
    training_same_run("hooks1", "hooks3", STEPS);
    training_same_metric("hooks1", "hooks3", "hook");
    char *lines = training_metric("hooks1", "hook");
    int count = 0;
    for (const char *at = lines; (at = strchr(at, '\n')) != NULL; at++)
        count++;
    assert_int_equal(count, STEPS + STEPS / 2);
    free(lines);
}

static void the_order_of_the_text_is_exact_too(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "ordered1", MODEL "--no-shuffle");
    training_done(3, 1, "ordered3", MODEL "--no-shuffle");
    training_same_run("ordered1", "ordered3", STEPS);
}

/* 890 windows for 300 streams: 290 streams have 3 and begin their second epoch at step 4, the others have 2.
 * Six steps are two or three epochs of a stream; a stop in the middle of one and other ranks change no bit.
 */
static void spread_windows_are_exact_too(void **state) {
    (void)state;
    static const char flags[] = TRAINING_MODEL "--leftover-windows spread --batch-size 300 "
                                               "--micro-batch-size 100 --n-layers 1 ";
    char line[512];
    snprintf(line, sizeof line, "%s --max-steps %d", flags, STEPS);
    training_done(TRAINING_ALONE, 1, "spread1", line);
    training_done(2, 1, "spread2", line);
    training_same_run("spread1", "spread2", STEPS);
    snprintf(line, sizeof line, "%s --max-steps 5", flags);
    training_done(3, 1, "spread3", line);
    snprintf(line, sizeof line, "%s --max-steps %d --resume latest", flags, STEPS);
    training_done(TRAINING_ALONE, 2, "spread3", line);
    training_same_run("spread1", "spread3", STEPS);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(ranks_and_threads_change_no_bit),
                                       cmocka_unit_test(the_algorithm_changes_no_bit),
                                       cmocka_unit_test(rounded_gradients_are_exact_too),
                                       cmocka_unit_test(a_limit_on_threads_changes_no_bit),
                                       cmocka_unit_test(other_settings_change_the_bits),
                                       cmocka_unit_test(a_short_last_micro_batch_changes_nothing),
                                       cmocka_unit_test(more_ranks_than_micro_batches_are_refused),
                                       cmocka_unit_test(everybody_evaluates_to_the_same_bits),
                                       cmocka_unit_test(hooks_report_the_same_bits),
                                       cmocka_unit_test(the_order_of_the_text_is_exact_too),
                                       cmocka_unit_test(spread_windows_are_exact_too)};
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
