/* train --dry-run: checks all that a run would stumble over before step 1, says what would be, writes
 * nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

#define MODEL TRAINING_MODEL "--checkpoint-cadence 2 "

/* Every file and folder below the working one, as find prints it; owned by the caller. */
static char *list(const char *form) {
    command_result r = command_run("find . -printf '%s\\n' | sort", form);
    char *out = r.out;
    r.out = NULL;
    command_free(&r);
    return out;
}

/* With size and time. */
static char *listing(void) {
    return list("%p %s %T@");
}

/* With size; a lock that was held has come and gone. */
static char *names(void) {
    return list("%p %s");
}

/* Rehearses on `launcher` and finds all as it was. */
static command_result rehearse(const char *launcher, const char *words) {
    char *before = listing();
    command_result r = command_run("%s %s train %s --dry-run", launcher, DTRAIN, words);
    char *after = listing();
    assert_string_equal(before, after);
    free(before);
    free(after);
    return r;
}

static void a_fresh_run_is_described(void **state) {
    static const char *const launchers[] = {"", DTRAIN_MPIRUN " --oversubscribe -np 2"};
    (void)state;
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        command_result r = rehearse(launchers[i], MODEL "--out-dir new/deep --max-steps 5 --keep-last 2");
        if (r.exit_code != 0)
            fail_msg("%s", r.err);
        command_says(&r, "\nmodel     ");
        command_says(&r, "\nmemory    ");
        command_says(&r, "\nlength    5 steps: ");
        command_says(&r, "\nstart     at step 1, with initial weights\n");
        command_says(&r, "\nsaves     3 checkpoints of ");
        command_says(&r, " at most 2 kept: ");
        command_says(&r, " in new/deep/checkpoints; ");
        command_says(&r, "\ndry run: all is well up to step 1, and nothing was written\n");
        assert_null(strstr(r.out, "  loss "));
        command_free(&r);
    }
}

/* Texts that a run would tokenize into a cache are none to write for. */
static void a_token_cache_is_not_made(void **state) {
    (void)state;
    free(listing());
    command_result r = command_run("gzip -k text.txt");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    r = rehearse("", TRAINING_MODEL "--data null --data text.txt.gz --out-dir packed --max-steps 5");
    if (r.exit_code != 0)
        fail_msg("%s", r.err);
    command_says(&r, "\ndry run: all is well");
    command_free(&r);
}

static void a_run_that_goes_on_is_described(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "old", MODEL "--max-steps 2");
    command_result r = rehearse("", MODEL "--out-dir old --resume auto --max-steps 5");
    if (r.exit_code != 0)
        fail_msg("%s", r.err);
    command_says(&r, "\nstart     at step 3, from old/checkpoints/checkpoint_step_2\n");
    command_free(&r);
    r = rehearse("", MODEL "--out-dir old --max-steps 5");
    command_says(&r, "\noutput    old/metrics.jsonl and the checkpoints beside it are another run's");
    command_free(&r);
    r = rehearse("", MODEL "--out-dir old --resume auto --max-steps 2");
    assert_int_equal(r.exit_code, 0);
    command_says(&r, "nothing to do: ");
    command_free(&r);
}

static void what_would_fail_fails(void **state) {
    static const struct {
        const char *words, *says;
    } cases[] = {
        {MODEL "--out-dir x --data nowhere.txt", "nowhere.txt"},
        {MODEL "--out-dir text.txt/x", "out_dir: cannot write to text.txt: it is no folder"},
        {MODEL "--out-dir /proc/nope", "out_dir: cannot write to /proc: "},
        {MODEL "--out-dir x --checkpoint-dir /proc/nope", "checkpoint_dir: cannot write to /proc: "},
        {MODEL "--out-dir x --resume nowhere", "nowhere is no checkpoint"},
        {MODEL "--out-dir x --batch-size 4000000 --max-steps 1", "batch_size"},
        {MODEL "--out-dir x --init-from nowhere", "init_from: nowhere"},
        {MODEL "--out-dir x --n-layers 1024 --d-model 16384 --d-ff 16384 --n-heads 1", "not enough memory"},
    };
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        command_result r = rehearse("", cases[i].words);
        if (r.exit_code != 2 || strstr(r.err, cases[i].says) == NULL)
            fail_msg("%s: expected exit code 2 and \"%s\", found %d and:\n%s", cases[i].words, cases[i].says,
                     r.exit_code, r.err);
        command_free(&r);
    }
}

