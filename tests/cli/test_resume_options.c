/* What the options of a run that goes on may be: given anew, from the checkpoint, or refused; and what is
 * said of them. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/text.h"
#include "support/training.h"

/* What would change the meaning of the run is refused by name, with both values. */
static void fixed_options_may_not_change(void **state) {
    (void)state;
    const struct {
        const char *flag, *key, *saved, *now;
    } changes[] = {{"--n-layers 3", "n_layers", "2", "3"},
                   {"--d-model 64", "d_model", "32", "64"},
                   {"--n-heads 4", "n_heads", "2", "4"},
                   {"--d-ff 128", "d_ff", "64", "128"},
                   {"--batch-size 8", "batch_size", "16", "8"},
                   {"--micro-batch-size 4", "micro_batch_size", "2", "4"},
                   {"--seed 8", "seed", "7", "8"},
                   {"--max-seq-len 16", "max_seq_len", "32", "16"},
                   {"--train-ratio 0.9", "train_ratio", "0.95", "0.9"},
                   {"--no-shuffle", "shuffle", "true", "false"},
                   {"--leftover-windows spread", "leftover_windows", "drop", "spread"}};
    for (size_t i = 0; i < sizeof changes / sizeof *changes; i++) {
        char flags[512], sentence[512];
        snprintf(flags, sizeof flags, TRAINING_STEADY "--max-steps 4 --resume latest %s", changes[i].flag);
        snprintf(
            sentence, sizeof sentence,
            "dtrain: error: cannot resume: %s is %s in the checkpoint and %s in this run; this option may "
            "not change within a run; leave it out to take what the checkpoint has, or start a new run "
            "without --resume\n",
            changes[i].key, changes[i].saved, changes[i].now);
        /* With several ranks too, the sentence comes once. */
        training_refused(i == 0 ? 3 : TRAINING_ALONE, "saved", flags, 2, sentence);
    }
    /* All at once, so that nobody has to find them one by one. */
    training_refused(
        2, "saved", "--resume latest --max-steps 4 --n-layers 3 --seed 8 --no-shuffle --dropout 0.2", 2,
        "dtrain: error: cannot resume: n_layers is 2 in the checkpoint and 3 in this run; seed is 7 in "
        "the checkpoint and 8 in this run; shuffle is true in the checkpoint and false in this run; "
        "these options may not change within a run; leave them out to take what the checkpoint has, "
        "or start a new run without --resume\n");
}

/* Hooks go on too, by name; and what does not fit together with the checkpoint's options is refused before
 * anything is said of changes. */
static void what_a_checkpoint_brings_is_told(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "hooked",
                  TRAINING_STEADY "--max-steps 2 --hooks '{update: [{name: gradient_stats}]}'");
    command_result r = training_goes_on(TRAINING_ALONE, "--resume hooked/checkpoints/latest --max-steps 3");
    command_says(
        &r, "resume: the hooks are those of the checkpoint, {\"update\":[{\"name\":\"gradient_stats\"}]}; "
            "--hooks null leaves them out\n");
    command_free(&r);
    r = command_run("%s --resume hooked/checkpoints/latest --max-steps 4 --min-learning-rate 1",
                    DTRAIN_PROGRAM);
    assert_int_equal(r.exit_code, 2);
    command_says(
        &r,
        "min_learning_rate must be at most learning_rate, but min_learning_rate is 1 and learning_rate is 0.01");
    assert_string_equal(r.out, "");
    command_free(&r);
}

/* What the schedule does from here, in numbers, where its end has passed or its length has changed. */
static void the_schedule_is_told(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "told", TRAINING_COSINE);
    command_result r = training_goes_on(2, "--resume told/checkpoints/checkpoint_step_8 --max-steps 20");
    command_says(
        &r,
        "dtrain: warning: resume: the learning rate was 0.00146447 at step 8; with lr_schedule: cosine and "
        "max_steps: 20 it is 0.0067101 at step 9 and 0 at step 20: it rises again");
    command_free(&r);
    r = command_run("rm -r told");
    command_free(&r);
    training_done(TRAINING_ALONE, 1, "told", TRAINING_COSINE);
    r = training_goes_on(TRAINING_ALONE, "--resume told/checkpoints/latest --max-steps 12");
    command_says(
        &r,
        "dtrain: warning: resume: the learning rate was 0 at step 10, where its schedule ended; with "
        "lr_schedule: cosine and max_steps: 12 it is 0.000244717 at step 11 and 0 at step 12: it rises again");
    command_free(&r);
    r = training_goes_on(TRAINING_ALONE,
                         "--resume told/checkpoints/latest --max-steps 13 --lr-schedule constant "
                         "--learning-rate 1e-9");
    command_says(&r,
                 "with lr_schedule: constant and max_steps: 13 it is 1e-09 at step 13 and 1e-09 at step 13");
    command_free(&r);
}

