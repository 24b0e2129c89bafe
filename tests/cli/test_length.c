/* Runs whose end is given in tokens or epochs: the same as if it were given in steps, also for what goes on.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

/* A step is 16 sequences of 32: 512 tokens. The rate falls to the end, so the end decides the weights. */
#define MODEL TRAINING_MODEL "--lr-schedule cosine --warmup-steps 1 "

static void expect_run(const char *words, const char *says) {
    command_result r = command_run("%s train %s", DTRAIN, words);
    if (r.exit_code != 0)
        fail_msg("%s: %s", words, r.err);
    command_says(&r, says);
    command_free(&r);
}

static void the_same_weights_by_any_measure(void **state) {
    (void)state;
    expect_run(MODEL "--out-dir steps --max-steps 4", "step 4/4  loss ");
    expect_run(MODEL "--out-dir tokens --max-tokens 2000", "\nlength    4 steps: ");
    expect_run(MODEL "--out-dir least --max-tokens 2000 --max-epochs 50 --max-steps 6", "step 4/4  loss ");
    training_same_metric("steps", "tokens", "loss");
    training_same_metric("steps", "least", "loss");
}

/* The text has 20000 characters and more than one epoch is known once it is read. */
static void epochs_are_of_the_text(void **state) {
    int64_t epoch = 0, half = 0;
    (void)state;
    command_result r = command_run("%s train " MODEL "--max-epochs 1 --out-dir one --dry-run", DTRAIN);
    const char *line = strstr(r.out, "an epoch is ");
    assert_true(line != NULL && sscanf(line, "an epoch is %" SCNd64, &epoch) == 1);
    line = strstr(r.out, "\nlength    ");
    assert_true(line != NULL && sscanf(line, "\nlength    %" SCNd64, &half) == 1);
    assert_int_equal(half, epoch);
    command_free(&r);
    r = command_run("%s train " MODEL "--max-epochs 0.5 --out-dir half --dry-run", DTRAIN);
    line = strstr(r.out, "\nlength    ");
    assert_true(line != NULL && sscanf(line, "\nlength    %" SCNd64, &half) == 1);
    assert_int_equal(half, (epoch + 1) / 2);
    command_free(&r);
}

static void a_run_goes_on_to_the_end_it_had(void **state) {
    (void)state;
    expect_run(MODEL "--out-dir whole --max-tokens 3000", "step 6/6  loss ");
    expect_run(MODEL "--out-dir cut --max-tokens 2000",
               "--resume cut/checkpoints/checkpoint_step_4 --max-tokens N\n");
    expect_run(
        "--resume cut/checkpoints/latest",
        "nothing to do: the checkpoint is at step 4 and training ends at step 4; raise --max-tokens to go on");
    expect_run(MODEL "--out-dir both --max-steps 9 --max-epochs 0.01",
               "--resume both/checkpoints/checkpoint_step_1 --max-epochs N\n");
    expect_run("--resume cut/checkpoints/latest --max-tokens 3000", "step 6/6  loss ");
    expect_run("--resume cut/checkpoints/latest --max-steps 7", "step 7/7  loss ");
    expect_run(
        "--resume cut/checkpoints/latest",
        "nothing to do: the checkpoint is at step 7 and training ends at step 7; raise --max-steps to go on");
}

static void progress_knows_it(void **state) {
    (void)state;
    command_result r = command_run("%s progress --out-dir whole", DTRAIN);
    command_says(&r, "complete: step 6 of 6 in whole\n");
    command_free(&r);
    r = command_run("%s progress --out-dir whole --max-tokens 4000", DTRAIN);
    command_says(&r, "unfinished: step 6 of 8 in whole\n");
    command_free(&r);
    r = command_run("%s progress --out-dir later --resume auto --max-epochs 3", DTRAIN);
    command_says(&r, "unfinished: step 0 of an end not known yet in later\n");
    command_free(&r);
}

/* What is printed and read again means the same. */
static void a_printed_config_means_the_same(void **state) {
    (void)state;
    command_result r =
        command_run("%s --print-config --max-tokens 2000 >c.yaml && grep -c '^max_steps: null$' c.yaml && "
                    "%s --config c.yaml --print-config | cmp - c.yaml",
                    DTRAIN, DTRAIN);
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_weights_by_any_measure), cmocka_unit_test(epochs_are_of_the_text),
        cmocka_unit_test(a_run_goes_on_to_the_end_it_had), cmocka_unit_test(progress_knows_it),
        cmocka_unit_test(a_printed_config_means_the_same),
    };
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