/* A run and its rehearsal refuse the same places in the same words, and neither changes anything there. */
static void what_is_in_the_way_is_found(void **state) {
    static const struct {
        const char *make, *words, *says;
    } cases[] = {
        {"ln -s /nowhere x", "",
         "out_dir: cannot make folder x: x is a link to /nowhere, which does not exist"},
        {"mkdir x && ln -s ../gone/m x/metrics.jsonl", "",
         "x/metrics.jsonl is a link to ../gone/m, whose folder does not exist"},
        {"mkdir x && ln -s gone x/checkpoints", "", "x/checkpoints is a link to gone, which does not exist"},
        {"mkdir x && ln -s gone x/run.lock", "", "out_dir: x: expected x/run.lock to be a lock file"},
        {"mkdir -p x/run.lock", "", "out_dir: x: expected x/run.lock to be a lock file"},
        {"mkdir -p x/checkpoints/best", "", "expected x/checkpoints/best to be a symbolic link"},
        {"cp -r old x && touch x/tensorboard", "--tensorboard true",
         "tensorboard: expected x/tensorboard to be a folder or nothing yet, found a file"},
        {"cp -r old x && ln -s gone x/tensorboard", "--tensorboard true",
         "tensorboard: expected x/tensorboard to be a folder or nothing yet, found a link that leads nowhere"},
        {"mkdir x", "--checkpoint-dir x/$(printf %0300d 0)", "checkpoint_dir: cannot make folder x/000"},
        {"mkdir x", "--checkpoint-dir x$(printf '/%0200d' $(seq 21))",
         "checkpoint_dir: expected a path of at most "},
    };
    (void)state;
    training_done(TRAINING_ALONE, 1, "old", MODEL "--max-steps 2");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char words[1024];
        command_result r = command_run("rm -rf x && %s", cases[i].make);
        assert_int_equal(r.exit_code, 0);
        command_free(&r);
        snprintf(words, sizeof words, MODEL "--out-dir x --max-steps 5 %s", cases[i].words);
        for (int rehearses = 1; rehearses >= 0; rehearses--) {
            char *before = names();
            r = rehearses ? rehearse("", words) : command_run("%s train %s", DTRAIN, words);
            if (r.exit_code != 2 || strstr(r.err, cases[i].says) == NULL)
                fail_msg("%s: expected exit code 2 and \"%s\", found %d and:\n%s", cases[i].make,
                         cases[i].says, r.exit_code, r.err);
            command_free(&r);
            char *after = names();
            assert_string_equal(before, after);
            free(before);
            free(after);
        }
    }
}

/* The copy of a tree whose links were followed is gone on from. */
static void a_copy_without_links_is_no_hindrance(void **state) {
    (void)state;
    command_result r = command_run("cp -rL old plain");
    command_free(&r);
    r = rehearse("", MODEL "--out-dir plain --resume auto --max-steps 5");
    if (r.exit_code != 0)
        fail_msg("%s", r.err);
    command_free(&r);
}

/* Its text is the result: without a reader there is none. */
static void findings_that_nobody_reads_are_a_failure(void **state) {
    (void)state;
    command_result r =
        command_run("%s train " MODEL "--out-dir x --max-steps 5 --dry-run >/dev/full", DTRAIN);
    assert_int_equal(r.exit_code, 1);
    command_says(&r, "cannot write what the dry run found to standard output");
    command_free(&r);
}

static void a_folder_in_use_is_refused(void **state) {
    (void)state;
    command_result r = command_run("mkdir busy && : >busy/run.lock && flock busy/run.lock %s train " MODEL
                                   "--out-dir busy --dry-run",
                                   DTRAIN);
    assert_int_equal(r.exit_code, 2);
    command_says(&r, "out_dir: busy is in use by ");
    command_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_fresh_run_is_described),
        cmocka_unit_test(a_token_cache_is_not_made),
        cmocka_unit_test(a_run_that_goes_on_is_described),
        cmocka_unit_test(what_would_fail_fails),
        cmocka_unit_test(what_is_in_the_way_is_found),
        cmocka_unit_test(a_copy_without_links_is_no_hindrance),
        cmocka_unit_test(findings_that_nobody_reads_are_a_failure),
        cmocka_unit_test(a_folder_in_use_is_refused),
    };
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
