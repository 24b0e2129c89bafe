/* `dtrain tokenizer train`, and runs by what it writes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
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

static void what_is_missing_is_named(void **state) {
    (void)state;
    expect_refused("", "expected what to do, which is train, found nothing");
    expect_refused("learn text.txt", "which is train, found \"learn\"");
    expect_refused("train --vocab-size 300 --out t.json", "expected text files, found none");
    expect_refused("train text.txt --vocab-size 300", "as in --out tokenizer.json, found none");
    expect_refused("train text.txt --out t.json", "as in --vocab-size 8000");
    expect_refused("train text.txt --vocab-size 256 --out t.json", "257");
    expect_refused("train none.txt --vocab-size 300 --out t.json", "none.txt: cannot be read");
    command_result packed = command_run("gzip -c text.txt >packed.gz");
    command_free(&packed);
    expect_refused("train packed.gz --vocab-size 300 --out t.json", "found a file packed by gzip; unpack it");
    expect_refused("train /dev/null --vocab-size 300 --out t.json", "expected text to train on, found none");
    command_result r = command_run("ls t.json");
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
        cmocka_unit_test(a_tokenizer_is_trained),
        cmocka_unit_test(what_is_missing_is_named),
        cmocka_unit_test(runs_by_it_have_the_same_bits),
    };
    return cmocka_run_group_tests(tests, training_set_up, training_tear_down);
}
