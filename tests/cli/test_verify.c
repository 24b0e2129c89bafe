/* dtrain verify, and what every verb that reads a checkpoint refuses. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/verb.h"

/* Every file of a checkpoint is covered: a bit turned in any of them, or the file gone, and it is named. */
static void verify_finds_any_damage(void **state) {
    (void)state;
    char *whole = verb_output("", "verify " VERB_CHECKPOINT);
    assert_non_null(strstr(whole, VERB_CHECKPOINT ": whole; step 40 of run "));
    assert_non_null(strstr(whole, ", every checksum matches\n"));
    free(whole);
    static const char *const files[] = {"model.safetensors", "optimizer.safetensors", "config.json",
                                        "tokenizer.json",    "tokenizer_config.json", "checksums.xxh128",
                                        "metadata.json"};
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

/* Round trip through another program: xxhsum reads the file of checksums as it is, and finds what dtrain
 * finds. */
static void xxhsum_checks_a_checkpoint(void **state) {
    (void)state;
    if (system("command -v xxhsum >/dev/null") != 0) {
        print_message("skipped: needs xxhsum, which checks the checksums; tools/install-packages test\n");
        skip();
    }
    command_result r =
        command_run("rm -rf copy && cp -r run/checkpoints/checkpoint_step_40 copy && cd copy && "
                    "xxhsum -c checksums.xxh128");
    if (r.exit_code != 0 ||
        strcmp(r.out,
               "config.json: OK\ntokenizer.json: OK\ntokenizer_config.json: OK\nmodel.safetensors: OK\n"
               "optimizer.safetensors: OK\n") != 0)
        fail_msg("exit code %d, \"%s\", \"%s\"", r.exit_code, r.out, r.err);
    command_free(&r);
    training_damage("copy/optimizer.safetensors", -20);
    r = command_run("cd copy && xxhsum -c checksums.xxh128");
    assert_int_not_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "model.safetensors: OK\noptimizer.safetensors: FAILED\n"));
    command_free(&r);
}

/* "auto" may find nothing, which for a run is a fresh start, but for these verbs is nothing to work on. */
static void auto_without_a_checkpoint_is_refused(void **state) {
    (void)state;
    static const char *const verbs[] = {"sample", "eval", "verify"};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        char line[64];
        snprintf(line, sizeof line, "%s auto", verbs[i]);
        verb_refused(line, 2,
                     "dtrain: error: there is no checkpoint in checkpoints/ of the working folder; name a "
                     "checkpoint's folder, a run's folder (its latest is taken) or RUN/best\n");
    }
}

/* What cannot be printed is not done: a full disk under a redirection must not look like success. */
static void output_that_is_lost_is_a_failure(void **state) {
    (void)state;
    static const char *const lines[] = {"--version",
                                        "help",
                                        "help --yaml",
                                        "--print-config",
                                        "sample " VERB_CHECKPOINT,
                                        "eval " VERB_CHECKPOINT " --data text.txt",
                                        "verify " VERB_CHECKPOINT,
                                        "data --data text.txt --max-seq-len 32 --seed 3 --steps 1"};
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
    verb_refused(
        "eval blown/checkpoints/latest --data text.txt", 1,
        "dtrain: error: expected a finite loss of blown/checkpoints/latest on text.txt, found nan: the "
        "weights are finite, but too large to compute with; use an earlier checkpoint\n");
    verb_refused(
        "sample blown/checkpoints/latest", 1,
        "dtrain: error: cannot go on with the sample after 0 tokens: expected finite logits, found NaN or "
        "infinity; the weights are too large to compute with; use an earlier checkpoint\n");
    verb_refused(
        "sample blown/checkpoints/latest --count 2", 1,
        "dtrain: error: cannot go on with the sample after 0 tokens: expected finite logits, found NaN or "
        "infinity; the weights are too large to compute with; use an earlier checkpoint\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verify_finds_any_damage),
        cmocka_unit_test(xxhsum_checks_a_checkpoint),
        cmocka_unit_test(auto_without_a_checkpoint_is_refused),
        cmocka_unit_test(output_that_is_lost_is_a_failure),
        cmocka_unit_test(weights_that_have_blown_up_are_refused),
    };
    return cmocka_run_group_tests(tests, verb_set_up, command_tear_down);
}
