/* Which checkpoint a run goes on from, where it then writes, and under which name. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/training.h"

/* The last run event of metrics.jsonl; owned by the caller. */
static json_t *last_run(const char *out_dir) {
    char path[256], *rest = NULL;
    snprintf(path, sizeof path, "%s/metrics.jsonl", out_dir);
    char *lines = command_read_file(path);
    json_t *found = NULL;
    for (char *line = strtok_r(lines, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        if (strstr(line, "\"event\":\"run\"") == NULL)
            continue;
        json_decref(found);
        found = json_loads(line, 0, NULL);
    }
    free(lines);
    assert_non_null(found);
    return found;
}

/* Whether the last run of `out_dir` has the run of `other` as `key` ("run_id": it is the same run). */
static void expect_run(const char *out_dir, const char *key, const char *other) {
    json_t *mine = last_run(out_dir), *theirs = last_run(other);
    const char *found = json_string_value(json_object_get(mine, key));
    assert_non_null(found);
    assert_string_equal(found, json_string_value(json_object_get(theirs, "run_id")));
    json_decref(mine);
    json_decref(theirs);
}

/* The checkpoint that a run goes on from may stand in another run's folder. In folders of its own it is
 * another run, which says from which it began, in its lines and in its checkpoints; both may go on, and
 * neither into the folders of the other. */
static void a_path_may_lead_to_another_run(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "first", TRAINING_COSINE);
    command_result r =
        training_run(2, 1, "second", TRAINING_COSINE "--resume first/checkpoints/checkpoint_step_8");
    assert_int_equal(r.exit_code, 0);
    command_says(
        &r,
        "first/checkpoints/checkpoint_step_8, after step 8, as a run of its own: that is a checkpoint of run ");
    command_free(&r);
    training_same_weights("first", "second", 10);
    char *steps = training_metric("second", "loss");
    assert_true(strncmp(steps, "9 ", 2) == 0);
    free(steps);
    json_t *first = last_run("first"), *second = last_run("second");
    const char *first_id = json_string_value(json_object_get(first, "run_id"));
    assert_string_not_equal(first_id, json_string_value(json_object_get(second, "run_id")));
    assert_true(json_is_null(json_object_get(first, "parent_run_id")));
    expect_run("second", "parent_run_id", "first");
    r = command_run("%s verify second/checkpoints/latest", DTRAIN);
    command_says(&r, first_id);
    command_says(&r, ", which began from run ");
    command_free(&r);
    /* It keeps its name and its origin when it goes on, and the first one its name. */
    r = command_run("cp -r second before");
    command_free(&r);
    training_done(3, 1, "second", TRAINING_COSINE "--max-steps 12 --resume auto");
    expect_run("second", "run_id", "before");
    expect_run("second", "parent_run_id", "first");
    r = command_run("cp -r first before_first");
    command_free(&r);
    training_done(TRAINING_ALONE, 1, "first", TRAINING_COSINE "--max-steps 12 --resume latest");
    expect_run("first", "run_id", "before_first");
    training_same_weights("first", "second", 12);
    training_refused(TRAINING_ALONE, "second",
                     TRAINING_COSINE "--max-steps 14 --resume first/checkpoints/latest", 2,
                     "dtrain: error: cannot resume: first/checkpoints/latest is a checkpoint of run ");
    json_decref(first);
    json_decref(second);
}

/* The same words again after a kill before the first save: it is still the run that began. */
static void a_run_that_saved_nothing_begins_again(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "origin", TRAINING_COSINE);
    static const char words[] =
        TRAINING_COSINE "--max-steps 100000 --resume origin/checkpoints/checkpoint_step_8 "
                        "--checkpoint-cadence null --lr-schedule constant";
    const pid_t process = training_start(TRAINING_ALONE, "begun", words);
    training_await_step(process, "begun", 9);
    kill(process, SIGKILL);
    training_end(process);
    command_result r = command_run("cp -r begun killed");
    command_free(&r);
    training_done(TRAINING_ALONE, 1, "begun",
                  TRAINING_COSINE
                  "--max-steps 12 --resume origin/checkpoints/checkpoint_step_8 --lr-schedule constant");
    expect_run("begun", "run_id", "killed");
    expect_run("begun", "parent_run_id", "origin");
    training_expect_steps("begun", "loss", "9 10 11 12 ");
}

