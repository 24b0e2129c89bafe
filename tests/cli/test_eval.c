/* dtrain eval: the loss of a checkpoint on a text, split by split, on any number of ranks. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/text.h"
#include "support/verb.h"

/* The three numbers that eval prints, as text and as values. */
typedef struct evaluation {
    char loss_text[32];
    double loss, perplexity, bits;
} evaluation;

static evaluation evaluate(const char *launcher, const char *flags, const char *expected) {
    char line[512];
    evaluation e;
    snprintf(line, sizeof line, "eval " VERB_CHECKPOINT " %s", flags);
    char *out = verb_output(launcher, line);
    if (strstr(out, expected) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", expected, out);
    const char *numbers = strstr(out, "loss ");
    assert_non_null(numbers);
    assert_int_equal(sscanf(numbers, "loss %31s nats  perplexity %lf  %lf bits per character", e.loss_text,
                            &e.perplexity, &e.bits),
                     3);
    e.loss = strtod(e.loss_text, NULL);
    free(out);
    return e;
}

/* The same windows as in training: the same text as the last val_loss, on one rank and on two. */
static void eval_repeats_the_loss_of_training(void **state) {
    (void)state;
    static const char what[] =
        VERB_CHECKPOINT " after step 40 on text.txt, its validation split: 46 windows of 32 tokens\n";
    char *trained = training_last_metric("run", "val_loss");
    const evaluation alone = evaluate("", "--data text.txt", what);
    const evaluation two = evaluate(DTRAIN_MPIRUN " -np 2 --oversubscribe", "--data text.txt", what);
    const evaluation threads = evaluate("OMP_NUM_THREADS=2", "--data text.txt --split validation", what);
    assert_string_equal(alone.loss_text, trained);
    assert_string_equal(two.loss_text, trained);
    assert_string_equal(threads.loss_text, trained);
    free(trained);
}

/* perplexity = e^loss, bits = loss / ln 2; printed with six digits. */
static void perplexity_and_bits_follow_from_the_loss(void **state) {
    (void)state;
    const evaluation e = evaluate("", "--data text.txt", "its validation split");
    assert_true(e.loss > 0.5 && e.loss < log(99.0));
    assert_true(fabs(e.perplexity / exp(e.loss) - 1.0) < 1e-5);
    assert_true(fabs(e.bits / (e.loss / log(2.0)) - 1.0) < 1e-5);
}

/* Of a text that it was not trained on, all counts; of its own it can be asked for. 30000 / 32 = 937 windows.
 */
static void another_text_counts_whole(void **state) {
    (void)state;
    text_write("other.txt", 5000, 9);
    evaluate("", "--data other.txt", "on other.txt, all of the text: 156 windows of 32 tokens\n");
    const evaluation whole = evaluate("", "--data text.txt --split all", "all of the text: 937 windows");
    const evaluation few =
        evaluate("", "--data text.txt --split all --windows 3", "all of the text: 3 windows");
    assert_string_not_equal(whole.loss_text, few.loss_text);
}

/* What is behind the last whole window is evaluated too, as a text that is shorter than a window: the loss
 * with it is the mean over all targets, to the nine digits that are printed. */
static void the_rest_of_the_text_counts_too(void **state) {
    (void)state;
    command_result r = command_run("head -c 1019 text.txt >uneven.txt && head -c 993 text.txt >even.txt && "
                                   "tail -c 27 uneven.txt >rest.txt");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    const evaluation even = evaluate("", "--data even.txt", "all of the text: 31 windows of 32 tokens\n");
    const evaluation uneven = evaluate("", "--data uneven.txt", "all of the text: 31 windows of 32 tokens\n");
    const evaluation rest =
        evaluate("", "--data rest.txt", "one window of 26 tokens, shorter than max_seq_len 32\n");
    assert_string_equal(even.loss_text, uneven.loss_text);
    char *out = verb_output("", "eval " VERB_CHECKPOINT " --data uneven.txt");
    char *three =
        verb_output(DTRAIN_MPIRUN " -np 3 --oversubscribe", "eval " VERB_CHECKPOINT " --data uneven.txt");
    assert_string_equal(three, out);
    const char *line = strstr(out, "with the last 26 tokens, in a shorter window: loss ");
    double both = 0.0;
    assert_non_null(line);
    assert_int_equal(sscanf(line, "with the last 26 tokens, in a shorter window: loss %lf nats", &both), 1);
    assert_true(fabs(both * (992 + 26) / (even.loss * 992 + rest.loss * 26) - 1.0) < 1e-8);
    assert_true(fabs(both - even.loss) > 1e-6);
    free(out);
    free(three);
    out = verb_output("", "eval " VERB_CHECKPOINT " --data uneven.txt --windows 31");
    assert_null(strstr(out, "shorter window"));
    free(out);
}

/* Train split and validation split are the two parts of the text. */
static void the_train_split_can_be_evaluated(void **state) {
    (void)state;
    const evaluation train = evaluate("", "--data text.txt --split train",
                                      "text.txt, its train split: 890 windows of 32 tokens\n");
    const evaluation few = evaluate("", "--data text.txt --split train --windows 100", "100 windows of 32");
    const evaluation all = evaluate("", "--data text.txt --split all --windows 100", "100 windows of 32");
    assert_string_equal(few.loss_text, all.loss_text);
    assert_string_not_equal(few.loss_text, train.loss_text);
}

/* Beside the loss stands how much of what was predicted is unknown: of "hört!" and so on, one character of
 * five. */
static void the_unknown_share_stands_beside_the_loss(void **state) {
    (void)state;
    command_result r =
        command_run("{ printf x; for i in 1 2 3 4 5 6; do printf 'h\\303\\266rt!'; done; } >known.txt");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    evaluate("", "--data known.txt", " bits per byte  20 % unknown\n");
    evaluate("", "--data text.txt", " bits per byte  0 % unknown\n");
}

/* Identity: of five characters one is U+FFFD, which has three bytes: seven bytes for five tokens. */
static void bits_per_byte_stand_beside_the_loss(void **state) {
    (void)state;
    double bits, per_byte;
    char *out = verb_output("", "eval " VERB_CHECKPOINT " --data known.txt");
    const char *numbers = strstr(out, "perplexity");
    assert_non_null(numbers);
    assert_int_equal(
        sscanf(numbers, "perplexity %*f  %lf bits per character  %lf bits per byte", &bits, &per_byte), 2);
    assert_true(fabs(per_byte / (bits * 5 / 7) - 1.0) < 1e-5);
    free(out);
}

/* Round trip: the losses of the tokens, on one rank and on three, have the mean that is printed. */
static void every_token_has_its_loss(void **state) {
    (void)state;
    double sum = 0.0;
    float loss;
    int64_t count = 0;
    const evaluation e =
        evaluate("", "--data text.txt --split train --windows 100 --losses one.f32", "100 windows");
    evaluate(DTRAIN_MPIRUN " -np 3 --oversubscribe",
             "--data text.txt --split train --windows 100 --losses three.f32", "100 windows");
    assert_false(training_files_differ("one.f32", "three.f32"));
    FILE *file = fopen("one.f32", "rb");
    assert_non_null(file);
    for (; fread(&loss, sizeof loss, 1, file) == 1; count++)
        sum += (double)loss;
    fclose(file);
    assert_int_equal(count, 100 * 32);
    assert_true(fabs(sum / (double)count - e.loss) < 1e-6);
    command_result r =
        command_run("%s eval " VERB_CHECKPOINT " --data text.txt --windows 2 --losses no/where.f32", DTRAIN);
    assert_int_equal(r.exit_code, 2);
    assert_non_null(strstr(r.err, "no/where.f32"));
    command_free(&r);
    /* Nothing that is there is written over: neither the text, nor older losses, nor a device. */
    static const char *const there[] = {"text.txt", "one.f32", "/dev/full"};
    for (size_t i = 0; i < sizeof there / sizeof *there; i++) {
        r = command_run("%s eval " VERB_CHECKPOINT " --data text.txt --windows 2 --losses %s", DTRAIN,
                        there[i]);
        assert_int_equal(r.exit_code, 2);
        assert_non_null(strstr(r.err, "--losses: expected the name of a new file, found that "));
        command_free(&r);
    }
}

/* A text that takes minutes is not waited for to its end here. */
static void a_long_evaluation_says_how_far_it_is(void **state) {
    (void)state;
    command_result r = command_run(
        "seq 9000000 >long.txt && { %s eval " VERB_CHECKPOINT " --data long.txt >long.out 2>long.err & }; "
        "for i in $(seq 900); do ! grep -q evaluating long.err || break; sleep 0.1; done; kill -KILL $!; "
        "cat long.err; rm long.txt",
        DTRAIN);
    if (strstr(r.out, "dtrain: evaluating long.txt: ") == NULL ||
        strstr(r.out, " % of 2215277 windows, ") == NULL)
        fail_msg("expected how far an evaluation is, found \"%s\"", r.out);
    command_free(&r);
}

static void eval_says_what_is_wrong(void **state) {
    (void)state;
    verb_refused("eval " VERB_CHECKPOINT " --data text.txt --split test", 2,
                 "dtrain: error: --split: expected validation, train or all, found \"test\"\n");
    verb_refused(
        "eval nowhere --data text.txt", 2,
        "dtrain: error: nowhere is no checkpoint: expected a folder, found nothing there; name one "
        "such as checkpoints/checkpoint_step_1000, a run's folder (its latest is taken) or RUN/best\n");
}

/* Rank 0 alone decides what "latest" means, though it leads elsewhere for the other rank. */
static void all_ranks_evaluate_the_same_checkpoint(void **state) {
    (void)state;
    command_result r =
        command_run("mkdir -p late/checkpoints early/checkpoints && cp text.txt late && cp text.txt early && "
                    "cp -r run/checkpoints/checkpoint_step_40 late/checkpoints && "
                    "cd early && %s train " TRAINING_MODEL "--max-steps 1 --out-dir . && cd .. && "
                    "cp -r run/checkpoints/checkpoint_step_40 early/checkpoints && "
                    "ln -s checkpoint_step_40 late/checkpoints/latest",
                    DTRAIN);
    if (r.exit_code != 0)
        fail_msg("%s", r.err);
    command_free(&r);
    command_result alone = command_run("cd late && %s eval latest --data text.txt", DTRAIN);
    command_result both = command_run(
        "%s --oversubscribe -np 2 %s/tests/support/mismatch env -C late %s eval latest --data text.txt :: env -C early "
        "%s eval latest --data text.txt",
        DTRAIN_MPIRUN, DTRAIN_SOURCE_DIR, DTRAIN, DTRAIN);
    assert_int_equal(both.exit_code, 0);
    assert_string_equal(both.out, alone.out);
    command_free(&alone);
    command_free(&both);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(eval_repeats_the_loss_of_training),
        cmocka_unit_test(perplexity_and_bits_follow_from_the_loss),
        cmocka_unit_test(another_text_counts_whole),
        cmocka_unit_test(the_rest_of_the_text_counts_too),
        cmocka_unit_test(the_train_split_can_be_evaluated),
        cmocka_unit_test(the_unknown_share_stands_beside_the_loss),
        cmocka_unit_test(bits_per_byte_stand_beside_the_loss),
        cmocka_unit_test(every_token_has_its_loss),
        cmocka_unit_test(a_long_evaluation_says_how_far_it_is),
        cmocka_unit_test(eval_says_what_is_wrong),
        cmocka_unit_test(all_ranks_evaluate_the_same_checkpoint),
    };
    return cmocka_run_group_tests(tests, verb_set_up, command_tear_down);
}
