/* The verbs that look: sample, eval, data and verify, on one small trained model. */
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/text.h"
#include "support/training.h"

#define CHECKPOINT "run/checkpoints/latest"

/* Forty steps at a high rate: enough that the likeliest tokens are those of the text. */
static int set_up(void **state) {
    training_set_up(state);
    training_done(2, 1, "run", TRAINING_MODEL "--max-steps 40 --eval-cadence 20");
    return 0;
}

/* What a command that must end well printed; owned by the caller. */
static char *output_of(const char *launcher, const char *line) {
    command_result r = command_run("%s %s %s", launcher, DTRAIN, line);
    if (r.exit_code != 0)
        fail_msg("%s ended with %d: %s", line, r.exit_code, r.err);
    char *out = r.out;
    r.out = NULL;
    command_free(&r);
    return out;
}

static char *sample(const char *flags) {
    char line[1024];
    snprintf(line, sizeof line, "sample " CHECKPOINT " %s", flags);
    return output_of("", line);
}

static void refused(const char *line, int exit_code, const char *sentence) {
    command_result r = command_run("%s %s", DTRAIN, line);
    if (r.exit_code != exit_code || strcmp(r.err, sentence) != 0)
        fail_msg("%s: expected exit code %d and \"%s\", found %d and \"%s\"", line, exit_code, sentence,
                 r.exit_code, r.err);
    command_free(&r);
}

static void same_text(char *left, char *right) {
    assert_string_equal(left, right);
    free(left);
    free(right);
}

static void other_text(char *left, char *right) {
    assert_string_not_equal(left, right);
    free(left);
    free(right);
}

static void a_seed_decides_the_sample(void **state) {
    (void)state;
    same_text(sample("--seed 5"), sample("--seed 5"));
    other_text(sample("--seed 5"), sample("--seed 6"));
    same_text(sample(""),
              sample("--seed 42 --temperature 1 --max-length 100 --prompt The")); /* the defaults */
    other_text(sample("--seed 5"), sample("--seed 5 --temperature 3"));
}

/* top_k 1 leaves nothing to chance, and so does a tiny top_p. */
static void the_likeliest_text_needs_no_seed(void **state) {
    (void)state;
    same_text(sample("--top-k 1 --seed 1"), sample("--top-k 1 --seed 2"));
    same_text(sample("--top-k 1"), sample("--top-p 1e-9 --seed 3"));
    same_text(sample("--top-k 1"), sample("--temperature 1e-6"));
    same_text(sample("--top-k 1"), sample("--temperature 0 --seed 4"));
}

/* After one step all tokens are about as likely, also those that are no character: none of these is drawn, so
 * a token asked for is a character in ASCII. */
static void every_token_is_a_character(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "young", TRAINING_MODEL "--max-steps 1");
    char *text =
        output_of("", "sample young/checkpoints/latest --max-length 1000 --temperature 3 --prompt x");
    assert_int_equal(strlen(text), 1 + 1000 + 1);
    for (const char *c = text; *c; c++)
        assert_true((*c >= ' ' && *c <= '~') || *c == '\n' || *c == '\t');
    free(text);
}

/* The prompt may be a second word, one with dashes behind "--"; an empty one is a newline that is not shown.
 */
static void the_prompt_may_be_a_word(void **state) {
    (void)state;
    same_text(sample("Once --top-k 3"), sample("--top-k 3 --prompt Once"));
    same_text(sample("--top-k 3 -- '--top-k'"), sample("--top-k 3 --prompt=--top-k"));
    char *empty = sample("'' --top-k 3"), *newline = sample("--prompt '\n' --top-k 3");
    assert_string_equal(newline[0] == '\n' ? newline + 1 : newline, empty);
    free(empty);
    free(newline);
    same_text(sample("--prompt= --top-k 3"), sample("--top-k 3 ''"));
}

/* The first of several samples is the one that comes alone; the others differ from it. */
static void count_makes_several(void **state) {
    (void)state;
    char *one = sample("--top-k 5 --max-length 40"), *three = sample("--top-k 5 --max-length 40 --count 3");
    const size_t length = strlen(one) - 1; /* without the newline at the end */
    assert_int_equal(strlen(three), 3 * length + 5);
    assert_memory_equal(three, one, length);
    assert_memory_equal(three + length, "\n\n", 2);
    assert_memory_not_equal(three + length + 2, one, length);
    assert_memory_not_equal(three + 2 * length + 4, one, length);
    assert_memory_not_equal(three + 2 * length + 4, three + length + 2, length);
    free(one);
    free(three);
}