static void auto_starts_fresh_where_nothing_is(void **state) {
    (void)state;
    command_result r = training_run(2, 1, "fresh", TRAINING_STEADY "--max-steps 2 --resume auto");
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "resume: no checkpoint in fresh/checkpoints yet, starting fresh\n"));
    assert_null(strstr(r.err, "tells of a checkpoint"));
    command_free(&r);
    training_same_weights("saved", "fresh", 2);
    /* Once there is one it is taken. */
    r = training_run(2, 1, "fresh", TRAINING_STEADY "--max-steps 3 --resume auto");
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "resume    from fresh/checkpoints/checkpoint_step_2, after step 2\n"));
    command_free(&r);
    /* A run that has saved elsewhere starts anew, which is said. */
    r = training_run(TRAINING_ALONE, 1, "fresh",
                     TRAINING_STEADY "--max-steps 3 --resume auto --checkpoint-dir elsewhere");
    assert_int_equal(r.exit_code, 0);
    command_says(
        &r, "resume: fresh/metrics.jsonl tells of a checkpoint of step 3, but elsewhere holds none; where ");
    command_free(&r);
}

static void latest_needs_a_checkpoint(void **state) {
    (void)state;
    training_refused(
        2, "nothing", TRAINING_STEADY "--max-steps 2 --resume latest", 2,
        "dtrain: error: there is no latest checkpoint: expected a link "
        "nothing/checkpoints/latest; name one by its path, or give auto, with which a run starts afresh where there is none\n");
    training_refused(
        TRAINING_ALONE, "nothing", TRAINING_STEADY "--max-steps 2 --resume nowhere", 2,
        "dtrain: error: nowhere is no checkpoint: expected a folder, found nothing there; name one such as "
        "checkpoints/checkpoint_step_1000, a run's folder (its latest is taken) or RUN/best\n");
}

/* A checkpoint that lies alone does not say where its run writes. */
static void a_copy_alone_asks_for_a_folder(void **state) {
    (void)state;
    command_result r = command_run("cp -r saved/checkpoints/checkpoint_step_2 lone");
    command_free(&r);
    r = command_run("%s --resume lone --max-steps 3", DTRAIN_PROGRAM);
    assert_int_equal(r.exit_code, 2);
    command_says(&r,
                 "resume: cannot tell which folder to write to, since lone is not in the folder checkpoints/ "
                 "of a run; name the folder with --out-dir");
    command_free(&r);
    r = training_goes_on(2, "--resume lone --max-steps 3 --out-dir lone_run");
    command_free(&r);
    assert_int_equal(training_latest_step("lone_run"), 3);
}

/* The run that is named is the one that is changed. */
static void a_link_to_another_runs_checkpoint_is_refused(void **state) {
    (void)state;
    static const char *const names[] = {"strange", "strange/checkpoints", "strange/latest",
                                        "strange/checkpoints/latest"};
    command_result r = command_run("cp -r saved strange && ln -sfn ../../saved/checkpoints/checkpoint_step_2 "
                                   "strange/checkpoints/latest && find saved >saved.list");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        r = command_run("%s --resume %s --max-steps 3", DTRAIN_PROGRAM, names[i]);
        assert_int_equal(r.exit_code, 2);
        command_says(&r, "means a checkpoint in strange/checkpoints, but a link there leads to ");
        command_free(&r);
    }
    r = command_run("find saved | cmp - saved.list");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
}

