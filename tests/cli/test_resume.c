/* Stopping and going on: the same bits as without a stop, on other numbers of ranks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

/* What same_metric compares holds every step, so equal texts also mean that no step stands twice. */
static void same_course(const char *out_dir, const char *other) {
    training_same_run(out_dir, other, 10);
}

/* 4 ranks to step 4, one to 8, three to 10, against two that never stopped. */
static void parts_on_other_ranks_make_the_same_run(void **state) {
    (void)state;
    training_done(2, 1, "whole", TRAINING_STEADY "--max-steps 10");
    training_done(4, 1, "parts", TRAINING_STEADY "--max-steps 4");
    assert_int_equal(training_latest_step("parts"), 4);
    training_done(1, 2, "parts", TRAINING_STEADY "--max-steps 8 --resume latest");
    assert_int_equal(training_latest_step("parts"), 8);
    training_done(3, 1, "parts", TRAINING_STEADY "--max-steps 10 --resume auto");
    same_course("whole", "parts");
    training_no_leftovers("parts");
}

/* A run that ended at 10 goes on from its checkpoint of step 4: the lines of 5 to 10 are written once. */
static void an_earlier_checkpoint_takes_lines_back(void **state) {
    (void)state;
    training_done(2, 1, "cosine", TRAINING_COSINE "--eval-cadence 3");
    training_done(TRAINING_ALONE, 1, "again", TRAINING_COSINE "--eval-cadence 3");
    training_done(3, 2, "again",
                  TRAINING_COSINE "--eval-cadence 3 --resume again/checkpoints/checkpoint_step_4");
    same_course("cosine", "again");
    training_same_metric("cosine", "again", "val_loss");
    assert_int_equal(training_latest_step("again"), 10);
}

/* Options that are not given come from the checkpoint, the folders and the text too: the same bits as without
 * a stop, on another number of ranks, also after the run was moved, and seen from another folder. */
static void a_checkpoint_alone_goes_on(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "unbroken", TRAINING_COSINE "--keep-last 5");
    training_done(2, 1, "broken", TRAINING_COSINE "--keep-last 5");
    command_result r = command_run("cp -r broken moved && mkdir below");
    command_free(&r);
    r = training_goes_on(3, "--resume broken/checkpoints/checkpoint_step_8");
    command_says(&r, "resume: the text is text.txt, as the checkpoint says");
    assert_null(strstr(r.out, " from here on"));
    assert_null(strstr(r.err, "rises"));
    command_free(&r);
    same_course("unbroken", "broken");
    r = command_run("cd below && %s --resume ../moved/checkpoints/checkpoint_step_8 --data ../text.txt",
                    DTRAIN_PROGRAM);
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    same_course("unbroken", "moved");
    r = command_run("ls below");
    assert_string_equal(r.out, "");
    command_free(&r);
    /* A flag beats the file, the file beats the checkpoint. */
    r = command_run("printf 'learning_rate: 0.5\\nweight_decay: 0.3\\n' >later.yaml");
    command_free(&r);
    r = training_goes_on(TRAINING_ALONE, "--config later.yaml --weight-decay 0.2 --max-steps 12 --resume "
                                         "broken/checkpoints/latest");
    command_says(&r, "resume: learning_rate was 0.01 and is 0.5 from here on\n");
    command_says(&r, "resume: weight_decay was 0.1 and is 0.2 from here on\n");
    assert_null(strstr(r.out, "dropout"));
    command_free(&r);
    assert_int_equal(training_latest_step("broken"), 12);
}

static void a_finished_run_has_nothing_to_do(void **state) {
    (void)state;
    command_result r = training_run(1, 1, "saved", TRAINING_STEADY "--max-steps 2 --resume latest");
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(
        r.out, "nothing to do: the checkpoint is at step 2 and training ends at step 2; raise --max-steps to "
               "go on\n"));
    assert_null(strstr(r.out, "not read"));
    command_free(&r);
    r = command_run("cp text.txt other.txt");
    command_free(&r);
    r = training_run(1, 1, "saved",
                     TRAINING_STEADY "--max-steps 2 --resume auto --data null --data other.txt");
    assert_int_equal(r.exit_code, 0);
    command_says(&r,
                 "resume: data was text.txt, and other.txt is not read: the run in saved is at its end; a "
                 "run on another text needs another --out-dir\n");
    command_free(&r);
}

/* A step that is not finite is not taken: what was saved before it stays, and a run with a sane rate goes on
 * from there. */
static void a_diverging_run_keeps_what_was_saved(void **state) {
    (void)state;
    training_done(2, 1, "diverged", TRAINING_MODEL "--max-steps 2");
    training_refused(3, "diverged", TRAINING_MODEL "--resume latest --max-steps 6 --learning-rate 1e30", 1,
                     "expected a finite loss and gradient");
    assert_int_equal(training_latest_step("diverged"), 2);
    training_done(1, 1, "diverged", TRAINING_MODEL "--resume latest --max-steps 4");
    assert_int_equal(training_latest_step("diverged"), 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(parts_on_other_ranks_make_the_same_run),
                                       cmocka_unit_test(an_earlier_checkpoint_takes_lines_back),
                                       cmocka_unit_test(a_checkpoint_alone_goes_on),
                                       cmocka_unit_test(a_finished_run_has_nothing_to_do),
                                       cmocka_unit_test(a_diverging_run_keeps_what_was_saved)};
    return cmocka_run_group_tests(tests, training_set_up_saved, command_tear_down);
}