/* The context is 32 tokens: text goes on past it, one character a token, and what came before does not
 * change. */
static void the_context_slides(void **state) {
    (void)state;
    char *shorter = sample("--top-k 3 --max-length 29"), *longer = sample("--top-k 3 --max-length 200");
    assert_int_equal(strlen(shorter), strlen("The") + 29 + 1);
    assert_int_equal(strlen(longer), strlen("The") + 200 + 1);
    assert_memory_equal(shorter, longer, strlen(shorter) - 1);
    free(shorter);
    free(longer);
}

/* Of a prompt longer than the context the last 32 characters count; all of it is printed. */
static void a_long_prompt_counts_by_its_end(void **state) {
    (void)state;
    static const char end[] = "one tree and every bit of it go ",
                      start[] = "slowly the ranks may come again or ";
    char flags[256];
    assert_int_equal(strlen(end), 32);
    snprintf(flags, sizeof flags, "--top-k 3 --max-length 50 --prompt '%s%s'", start, end);
    char *whole = sample(flags);
    snprintf(flags, sizeof flags, "--top-k 3 --max-length 50 --prompt '%s'", end);
    char *tail = sample(flags);
    assert_memory_equal(whole, start, strlen(start));
    assert_string_equal(whole + strlen(start), tail);
    free(whole);
    free(tail);
}

/* Characters outside the vocabulary are one <UNK> each, whatever they are. */
static void any_prompt_will_do(void **state) {
    (void)state;
    char *umlaut = sample("--top-k 3 --prompt 'h\xc3\xb6rt \xe2\x98\x95 '");
    char *other = sample("--top-k 3 --prompt 'h\xe2\x82\xacrt \xc3\xa9 '");
    assert_memory_equal(umlaut, "h\xc3\xb6rt \xe2\x98\x95 ", 10);
    assert_memory_equal(other, "h\xe2\x82\xacrt \xc3\xa9 ", 10);
    assert_string_equal(umlaut + 10, other + 10);
    free(umlaut);
    free(other);
}

static void sample_says_what_is_wrong(void **state) {
    (void)state;
    refused("sample " CHECKPOINT " --top-k 0", 2,
            "dtrain: error: --top-k: sampling_top_k must be an integer of at least 1, or null, but is 0\n");
    refused("sample -- Once", 2,
            "dtrain: error: Once is no checkpoint: expected a folder, found nothing there; name one such as "
            "checkpoints/checkpoint_step_1000; a prompt comes after the checkpoint: dtrain sample CHECKPOINT "
            "-- TEXT\n");
    refused("sample " CHECKPOINT " --count 0", 2,
            "dtrain: error: --count: expected a whole number of at least 1, found \"0\"\n");
    refused("sample", 2,
            "dtrain: error: sample: expected one checkpoint folder, found 0; for example: dtrain sample "
            "checkpoints/latest\n");
    refused("sample run", 2,
            "dtrain: error: run is no checkpoint: the folder holds no metadata.json; name a folder such as "
            "checkpoints/checkpoint_step_1000\n");
}

/* The three numbers that eval prints, as text and as values. */
typedef struct evaluation {
    char loss_text[32];
    double loss, perplexity, bits;
} evaluation;

