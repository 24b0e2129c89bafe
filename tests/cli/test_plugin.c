/* docs/hooks.md, followed by the letter: the plug-in is built by its command, loaded by a run, and changes it
 * alike on every number of ranks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

#define MODEL TRAINING_MODEL "--max-steps 4 "
#define CLIP  "--hooks '{update: [{name: clip_tensors, library: ./clip_tensors.so, limit: 0.05}]}'"

/* The page's command, from "cc " to the end of the line, with the compiler that the tests were built with. */
static void build_as_documented(void) {
    char *page = command_read_file(DTRAIN_SOURCE_DIR "/docs/hooks.md"), *command = strstr(page, "\ncc ");
    assert_non_null(command);
    command += strlen("\ncc ");
    command[strcspn(command, "\n")] = 0;
    command_result r = command_run("%s %s", DTRAIN_C_COMPILER, command);
    if (r.exit_code != 0)
        fail_msg("%s", r.err);
    command_free(&r);
    free(page);
}

/* The working folder stands for the root of the source tree: the command names include/ and docs/. */
static int set_up(void **state) {
    training_set_up(state);
    command_result r = command_run("ln -s '%s/include' '%s/docs' .", DTRAIN_SOURCE_DIR, DTRAIN_SOURCE_DIR);
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    build_as_documented();
    return 0;
}

/* It reports and changes the same on 1 and on 3 ranks, and it does change something. */
static void the_plug_in_works_alike_on_all_ranks(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "without", MODEL);
    training_done(TRAINING_ALONE, 1, "one", MODEL CLIP);
    training_done(3, 2, "three", MODEL CLIP);
    training_same_weights("one", "three", 4);
    training_same_metric("one", "three", "grad_norm");
    training_same_metric("one", "three", "hook");
    assert_true(training_files_differ("without/checkpoints/latest/model.safetensors",
                                      "one/checkpoints/latest/model.safetensors"));
    char *lines = training_metric("one", "hook");
    static const char start[] = "{\"step\":1,\"hook\":\"clip_tensors\",\"scaled\":";
    assert_int_equal(strncmp(lines, start, strlen(start)), 0);
    free(lines);
}

/* A noise scale that a hook reports is the same on all ranks, and has a chart of its own. */
static void a_noise_scale_has_a_chart(void **state) {
    (void)state;
    static const char words[] = TRAINING_MODEL "--max-steps 12 --hooks '{update: [{name: noise_scale}]}'";
    training_done(TRAINING_ALONE, 1, "noise", words);
    training_done(3, 2, "noise3", words);
    training_same_metric("noise", "noise3", "hook");
    command_result r =
        command_run("%s report noise --chart noise_scale --out - | grep -c 'Gradient noise scale' && "
                    "%s report noise --out - | grep -c 'data-chart=\"noise_scale\"'",
                    DTRAIN, DTRAIN);
    if (r.exit_code != 0)
        fail_msg("%s%s", r.out, r.err);
    command_free(&r);
}

/* Before step 1, once, and with the exit code of a wrong config: nothing has been written. */
static void what_a_plug_in_refuses_ends_the_run_before_it_starts(void **state) {
    (void)state;
    training_refused(
        2, "refused", MODEL "--hooks '{update: [{name: clip_tensors, library: ./clip_tensors.so}]}'", 2,
        "dtrain: error: hook clip_tensors: expected limit to be a number above 0, such as 0.5\n");
    training_refused(
        2, "refused", MODEL "--hooks '{update: [{name: clip_tensors}]}'", 2,
        "dtrain: error: hooks.update: there is no built-in hook \"clip_tensors\"; the built-in ones are: "
        "identity, gradient_stats, noise_scale; for a plug-in, add its library: {name: clip_tensors, library: "
        "./clip_tensors.so}\n");
    command_result r = command_run("test ! -e refused");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
}

/* In mid-run a failing hook ends all ranks with code 1; each that could still speak says where it was. */
static void a_hook_that_fails_ends_the_job(void **state) {
    (void)state;
    command_result r = training_run(
        2, 1, "failed", MODEL "--hooks '{update: [{name: p, library: " HOOK_PROBE ", fail: update}]}'");
    assert_int_equal(r.exit_code, 1);
    assert_non_null(strstr(r.err, "cannot go on after step 0: hook p failed in its update function\n"));
    command_free(&r);
    assert_int_equal(training_latest_step("failed"), -1);
}