static void best_is_a_checkpoint_too(void **state) {
    (void)state;
    training_refused(
        TRAINING_ALONE, "saved", "--max-steps 4 --resume best", 2,
        "dtrain: error: there is no best checkpoint: expected a link "
        "saved/checkpoints/best; a run makes it where it evaluates and saves after the same step");
    training_done(TRAINING_ALONE, 1, "best", TRAINING_STEADY "--max-steps 4 --eval-cadence 2");
    command_result r = training_goes_on(2, "--out-dir best --max-steps 6 --resume best");
    command_says(&r, "after step 4\n");
    command_free(&r);
    assert_int_equal(training_latest_step("best"), 6);
}

/* One bit turned in a weight, or in a moment: refused on all ranks, with file and tensor named. */
static void a_damaged_checkpoint_is_refused(void **state) {
    (void)state;
    command_result copy = command_run("cp -r saved damaged && cp -r saved damaged2");
    command_free(&copy);
    training_damage("damaged/checkpoints/latest/model.safetensors", -5);
    training_refused(
        2, "damaged", TRAINING_STEADY "--max-steps 4 --resume latest", 1,
        "dtrain: error: damaged/checkpoints/checkpoint_step_2/model.safetensors is damaged: the data of "
        "tensor ln_f.bias have XXH3-64 ");
    training_damage("damaged2/checkpoints/latest/optimizer.safetensors", -5);
    training_refused(
        TRAINING_ALONE, "damaged2",
        TRAINING_STEADY "--max-steps 4 --resume damaged2/checkpoints/checkpoint_step_2", 1,
        "dtrain: error: damaged2/checkpoints/checkpoint_step_2/optimizer.safetensors is damaged: the data "
        "of tensor exp_avg_sq.ln_f.bias have XXH3-64 ");
    training_refused(
        3, "damaged2", TRAINING_STEADY "--max-steps 4 --resume auto", 1,
        "dtrain: error: expected a checkpoint in damaged2/checkpoints to go on from, found 1 and "
        "none of them whole");
}

/* Each kind of damage to the newest checkpoint: verify and a resume by its path refuse it with exit code 1
 * and name the file; auto says so, goes on from the one before it, and comes to the same bits. */
static void auto_goes_on_from_the_newest_whole_one(void **state) {
    (void)state;
    static const struct {
        const char *file, *damage, *why;
    } cases[] = {
        {"model.safetensors", "truncate -s -1 %s", "were saved"},
        {"optimizer.safetensors", "cp two/checkpoints/checkpoint_step_2/optimizer.safetensors %s",
         "is damaged"},
        {"metadata.json", ": > %s", "cannot use"},
        {"metadata.json", "cp two/checkpoints/checkpoint_step_2/metadata.json %s", "is that of step 2"},
        {"config.json", "rm %s && mkdir %s", "found a folder"},
        {"tokenizer.json", "rm %s && mkfifo %s", "expected a regular file"},
    };
    training_done(2, 1, "two", TRAINING_STEADY "--max-steps 4 --checkpoint-cadence 2");
    training_done(2, 1, "beyond", TRAINING_STEADY "--max-steps 6");
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char line[512], file[128];
        snprintf(file, sizeof file, "mended/checkpoints/checkpoint_step_4/%s", cases[i].file);
        snprintf(line, sizeof line, "rm -rf mended && cp -r two mended && F=%s && %s", file, cases[i].damage);
        for (char *at = strstr(line, "%s"); at != NULL; at = strstr(at, "%s"))
            memcpy(at, "$F", 2);
        command_result r = command_run("%s", line);
        assert_int_equal(r.exit_code, 0);
        command_free(&r);
        r = command_run(DTRAIN_PROGRAM " verify mended/checkpoints/latest");
        assert_int_equal(r.exit_code, 1);
        if (strstr(r.err, cases[i].file) == NULL || strstr(r.err, cases[i].why) == NULL)
            fail_msg("expected \"%s\" and \"%s\" in: %s", cases[i].file, cases[i].why, r.err);
        command_free(&r);
        training_refused(TRAINING_ALONE, "mended",
                         TRAINING_STEADY "--max-steps 6 --resume mended/checkpoints/checkpoint_step_4", 1,
                         "dtrain: error: ");
        r = training_run(i == 0 ? 3 : TRAINING_ALONE, 1, "mended",
                         TRAINING_STEADY "--max-steps 6 --resume auto");
        assert_int_equal(r.exit_code, 0);
        assert_non_null(strstr(r.err, "dtrain: warning: refused as a checkpoint to go on from: "));
        assert_non_null(strstr(r.err, cases[i].file));
        assert_non_null(strstr(r.out, "resume    from mended/checkpoints/checkpoint_step_2, after step 2\n"));
        command_free(&r);
        training_same_weights("beyond", "mended", 6);
        training_same_metric("beyond", "mended", "loss");
    }
}