static evaluation evaluate(const char *launcher, const char *flags, const char *expected) {
    char line[512];
    evaluation e;
    snprintf(line, sizeof line, "eval " CHECKPOINT " %s", flags);
    char *out = output_of(launcher, line);
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
        CHECKPOINT " after step 40 on text.txt, its validation split: 46 windows of 32 tokens\n";
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
    char *out = output_of("", "eval " CHECKPOINT " --data uneven.txt");
    char *three = output_of(DTRAIN_MPIRUN " -np 3 --oversubscribe", "eval " CHECKPOINT " --data uneven.txt");
    assert_string_equal(three, out);
    const char *line = strstr(out, "with the last 26 tokens, in a shorter window: loss ");
    double both = 0.0;
    assert_non_null(line);
    assert_int_equal(sscanf(line, "with the last 26 tokens, in a shorter window: loss %lf nats", &both), 1);
    assert_true(fabs(both * (992 + 26) / (even.loss * 992 + rest.loss * 26) - 1.0) < 1e-8);
    assert_true(fabs(both - even.loss) > 1e-6);
    free(out);
    free(three);
    out = output_of("", "eval " CHECKPOINT " --data uneven.txt --windows 31");
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

/* The last line of a run has the speed of its steps alone and that by the clock, which is never higher. */
static void the_closing_line_has_both_speeds(void **state) {
    (void)state;
    command_result r =
        training_run(TRAINING_ALONE, 1, "closing", TRAINING_MODEL "--max-steps 3 --eval-cadence 1");
    double alone = 0.0, with = 0.0;
    const char *line = strstr(r.out, "tokens/s over 3 steps without evaluation");
    assert_non_null(line);
    while (line > r.out && line[-1] != ',')
        line--;
    assert_int_equal(
        sscanf(line, " %lf tokens/s over 3 steps without evaluation, samples and saves, %lf with them\n",
               &alone, &with),
        2);
    assert_true(with > 0.0 && with <= alone);
    command_free(&r);
}

/* Beside the loss stands how much of what was predicted is unknown: of "hört!" and so on, one character of
 * five. */
static void the_unknown_share_stands_beside_the_loss(void **state) {
    (void)state;
    command_result r =
        command_run("{ printf x; for i in 1 2 3 4 5 6; do printf 'h\\303\\266rt!'; done; } >known.txt");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    evaluate("", "--data known.txt", " bits per character  20 % unknown\n");
    evaluate("", "--data text.txt", " bits per character  0 % unknown\n");
}

static void eval_says_what_is_wrong(void **state) {
    (void)state;
    refused("eval " CHECKPOINT " --data text.txt --split test", 2,
            "dtrain: error: --split: expected validation, train or all, found \"test\"\n");
    refused("eval nowhere --data text.txt", 2,
            "dtrain: error: nowhere is no checkpoint: expected a folder, found nothing there; name one "
            "such as checkpoints/checkpoint_step_1000\n");
}

/* A run, eval and data each warn of it; the start of the run holds the number. */
static void an_unknown_script_is_warned_of(void **state) {
    (void)state;
    command_result r = command_run("yes '\xe4\xb8\xad\xe6\x96\x87 a' | head -n 2000 >script.txt; printf "
                                   "'\\357\\273\\277' | cat - script.txt >marked.txt");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    /* A line is two characters that are unknown and three that are not: 40 %. */
    static const char warning[] =
        "dtrain: warning: 40.0 % of script.txt (4000 of 10000 characters, 0 for bytes that are not UTF-8) are not "
        "in the vocabulary";
    static const char *const lines[] = {
        "train --data script.txt --max-seq-len 32 --d-model 16 --max-steps 1 --out-dir script",
        "eval " CHECKPOINT " --data script.txt",
        "data --data script.txt --max-seq-len 32 --seed 1 --steps 1"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        r = command_run("%s %s", DTRAIN, lines[i]);
        if (r.exit_code != 0 || strstr(r.err, warning) == NULL)
            fail_msg("%s: exit code %d, \"%s\"", lines[i], r.exit_code, r.err);
        command_free(&r);
    }
    char *metrics = command_read_file("script/metrics.jsonl");
    assert_non_null(strstr(metrics, "\"corpus_tokens\":10000,\"corpus_unknown\":4000,"));
    free(metrics);
    r = command_run("%s data --data marked.txt --max-seq-len 32 --seed 1 --steps 1", DTRAIN);
    assert_non_null(strstr(r.err, "marked.txt begins with a byte order mark, which counts as one <UNK>"));
    command_free(&r);
}

enum { SLOTS = 16, LANE_WINDOWS = 55 }; /* 28500 tokens: 890 windows of 32, in 16 lanes of 55 */

/* One line of `dtrain data`: step `step`'s windows, marked in `seen`. */
static void mark_windows(const char *line, int64_t step, int seen[SLOTS * LANE_WINDOWS]) {
    json_t *object = json_loads(line, 0, NULL);
    const json_t *windows = json_object_get(object, "windows");
    assert_int_equal(json_integer_value(json_object_get(object, "step")), step);
    assert_int_equal(json_object_size(object), 2);
    assert_int_equal(json_array_size(windows), SLOTS);
    for (size_t slot = 0; slot < SLOTS; slot++) {
        const json_int_t window = json_integer_value(json_array_get(windows, slot));
        assert_int_equal(window / LANE_WINDOWS, slot);
        seen[window]++;
    }
    json_decref(object);
}

/* An epoch is as many steps as a lane has windows, and the default of --steps; two hold each window twice. */
static void an_epoch_holds_each_window_once(void **state) {
    (void)state;
    static const char *const flags[] = {"", "--steps 110", "--no-shuffle"};
    for (int64_t f = 0; f < 3; f++) {
        int seen[SLOTS * LANE_WINDOWS] = {0};
        const int64_t epochs = f == 1 ? 2 : 1;
        char line[512], *rest = NULL;
        snprintf(line, sizeof line, "data --data text.txt --max-seq-len 32 --seed 3 %s", flags[f]);
        char *out = output_of("", line);
        int64_t steps = 0;
        for (char *at = strtok_r(out, "\n", &rest); at != NULL; at = strtok_r(NULL, "\n", &rest))
            mark_windows(at, ++steps, seen);
        assert_int_equal(steps, epochs * LANE_WINDOWS);
        for (int64_t w = 0; w < SLOTS * LANE_WINDOWS; w++)
            assert_int_equal(seen[w], epochs);
        free(out);
    }
    char *ordered =
        output_of("", "data --data text.txt --max-seq-len 32 --seed 3 --no-shuffle --batch-size 2 --steps 2");
    assert_string_equal(ordered, "{\"step\":1,\"windows\":[0,445]}\n{\"step\":2,\"windows\":[1,446]}\n");
    free(ordered);
}

/* 890 windows in lanes of 300: a third is left over and warned of, and when it is spread no window is missing
 * in the three steps that the longest lanes take. */
static void no_window_is_left_over_when_they_are_spread(void **state) {
    (void)state;
    static const char line[] = "data --data text.txt --max-seq-len 32 --seed 3 --batch-size 300 "
                               "--leftover-windows";
    static const char warning[] =
        "dtrain: warning: every epoch leaves out 32.6 % of the train split, its last 9299 tokens";
    command_result dropped = command_run("%s %s drop", DTRAIN, line);
    command_result spread = command_run("%s %s spread", DTRAIN, line);
    assert_int_equal(dropped.exit_code, 0);
    assert_non_null(strstr(dropped.err, warning));
    assert_int_equal(spread.exit_code, 0);
    assert_string_equal(spread.err, "");
    int seen[890] = {0}, steps = 0;
    char *rest = NULL;
    for (char *at = strtok_r(spread.out, "\n", &rest); at != NULL; at = strtok_r(NULL, "\n", &rest)) {
        json_t *object = json_loads(at, 0, NULL);
        const json_t *windows = json_object_get(object, "windows");
        assert_int_equal(json_array_size(windows), 300);
        for (size_t slot = 0; slot < 300; slot++) {
            const json_int_t window = json_integer_value(json_array_get(windows, slot));
            assert_in_range(window, 0, 889);
            seen[window]++;
        }
        json_decref(object);
        steps++;
    }
    assert_int_equal(steps, 3);
    for (int w = 0; w < 890; w++)
        assert_in_range(seen[w], 1, 2); /* lanes of two begin again */
    command_free(&dropped);
    command_free(&spread);
}

static void data_needs_a_seed(void **state) {
    (void)state;
    refused("data --data text.txt --steps 2", 2,
            "dtrain: error: data: expected a seed, since it decides the order; give --seed N, for a run of "
            "the past "
            "the one in its metrics.jsonl\n");
    refused("data --data text.txt --seed 1 --steps none", 2,
            "dtrain: error: --steps: expected a whole number of at least 1, found \"none\"\n");
}

/* Every file of a checkpoint is covered: a bit turned in any of them, or the file gone, and it is named. */
static void verify_finds_any_damage(void **state) {
    (void)state;
    char *whole = output_of("", "verify " CHECKPOINT);
    assert_non_null(strstr(whole, CHECKPOINT ": whole; step 40 of run "));
    assert_non_null(strstr(whole, ", every checksum matches\n"));
    free(whole);
    static const char *const files[] = {"model.safetensors", "optimizer.safetensors", "config.json",
                                        "vocab.json", "metadata.json"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[128];
        snprintf(path, sizeof path, "copy/%s", files[i]);
        command_result r = command_run("rm -rf copy && cp -r run/checkpoints/checkpoint_step_40 copy");
        assert_int_equal(r.exit_code, 0);
        command_free(&r);
        training_damage(path, -20);
        r = command_run("%s verify copy", DTRAIN);
        if (r.exit_code != 1 || strstr(r.err, path) == NULL)
            fail_msg("%s: exit code %d, \"%s\"", path, r.exit_code, r.err);
        command_free(&r);
        remove(path);
        r = command_run("%s verify copy", DTRAIN);
        if (r.exit_code == 0 || strstr(r.err, files[i]) == NULL)
            fail_msg("%s is gone: exit code %d, \"%s\"", path, r.exit_code, r.err);
        command_free(&r);
    }
}

/* "auto" may find nothing, which for a run is a fresh start, but for these verbs is nothing to work on. */
static void auto_without_a_checkpoint_is_refused(void **state) {
    (void)state;
    static const char *const verbs[] = {"sample", "eval", "verify"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s auto", verbs[i]);
        refused(line, 2,
                "dtrain: error: there is no checkpoint in checkpoints/ of the working folder; name a "
                "checkpoint's folder, such as OUT_DIR/checkpoints/latest\n");
    }
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
        "%s --oversubscribe -np 2 %s/tests/support/odd env -C late %s eval latest --data text.txt :: env -C early "
        "%s eval latest --data text.txt",
        DTRAIN_MPIRUN, DTRAIN_SOURCE_DIR, DTRAIN, DTRAIN);
    assert_int_equal(both.exit_code, 0);
    assert_string_equal(both.out, alone.out);
    command_free(&alone);
    command_free(&both);
}

