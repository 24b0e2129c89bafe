/* threads_per_micro_batch changes no bit: by teams of any size on any ranks, with layers recomputed, a
 * sharded optimizer, hooks, in both dtypes and when it changes at a resume; and the opening lines say what
 * was taken. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

#define STEPS 4
#define MODEL TRAINING_MODEL "--batch-size 7 --max-steps 4 --eval-cadence 2 --eval-on all "

/* Ranks, threads, and threads of a team: more teams than fit evenly, one team of all, and the last wave of a
 * rank, which has fewer micro-batches than teams. */
static const struct {
    int ranks, threads;
    const char *team;
} shapes[] = {{TRAINING_ALONE, 2, "1"},
              {TRAINING_ALONE, 2, "2"},
              {TRAINING_ALONE, 3, "auto"},
              {TRAINING_ALONE, 4, "3"},
              {TRAINING_ALONE, 4, "2"},
              {TRAINING_ALONE, 1, "9"},
              {2, 2, "2"},
              {3, 3, "1"}};

static void compare(const char *name, const char *flags) {
    char all[512], out_dir[48];
    training_done(TRAINING_ALONE, 1, name, flags);
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        snprintf(out_dir, sizeof out_dir, "%s%zu", name, i);
        snprintf(all, sizeof all, "%s --threads-per-micro-batch %s", flags, shapes[i].team);
        training_done(shapes[i].ranks, shapes[i].threads, out_dir, all);
        training_same_run(name, out_dir, STEPS);
        training_same_metric(name, out_dir, "val_loss");
    }
}

static void teams_change_no_bit(void **state) {
    (void)state;
    compare("plain", MODEL);
}

static void nor_do_they_with_other_options(void **state) {
    (void)state;
    compare("bf16", MODEL "--compute-dtype bf16 --gradient-dtype bf16 --recompute layer --shard-optimizer");
}

/* Hooks see what a whole team has made. */
static void hooks_see_the_same(void **state) {
    (void)state;
    static const char hooks[] = MODEL "--hooks '{forward: [{name: activation_stats, log_interval: 1}]}'";
    char flags[512];
    snprintf(flags, sizeof flags, "%s --threads-per-micro-batch 2", hooks);
    training_done(TRAINING_ALONE, 1, "alone", hooks);
    training_done(TRAINING_ALONE, 3, "together", flags);
    training_same_metric("alone", "together", "hook");
}

static void a_resume_may_change_it(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "whole", MODEL);
    training_done(TRAINING_ALONE, 2, "half", MODEL "--checkpoint-cadence 2 --threads-per-micro-batch 2");
    training_done(TRAINING_ALONE, 3, "rest",
                  MODEL "--resume half/checkpoints/checkpoint_step_2 --threads-per-micro-batch auto");
    training_same_weights("whole", "rest", STEPS);
}

static void expect_line(int threads, const char *flags, const char *line) {
    char all[512];
    snprintf(all, sizeof all, "%s %s", MODEL, flags);
    command_result r = training_run(TRAINING_ALONE, threads, "told", all);
    assert_int_equal(r.exit_code, 0);
    if (line)
        command_says(&r, line);
    else
        assert_null(strstr(r.out, "\nteams "));
    command_free(&r);
}

static void the_opening_says_what_was_taken(void **state) {
    (void)state;
    expect_line(2, "", NULL);
    expect_line(
        4, "--threads-per-micro-batch 2",
        "teams     2 threads work on a micro-batch together, 2 at once: threads_per_micro_batch asks");
    expect_line(3, "--batch-size 4",
                "teams     1 or 2 threads work on a micro-batch together, 2 at once: the rank has no more");
}

static void bad_numbers_are_refused(void **state) {
    (void)state;
    training_refused(TRAINING_ALONE, "bad", MODEL "--threads-per-micro-batch 0", 2,
                     "threads_per_micro_batch must be an integer from 1 to 4096, or auto, but is 0");
    training_refused(TRAINING_ALONE, "bad", MODEL "--threads-per-micro-batch many", 2,
                     "threads_per_micro_batch must be an integer from 1 to 4096, or auto, but is many");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(teams_change_no_bit),
        cmocka_unit_test(nor_do_they_with_other_options),
        cmocka_unit_test(hooks_see_the_same),
        cmocka_unit_test(a_resume_may_change_it),
        cmocka_unit_test(the_opening_says_what_was_taken),
        cmocka_unit_test(bad_numbers_are_refused),
    };
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
