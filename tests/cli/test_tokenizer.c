/* `dtrain tokenizer train`, and runs by what it writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

static void expect_refused(const char *words, const char *sentence) {
    command_result r = command_run("%s tokenizer %s", DTRAIN, words);
    if (r.exit_code != 2 || strstr(r.err, sentence) == NULL)
        fail_msg("%s: exit code %d, \"%s\"", words, r.exit_code, r.err);
    command_free(&r);
}

static void a_tokenizer_is_trained(void **state) {
    (void)state;
    command_result r = command_run("%s tokenizer train text.txt --vocab-size 300 --out trained.json", DTRAIN);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "trained.json: 300 tokens, from "));
    assert_non_null(strstr(r.out, " kB of text with "));
    command_free(&r);
    expect_refused("train text.txt --vocab-size 300 --out trained.json",
                   "found trained.json, which is there");
    /* Once more gives the same file, from standard input too. */
    r = command_run(
        "cat text.txt | %s tokenizer train - --vocab-size 300 --out again.json && cmp trained.json again.json",
        DTRAIN);
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    r = command_run(
        "%s tokenizer train text.txt --vocab-size 280 --no-regex --prefix-space --no-end-of-text --out plain.json "
        "&& ! grep endoftext plain.json && grep '\"add_prefix_space\": true' plain.json && "
        "grep '\"use_regex\": false' plain.json",
        DTRAIN);
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
}

/* The same file of all that holds the same texts, by one rank and by two, told of once. */
static void texts_come_in_many_forms(void **state) {
    (void)state;
    static const char *const texts[] = {"text.txt.gz", "'text*.gz'", "<(cat text.txt)", "a.gz b.txt",
                                        "- <text.txt.gz"};
    command_done("gzip -k text.txt && head -n 200 text.txt | gzip >a.gz && tail -n +201 text.txt >b.txt && "
                 "head -c 2000 text.txt.gz >cut.gz && " DTRAIN " tokenize text.txt --out trained.tokens");
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        char line[512];
        snprintf(
            line, sizeof line,
            "bash -c \"%s " DTRAIN " tokenizer train %s --vocab-size 300 --out form.json\" >said && "
            "test $(grep -c 'form.json: 300 tokens' said) = 1 && cmp trained.json form.json && rm form.json",
            i % 2 ? DTRAIN_MPIRUN " -np 2 --oversubscribe" : "", texts[i]);
        command_done(line);
    }
    command_result r = command_run(DTRAIN_MPIRUN " -np 2 --oversubscribe " DTRAIN " tokenizer train none.txt "
                                                 "--vocab-size 300 --out t.json");
    assert_int_equal(r.exit_code, 2);
    command_says(&r, "cannot read none.txt");
    command_free(&r);
}

/* Its merges would make the token that ends a text a second time, so it is part of no piece. */
static void ends_of_texts_without_a_regex(void **state) {
    (void)state;
    command_done(
        "for i in 1 2 3 4 5 6 7 8; do tail -c +$((900 * i)) text.txt | head -c 800; printf '<|endoftext|>'; "
        "done >ends.txt && " DTRAIN
        " tokenizer train ends.txt --no-regex --vocab-size 400 --out ends.json && "
        "grep -q '\"id\": 399' ends.json && test $(grep -c endoftext ends.json) = 1 && " DTRAIN
        " tokenize ends.txt --tokenizer ends.json --out ends.tokens && " DTRAIN
        " tokenize --decode ends.tokens | cmp - ends.txt");
}

static void what_is_missing_is_named(void **state) {
    (void)state;
    expect_refused("", "expected what to do, which is train, found nothing");
    expect_refused("learn text.txt", "which is train, found \"learn\"");
    expect_refused("train --vocab-size 300 --out t.json", "expected text files, found none");
    expect_refused("train text.txt --vocab-size 300", "as in --out tokenizer.json, found none");
    expect_refused("train text.txt --out t.json", "as in --vocab-size 8000");
    expect_refused("train text.txt --vocab-size 256 --out t.json", "257");
    expect_refused("train none.txt --vocab-size 300 --out t.json",
                   "cannot read none.txt: No such file or directory");
    expect_refused("train 'none*.txt' --vocab-size 300 --out t.json", "files that match the glob none*.txt");
    expect_refused(
        "train trained.tokens --vocab-size 300 --out t.json",
        "cannot use trained.tokens: expected a text, found tokens; `dtrain tokenize --decode` gives");
    expect_refused("train cut.gz --vocab-size 300 --out t.json",
                   "cannot unpack cut.gz: expected a whole file");
    expect_refused("train /dev/null --vocab-size 300 --out t.json", "expected text to train on, found none");
    /* Before a text is read. */
    command_result r = command_run("%s tokenizer train none.txt --vocab-size 300 --out nope/t.json", DTRAIN);
    assert_int_equal(r.exit_code, 1);
    command_says(&r, "nope/t.json: No such file or directory");
    command_free(&r);
    r = command_run("ls t.json");
    assert_int_not_equal(r.exit_code, 0);
    command_free(&r);
}

/* Identity: ranks and threads make no difference to a run with a BPE. */
static void runs_by_it_have_the_same_bits(void **state) {
    (void)state;
    const char *flags =
        TRAINING_STEADY "--tokenizer trained.json --max-steps 4 --batch-size 6 --micro-batch-size 2 ";
    training_done(TRAINING_ALONE, 1, "one", flags);
    training_done(3, 1, "three", flags);
    training_done(2, 2, "two", flags);
    training_same_run("one", "three", 4);
    training_same_run("one", "two", 4);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_tokenizer_is_trained),        cmocka_unit_test(texts_come_in_many_forms),
        cmocka_unit_test(ends_of_texts_without_a_regex), cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(runs_by_it_have_the_same_bits),
    };
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