/* What cannot be printed is not done: a full disk under a redirection must not look like success. */
static void output_that_is_lost_is_a_failure(void **state) {
    (void)state;
    static const char *const lines[] = {
        "--version",          "help",
        "help --yaml",        "--print-config",
        "sample " CHECKPOINT, "eval " CHECKPOINT " --data text.txt",
        "verify " CHECKPOINT, "data --data text.txt --max-seq-len 32 --seed 3 --steps 1"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        command_result r = command_run("%s %s > /dev/full", DTRAIN, lines[i]);
        if (r.exit_code != 1 || strstr(r.err, "dtrain: error: cannot write ") != r.err)
            fail_msg("%s: exit code %d, \"%s\"", lines[i], r.exit_code, r.err);
        command_free(&r);
    }
}

/* After one step of an absurd length the weights are finite, but nothing can be computed with them: a failure
 * with the place, where "loss nan" or a prompt without a text would look like a result. */
static void weights_that_have_blown_up_are_refused(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "blown", TRAINING_MODEL "--max-steps 1 --learning-rate 1e37");
    refused("eval blown/checkpoints/latest --data text.txt", 1,
            "dtrain: error: expected a finite loss of blown/checkpoints/latest on text.txt, found nan: the "
            "weights are finite, but too large to compute with; use an earlier checkpoint\n");
    refused(
        "sample blown/checkpoints/latest", 1,
        "dtrain: error: cannot go on with the sample after 0 tokens: expected finite logits, found NaN or "
        "infinity; the weights are too large to compute with; use an earlier checkpoint\n");
    refused(
        "sample blown/checkpoints/latest --count 2", 1,
        "dtrain: error: cannot go on with the sample after 0 tokens: expected finite logits, found NaN or "
        "infinity; the weights are too large to compute with; use an earlier checkpoint\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_seed_decides_the_sample),
                                       cmocka_unit_test(the_likeliest_text_needs_no_seed),
                                       cmocka_unit_test(every_token_is_a_character),
                                       cmocka_unit_test(the_prompt_may_be_a_word),
                                       cmocka_unit_test(count_makes_several),
                                       cmocka_unit_test(the_context_slides),
                                       cmocka_unit_test(a_long_prompt_counts_by_its_end),
                                       cmocka_unit_test(any_prompt_will_do),
                                       cmocka_unit_test(sample_says_what_is_wrong),
                                       cmocka_unit_test(eval_repeats_the_loss_of_training),
                                       cmocka_unit_test(perplexity_and_bits_follow_from_the_loss),
                                       cmocka_unit_test(another_text_counts_whole),
                                       cmocka_unit_test(the_rest_of_the_text_counts_too),
                                       cmocka_unit_test(the_train_split_can_be_evaluated),
                                       cmocka_unit_test(the_closing_line_has_both_speeds),
                                       cmocka_unit_test(the_unknown_share_stands_beside_the_loss),
                                       cmocka_unit_test(eval_says_what_is_wrong),
                                       cmocka_unit_test(an_unknown_script_is_warned_of),
                                       cmocka_unit_test(an_epoch_holds_each_window_once),
                                       cmocka_unit_test(no_window_is_left_over_when_they_are_spread),
                                       cmocka_unit_test(data_needs_a_seed),
                                       cmocka_unit_test(verify_finds_any_damage),
                                       cmocka_unit_test(auto_without_a_checkpoint_is_refused),
                                       cmocka_unit_test(all_ranks_evaluate_the_same_checkpoint),
                                       cmocka_unit_test(output_that_is_lost_is_a_failure),
                                       cmocka_unit_test(weights_that_have_blown_up_are_refused)};
    return cmocka_run_group_tests(tests, set_up, training_tear_down);
}
