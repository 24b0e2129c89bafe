/* What a run makes of its validation loss: the weights that it leaves are evaluated, a number says of which
 * step it is, a loss that is not finite is a failure, and the best weights are there to be found. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/training.h"

#define MODEL TRAINING_MODEL "--log-cadence 1000000 "

static void expect_metric(const char *out_dir, const char *key, const char *expected) {
    char *lines = training_metric(out_dir, key), steps[256] = "";
    for (const char *line = lines; *line; line = strchr(line, '\n') + 1)
        snprintf(steps + strlen(steps), sizeof steps - strlen(steps), "%d ", atoi(line));
    assert_string_equal(steps, expected);
    free(lines);
}

static void says(const char *text, const char *words) {
    if (strstr(text, words) == NULL)
        fail_msg("expected \"%s\" in:\n%s", words, text);
}

/* Where `link` in the checkpoints of the run leads, "" for nowhere. */
static void expect_link(const char *out_dir, const char *link, const char *expected) {
    char path[256], target[256] = "";
    snprintf(path, sizeof path, "%s/checkpoints/%s", out_dir, link);
    const ssize_t length = readlink(path, target, sizeof target - 1);
    target[length > 0 ? length : 0] = 0;
    assert_string_equal(target, expected);
}

/* The last step is no multiple of eval_cadence. Its checkpoint has the loss, so it can be the best. */
static void the_last_weights_are_evaluated(void **state) {
    (void)state;
    command_result r = training_run(2, 1, "last", MODEL "--max-steps 8 --eval-cadence 3");
    assert_int_equal(r.exit_code, 0);
    says(r.out, "done after step 8: loss ");
    says(r.out, " at step 8; ");
    command_free(&r);
    expect_metric("last", "val_loss", "3 6 8 ");
    expect_link("last", "best", "checkpoint_step_8");
    training_done(TRAINING_ALONE, 1, "none", MODEL "--max-steps 4");
    expect_metric("none", "val_loss", "");
}

/* SIGUSR1 leaves time. What was saved first gets the loss afterwards. */
static void weights_left_at_a_stop_are_evaluated(void **state) {
    (void)state;
    const pid_t process = training_start(
        2, "stopped", MODEL "--max-steps 100000000 --eval-cadence 50000000 --eval-max-windows 2");
    training_await_step(process, "stopped", 3);
    kill(process, SIGUSR1);
    assert_int_equal(training_end(process), 0);
    char *evaluated = training_metric("stopped", "val_loss"), name[64],
         *out = command_read_file("stopped.out");
    const int64_t step = training_latest_step("stopped");
    assert_int_equal(atoll(evaluated), step);
    snprintf(name, sizeof name, " at step %d; ", (int)step);
    says(out, name);
    snprintf(name, sizeof name, "checkpoint_step_%d", (int)step);
    expect_link("stopped", "best", name);
    free(evaluated);
    free(out);
}

/* As number NaN is a failure of the weights: by default it ends the run, with nothing saved of them. */
static void a_loss_that_is_not_finite_ends_the_run(void **state) {
    (void)state;
#define BLOWN MODEL "--learning-rate 1e37 --max-steps 1 --eval-cadence 5 "
    training_refused(
        2, "nan", BLOWN, 1,
        "dtrain: error: step 1: expected a finite val_loss, found NaN or infinity; the weights are finite, "
        "but too large to compute with; lower learning_rate, set grad_clip or lengthen warmup_steps, and "
        "start anew: there is no whole checkpoint of a step before 1");
    expect_metric("nan", "val_loss", "");
    assert_int_equal(training_latest_step("nan"), -1);
    command_result r = training_run(2, 1, "skip", BLOWN "--on-nonfinite skip");
    assert_int_equal(r.exit_code, 0);
    says(r.out, "step 1  val_loss nan over ");
    says(r.err, "dtrain: warning: step 1: val_loss is not finite, number 1 in a row");
    says(r.err, "holds weights with which the last loss was not finite; go on from an earlier one");
    command_free(&r);
    char *lines = training_metric("skip", "val_loss");
    assert_string_equal(lines, "1 null\n");
    free(lines);
}

/* The checkpoint of the weights that blew up stands, but the advice leads to the one before it, which
 * keep_last has not removed for it. */
static void the_advice_leads_before_the_blow_up(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "up", MODEL "--max-steps 4 --checkpoint-cadence 2 --keep-last 1");
    assert_false(dt_file_exists("up/checkpoints/checkpoint_step_2"));
    training_refused(
        1, "up",
        MODEL "--max-steps 9 --checkpoint-cadence 1 --keep-last 1 --resume latest --learning-rate 1e37", 1,
        "go on by the same command with --resume up/checkpoints/checkpoint_step_4, the newest from "
        "before it");
    assert_int_equal(training_latest_step("up"), 5);
}