/* One line for a whole job, and a file that has the old name too. */
static void old_names_are_taken_and_told_once(void **state) {
    (void)state;
    command_result r = command_run("echo 'exchange: flat' > old.yaml");
    command_free(&r);
    r = training_run(2, 1, "old", TRAINING_MODEL "--max-steps 1 --config old.yaml --exchange hierarchical");
    assert_int_equal(r.exit_code, 0);
    const char *told = strstr(r.err, " is now called ");
    assert_non_null(told);
    assert_null(strstr(told + 1, " is now called "));
    command_says(&r, "dtrain: warning: --exchange is now called --allreduce; the old name is still taken\n");
    command_says(&r, "allreduce hierarchical, in fp32\n");
    command_free(&r);
    /* One of another verb is no flag here, and has no other name. */
    r = command_run("%s --ways", DTRAIN);
    assert_int_equal(r.exit_code, 2);
    assert_string_equal(
        r.err, "dtrain: error: unknown flag --ways; --help lists the verb's, and dtrain help options those "
               "of training\n");
    command_free(&r);
}

/* Options that have no effect beside the others, and a schedule that does not come to its end. */
static void what_has_no_effect_is_said(void **state) {
    (void)state;
    command_result r = training_run(2, 1, "idle",
                                    TRAINING_MODEL "--max-steps 2 --warmup-steps 8 --decay-steps 3 "
                                                   "--keep-every 2");
    assert_int_equal(r.exit_code, 0);
    command_says(
        &r,
        "dtrain: warning: warmup_steps is 8 and max_steps is 2: the run ends while the learning rate still "
        "rises, at 0.0025 of 0.01; lower warmup_steps or raise max_steps\n");
    command_says(
        &r,
        "dtrain: warning: decay_steps is 3, which has an effect only with lr_schedule: wsd; give that too, "
        "or leave decay_steps out\n");
    command_says(&r, "dtrain: warning: keep_every is 2, which has an effect only with a keep_last");
    command_free(&r);
    r = training_run(1, 1, "busy",
                     TRAINING_MODEL "--max-steps 2 --warmup-steps 1 --lr-schedule wsd --decay-steps 1 "
                                    "--keep-every 2 --keep-last 1");
    assert_null(strstr(r.err, "warning: warmup"));
    assert_null(strstr(r.err, "effect"));
    command_free(&r);
}

static void another_corpus_is_refused(void **state) {
    (void)state;
    text_write("longer.txt", 31000, 1);
    text_write("other.txt", 30000, 2);
    training_refused(
        2, "saved", TRAINING_STEADY "--max-steps 4 --resume latest --data null --data longer.txt", 2,
        "dtrain: error: longer.txt is not the text that the checkpoint was trained on: expected 30000 "
        "bytes and 30000 tokens, found 31000 and 31000; give that text by --data, or start a new run in "
        "another --out-dir without --resume\n");
    training_refused(
        TRAINING_ALONE, "saved", TRAINING_STEADY "--max-steps 4 --resume latest --data null --data other.txt",
        2,
        "dtrain: error: other.txt is not the text that the checkpoint was trained on: it is as long, but "
        "its content hash is ");
    for (int more = 1; more <= 2; more++) {
        char flags[512], sentence[256];
        snprintf(flags, sizeof flags,
                 TRAINING_STEADY
                 "--max-steps 4 --resume latest --data null --data longer.txt --data other.txt%s",
                 more == 2 ? " --data other.txt" : "");
        snprintf(
            sentence, sizeof sentence,
            "dtrain: error: longer.txt and %d more file%s are not the text that the checkpoint was trained "
            "on: expected 30000 bytes and 30000 tokens, found ",
            more, more == 1 ? "" : "s");
        training_refused(TRAINING_ALONE, "saved", flags, 2, sentence);
    }
}

