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

/* Every file and folder below the working one, with its size and time; owned by the caller. */
static char *listing(void) {
    command_result r = command_run("find . -printf '%%p %%s %%T@\\n' | sort");
    char *out = r.out;
    r.out = NULL;
    command_free(&r);
    return out;
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
        cmocka_unit_test(a_fresh_run_is_described),        cmocka_unit_test(a_token_cache_is_not_made),
        cmocka_unit_test(a_run_that_goes_on_is_described), cmocka_unit_test(what_would_fail_fails),
        cmocka_unit_test(a_folder_in_use_is_refused),
    };
    return cmocka_run_group_tests(tests, training_set_up, training_tear_down);
}