/* Cadences that never meet are warned of; save_best saves what each evaluation finds to be better. */
static void the_best_weights_are_saved(void **state) {
    (void)state;
#define GENTLE "--learning-rate 1e-3 "
    command_result r = training_run(
        TRAINING_ALONE, 1, "apart",
        MODEL GENTLE "--max-steps 11 --eval-cadence 2 --checkpoint-cadence 7 --keep-last 3 --keep-every 5");
    assert_int_equal(r.exit_code, 0);
    says(r.err,
         "dtrain: warning: eval_cadence is 2 and checkpoint_cadence is 7: no step before the last is both "
         "evaluated and saved, so none can become best; make one a multiple of the other, or set save_best");
    says(r.err,
         "dtrain: warning: keep_every is 5 and checkpoint_cadence is 7: no checkpoint is of a step that "
         "keep_every keeps; make keep_every a multiple of checkpoint_cadence");
    command_free(&r);
    expect_metric("apart", "save_ms", "7 11 ");
    r = training_run(2, 1, "best",
                     MODEL GENTLE "--max-steps 11 --eval-cadence 2 --checkpoint-cadence 7 --save-best");
    assert_int_equal(r.exit_code, 0);
    assert_null(strstr(r.err, "eval_cadence is"));
    command_free(&r);
    /* On this text every evaluation of the first steps is better than the one before. */
    expect_metric("best", "save_ms", "2 4 6 7 8 10 11 ");
    expect_link("best", "best", "checkpoint_step_11");
    training_same_weights("apart", "best", 11);
    /* What checkpoints have is known after a resume: worse weights are not saved. */
    training_done(2, 1, "best",
                  MODEL
                  "--max-steps 15 --eval-cadence 2 --checkpoint-cadence null --save-best --resume latest "
                  "--learning-rate 1");
    expect_metric("best", "save_ms", "2 4 6 7 8 10 11 15 ");
    expect_link("best", "best", "checkpoint_step_11");
}

/* The last line of a run has the speed of its steps alone and that by the clock, which is never higher. */
static void the_closing_line_has_both_speeds(void **state) {
    (void)state;
    command_result r =
        training_run(TRAINING_ALONE, 1, "closing", TRAINING_MODEL "--max-steps 3 --eval-cadence 1");
    double alone, with;
    char *end;
    const char *line = strstr(r.out, "; 3 steps at ");
    assert_non_null(line);
    alone = strtod(line + strlen("; 3 steps at "), &end);
    alone *= *end == 'k' ? 1e3 : *end == 'M' ? 1e6 : 1.0;
    line = strstr(line, " tokens/s, ");
    assert_non_null(line);
    with = strtod(line + strlen(" tokens/s, "), &end);
    with *= *end == 'k' ? 1e3 : *end == 'M' ? 1e6 : 1.0;
    command_says(&r, " with evaluation, samples and saves\n");
    assert_true(with > 0.0 && with <= alone);
    command_free(&r);
}

/* Characters of several bytes: the number beside val_loss is eval's, on one rank and shared by two. */
static void bits_per_byte_are_those_of_eval(void **state) {
    (void)state;
    static const char flags[] = "--n-layers 1 --d-model 16 --n-heads 2 --d-ff 16 --max-seq-len 16 --seed 7 "
                                "--max-steps 2 --eval-cadence 2 --data script.txt --tokenizer chars";
    char words[64];
    command_result r =
        command_run("for i in $(seq 1000); do printf 'na\\303\\257ve \\346\\226\\207 '; done >script.txt");
    command_free(&r);
    for (int ranks = 0; ranks < 3; ranks += 2) {
        r = training_run(ranks, 1, ranks ? "two" : "one", flags);
        assert_int_equal(r.exit_code, 0);
        char *bits = training_last_metric(ranks ? "two" : "one", "val_bits_per_byte");
        const double value = strtod(bits, NULL);
        snprintf(words, sizeof words, " (%.4f bits per byte) over ", value);
        says(r.out, words);
        command_free(&r);
        r = command_run("%s eval %s/checkpoints/latest", DTRAIN, ranks ? "two" : "one");
        assert_int_equal(r.exit_code, 0);
        snprintf(words, sizeof words, "  %.6g bits per byte", value);
        says(r.out, words);
        command_free(&r);
        free(bits);
    }
}

/* eval reads the run's own text where none is named, and says where that is another by now; with a text for
 * validation, where that is. A text that is named is not the run's to begin with. */
static void a_changed_text_is_told(void **state) {
    (void)state;
    static const char sentence[] = " is no longer the text that the checkpoint was ";
    command_result r;
    command_done("cp text.txt grows.txt && tail -c 9000 text.txt >kept.txt");
    training_done(2, 1, "grown", MODEL "--max-steps 2 --eval-cadence 2 --data null --data grows.txt");
    training_done(2, 1, "apart",
                  MODEL
                  "--max-steps 2 --eval-cadence 2 --data null --data text.txt --validation-data kept.txt");
    command_done("cat text.txt >>grows.txt && cat text.txt >>kept.txt");
    const struct {
        const char *words, *told;
    } lines[] = {{"grown", "grows.txt is no longer the text that the checkpoint was trained on"},
                 {"apart", "kept.txt is no longer the text that the checkpoint was evaluated on"},
                 {"apart --split train", NULL},
                 {"grown --data grows.txt", NULL}};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        r = command_run("%s -np 2 --oversubscribe %s eval %s", DTRAIN_MPIRUN, DTRAIN, lines[i].words);
        assert_int_equal(r.exit_code, 0);
        const char *found = strstr(r.err, sentence);
        if (lines[i].told)
            says(r.err, lines[i].told);
        assert_int_equal(found != NULL, lines[i].told != NULL);
        assert_true(found == NULL || strstr(found + 1, sentence) == NULL); /* one rank says it */
        command_free(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_last_weights_are_evaluated),
                                       cmocka_unit_test(weights_left_at_a_stop_are_evaluated),
                                       cmocka_unit_test(a_loss_that_is_not_finite_ends_the_run),
                                       cmocka_unit_test(the_advice_leads_before_the_blow_up),
                                       cmocka_unit_test(the_best_weights_are_saved),
                                       cmocka_unit_test(bits_per_byte_are_those_of_eval),
                                       cmocka_unit_test(a_changed_text_is_told),
                                       cmocka_unit_test(the_closing_line_has_both_speeds)};
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