/* The same text under another name is the same corpus; what may change is said once and taken. */
static void other_options_may_change_and_are_logged(void **state) {
    (void)state;
    command_result copy =
        command_run("mkdir changed && cp -r saved/checkpoints changed/ && cp text.txt moved.txt");
    assert_int_equal(copy.exit_code, 0);
    command_free(&copy);
    command_result r = training_run(
        2, 1, "changed",
        TRAINING_STEADY "--max-steps 4 --resume latest --data null --data moved.txt --learning-rate 0.005 "
                        "--eval-cadence 2 --checkpoint-cadence 1");
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "resume: learning_rate was 0.01 and is 0.005 from here on\n"));
    assert_non_null(strstr(r.out, "resume: max_steps was 2 and is 4 from here on\n"));
    assert_non_null(strstr(r.out, "resume: eval_cadence was null and is 2 from here on\n"));
    assert_non_null(strstr(r.out, "resume: checkpoint_cadence was 1000 and is 1 from here on\n"));
    assert_null(strstr(r.out, "resume: seed"));
    assert_null(strstr(r.out, "resume: data"));
    command_free(&r);
    char *rates = training_metric("changed", "lr");
    assert_string_equal(rates, "3 0.005\n4 0.005\n");
    free(rates);
}

/* Without --seed the run takes the checkpoint's, so it goes on with the same bits. */
static void the_seed_comes_from_the_checkpoint(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "drawn", TRAINING_STEADY "--seed null --max-steps 2");
    command_result copy = command_run("cp -r drawn drawn_copy");
    command_free(&copy);
    training_done(2, 1, "drawn", TRAINING_STEADY "--seed null --max-steps 4 --resume latest");
    training_done(TRAINING_ALONE, 2, "drawn_copy",
                  TRAINING_STEADY "--seed null --max-steps 4 --resume latest");
    training_same_weights("drawn", "drawn_copy", 4);
}

/* The text need not be named again. */
static void the_text_comes_from_the_checkpoint(void **state) {
    (void)state;
    training_done(1, 1, "text", TRAINING_MODEL "--max-steps 2");
    command_result r =
        command_run(DTRAIN_PROGRAM " --n-layers 2 --d-model 32 --n-heads 2 --d-ff 64 --max-seq-len 32 "
                                   "--out-dir text --resume latest --max-steps 3");
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    assert_int_equal(training_latest_step("text"), 3);
    command_free(&r);
}

/* A deadline is of one job: the run that goes on has it only where it is given anew. */
static void the_deadline_is_of_one_job(void **state) {
    (void)state;
    training_done(1, 1, "day", TRAINING_MODEL "--max-steps 2 --stop-after-seconds 86400");
    training_done(1, 1, "day", "--resume latest --max-steps 3");
    training_done(1, 1, "day", "--resume latest --max-steps 4 --stop-after-seconds 3600");
    command_result r = command_run("grep -o '\"stop_after_seconds\":[0-9a-z.]*' day/metrics.jsonl");
    assert_string_equal(r.out, "\"stop_after_seconds\":86400.0\n\"stop_after_seconds\":null\n"
                               "\"stop_after_seconds\":3600.0\n");
    command_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(fixed_options_may_not_change),
                                       cmocka_unit_test(what_a_checkpoint_brings_is_told),
                                       cmocka_unit_test(the_schedule_is_told),
                                       cmocka_unit_test(old_names_are_taken_and_told_once),
                                       cmocka_unit_test(what_has_no_effect_is_said),
                                       cmocka_unit_test(another_corpus_is_refused),
                                       cmocka_unit_test(other_options_may_change_and_are_logged),
                                       cmocka_unit_test(the_seed_comes_from_the_checkpoint),
                                       cmocka_unit_test(the_deadline_is_of_one_job),
                                       cmocka_unit_test(the_text_comes_from_the_checkpoint)};
    return cmocka_run_group_tests(tests, training_set_up_saved, command_tear_down);
}