/* A run's folder is as good a name as its newest checkpoint's. */
static void a_run_stands_for_its_latest_checkpoint(void **state) {
    (void)state;
    static const char *const names[] = {"named", "named/checkpoints", "named/latest"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        char words[64];
        assert_int_equal(system("rm -rf named && cp -r two named"), 0);
        snprintf(words, sizeof words, "--resume %s --max-steps 6", names[i]);
        command_result r = training_goes_on(TRAINING_ALONE, words);
        assert_int_equal(r.exit_code, 0);
        command_says(&r, "resume    from named/checkpoints/checkpoint_step_4, after step 4\n");
        command_free(&r);
        training_same_weights("beyond", "named", 6);
    }
}

/* Two runs that were given one folder of checkpoints, as the runs of a sweep may be: the second does not take
 * the first for itself, neither in its middle nor when it is complete, and nothing is made for it. */
static void a_shared_checkpoint_dir_makes_no_other_run_its_own(void **state) {
    (void)state;
    static const char words[] = "--checkpoint-dir shared --resume auto ";
    static const char sentence[] =
        ", whose out_dir is mine, and not yours; give this run a --checkpoint-dir of its "
        "own, or go on with that run by --out-dir mine\n";
    training_done(TRAINING_ALONE, 1, "mine", TRAINING_COSINE "--checkpoint-dir shared --resume auto");
    for (int steps = 10; steps < 13; steps += 2) {
        char flags[512];
        snprintf(flags, sizeof flags, "%s %s --learning-rate 1e-3 --max-steps %d", TRAINING_COSINE, words,
                 steps);
        training_refused(2, "yours", flags, 2, sentence);
        command_result r = command_run("%s progress %s --out-dir yours", DTRAIN, words);
        assert_int_equal(r.exit_code, 2);
        command_says(&r, sentence);
        command_free(&r);
        r = command_run("test ! -e yours");
        assert_int_equal(r.exit_code, 0);
        command_free(&r);
    }
    /* The folder of the lines under another name is the same run. */
    command_result r = command_run("mv mine moved && %s progress %s --out-dir moved", DTRAIN, words);
    command_says(&r, "complete: step 10 of 10 in moved");
    command_free(&r);
    training_done(TRAINING_ALONE, 1, "moved",
                  TRAINING_COSINE "--checkpoint-dir shared --resume auto --max-steps 12");
    expect_run("moved", "run_id", "moved");
    assert_int_equal(system("rm -r moved shared"), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_path_may_lead_to_another_run),
                                       cmocka_unit_test(a_run_that_saved_nothing_begins_again),
                                       cmocka_unit_test(auto_starts_fresh_where_nothing_is),
                                       cmocka_unit_test(latest_needs_a_checkpoint),
                                       cmocka_unit_test(a_copy_alone_asks_for_a_folder),
                                       cmocka_unit_test(a_link_to_another_runs_checkpoint_is_refused),
                                       cmocka_unit_test(a_shared_checkpoint_dir_makes_no_other_run_its_own),
                                       cmocka_unit_test(best_is_a_checkpoint_too),
                                       cmocka_unit_test(a_damaged_checkpoint_is_refused),
                                       cmocka_unit_test(auto_goes_on_from_the_newest_whole_one),
                                       cmocka_unit_test(a_run_stands_for_its_latest_checkpoint)};
    return cmocka_run_group_tests(tests, training_set_up_saved, command_tear_down);
}