/* Whatever way out a hook takes, and wherever: code 0 would say that the run is done. */
static void a_hook_that_ends_the_process_is_named(void **state) {
    static const struct {
        int ranks;
        const char *list, *options, *where;
        int code;
    } cases[] = {
        {TRAINING_ALONE, "update", "place: update, how: exit", "update function", 1},
        {TRAINING_ALONE, "update", "place: update, how: exit, code: 5", "update function", 5},
        {TRAINING_ALONE, "update", "place: create, how: exit", "create function", 1},
        {TRAINING_ALONE, "forward", "place: micro_batch, how: quick_exit", "micro_batch function", 1},
        {TRAINING_ALONE, "forward", "place: collect, how: _exit", "collect function", 1},
        {2, "update", "place: update, how: exit, rank: 1", "update function", 1}};
    (void)state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char flags[1024], sentence[128];
        snprintf(flags, sizeof flags, MODEL "--hooks '{%s: [{name: f, library: " HOOK_FAULT ", %s}]}'",
                 cases[i].list, cases[i].options);
        snprintf(sentence, sizeof sentence,
                 "dtrain: error: hook f ended the process with exit code %d in its %s;",
                 cases[i].code == 5 ? 5 : 0, cases[i].where);
        training_refused(cases[i].ranks, "ended", flags, cases[i].code, sentence);
    }
    for (int threads = 1; threads <= 2; threads++) {
        char flags[1024];
        snprintf(flags, sizeof flags,
                 MODEL "--hooks '{%s: [{name: f, library: " HOOK_FAULT ", place: %s, how: pthread_exit}]}'",
                 threads == 1 ? "update" : "forward", threads == 1 ? "update" : "micro_batch");
        command_result r = training_run(TRAINING_ALONE, threads, "ended", flags);
        assert_int_equal(r.exit_code, 1);
        assert_non_null(strstr(r.err, "dtrain: error: hook f ended its thread in its "));
        command_free(&r);
    }
    /* Whether there is a sentence is MPI's matter. */
    command_result r = training_run(2, 1, "ended",
                                    MODEL "--hooks '{update: [{name: f, library: " HOOK_FAULT
                                          ", place: update, how: mpi_abort, rank: 1}]}'");
    assert_int_equal(r.exit_code, 1);
    command_free(&r);
    /* From a thread of its own the hook is not known, but that the end is not main's is. */
    training_refused(TRAINING_ALONE, "ended",
                     MODEL "--max-steps 100000000 --hooks '{forward: [{name: f, library: " HOOK_FAULT
                           ", place: thread, how: exit}]}'",
                     1, "ended the process with exit code 0 before its work was done");
    training_done(TRAINING_ALONE, 1, "forked",
                  MODEL "--hooks '{update: [{name: f, library: " HOOK_FAULT ", place: update, how: fork}]}'");
}

/* A child that returns is no second run; a thread is not cancelled, nor are its arithmetic, its locale or the
 * number of threads beside it others from there on: lines and weights are those of the run alone. */
static void what_a_hook_leaves_behind_changes_nothing(void **state) {
    static const char *const faults[] = {"update: [{step: 1, place: update, how: fork_on",
                                         "update: [{step: 1, place: update, how: cancel",
                                         "update: [{step: 1, place: update, how: round",
                                         "update: [{step: 1, place: update, how: threads",
                                         "update: [{step: 1, place: update, how: trap",
                                         "update: [{step: 0, place: update, how: locale",
                                         "update: [{place: create, how: threads",
                                         "update: [{place: create, how: trap",
                                         "forward: [{step: 1, place: micro_batch, how: round",
                                         "forward: [{step: 1, place: micro_batch, how: cancel",
                                         "forward: [{step: 1, place: micro_batch, how: threads",
                                         "forward: [{step: 1, place: collect, how: threads",
                                         "forward: [{step: 0, place: micro_batch, how: locale"};
    (void)state;
    training_done(TRAINING_ALONE, 2, "plain", MODEL);
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        char flags[1024];
        snprintf(flags, sizeof flags, MODEL "--hooks '{%s, name: f, library: " HOOK_FAULT "}]}'", faults[i]);
        training_done(TRAINING_ALONE, 2, "left", flags);
        command_result r = command_run(
            "cmp plain/checkpoints/latest/model.safetensors left/checkpoints/latest/model.safetensors && "
            "test $(grep -c '\"loss\"' left/metrics.jsonl) = 4");
        if (r.exit_code != 0)
            fail_msg("%s: %s", faults[i], r.err);
        command_free(&r);
    }
}

/* A plug-in that changes the working folder takes no file of the run there. */
static void a_hook_that_leaves_the_folder_takes_nothing_along(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "home",
                  MODEL "--hooks '{update: [{name: p, library: " HOOK_PROBE ", leave: /}]}'");
    assert_true(training_latest_step("home") > 0);
}

/* The loader would touch pages that are not there, and the process die of SIGBUS, whereever the end is
 * missing. */
static void a_library_that_was_cut_short_is_refused(void **state) {
    static const char *const sizes[] = {"100", "4000", "8000", "-1"};
    (void)state;
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        command_result r = command_run("cp " HOOK_PROBE " cut.so && truncate -s %s cut.so", sizes[i]);
        assert_int_equal(r.exit_code, 0);
        command_free(&r);
        training_refused(TRAINING_ALONE, "cut", MODEL "--hooks '{update: [{name: p, library: ./cut.so}]}'", 2,
                         "dtrain: error: hook p: cannot load its library: ./cut.so was cut short: ");
    }
    command_result r = command_run("mkfifo pipe.so");
    command_free(&r);
    training_refused(2, "cut", MODEL "--hooks '{update: [{name: p, library: ./pipe.so}]}'", 2,
                     "dtrain: error: hook p: cannot load its library: ./pipe.so is a pipe or a device, not "
                     "a file");
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(the_plug_in_works_alike_on_all_ranks),
                                       cmocka_unit_test(a_noise_scale_has_a_chart),
                                       cmocka_unit_test(what_a_plug_in_refuses_ends_the_run_before_it_starts),
                                       cmocka_unit_test(a_hook_that_fails_ends_the_job),
                                       cmocka_unit_test(a_hook_that_ends_the_process_is_named),
                                       cmocka_unit_test(what_a_hook_leaves_behind_changes_nothing),
                                       cmocka_unit_test(a_hook_that_leaves_the_folder_takes_nothing_along),
                                       cmocka_unit_test(a_library_that_was_cut_short_is_refused)};
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
