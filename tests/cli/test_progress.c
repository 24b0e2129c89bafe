/* How far a run is, as a batch script asks before it requeues itself, and that two runs do not write to one
 * place. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include <cmocka.h>

#include "support/text.h"
#include "support/training.h"

static void expect_progress(const char *flags, const char *line) {
    command_result r = command_run("%s progress %s", DTRAIN, flags);
    if (r.exit_code != 0 || strcmp(r.out, line) != 0)
        fail_msg("progress %s: expected %s, found %s%s", flags, line, r.out, r.err);
    command_free(&r);
}

/* The words of the run decide what complete means; the checkpoint, which step it has come to. */
static void progress_follows_the_checkpoint(void **state) {
    (void)state;
    char *folder = command_enter_folder();
    text_write("text.txt", 30000, 1);
    expect_progress("--out-dir run --max-steps 6 --resume auto", "unfinished: step 0 of 6 in run\n");
    training_done(TRAINING_ALONE, 1, "run",
                  TRAINING_MODEL "--batch-size 4 --max-steps 6 --checkpoint-cadence 4");
    expect_progress("--out-dir run --max-steps 6", "complete: step 6 of 6 in run\n");
    expect_progress("--out-dir run --max-steps 9", "unfinished: step 6 of 9 in run\n");
    /* What no word says the checkpoint does. */
    expect_progress("--out-dir run", "complete: step 6 of 6 in run\n");
    expect_progress("run", "complete: step 6 of 6 in run\n");
    expect_progress("run --max-steps 9", "unfinished: step 6 of 9 in run\n");
    expect_progress("--resume run/checkpoints/checkpoint_step_4", "complete: step 6 of 6 in run\n");
    expect_progress("--checkpoint-dir run/checkpoints --max-steps 6 --resume auto",
                    "complete: step 6 of 6 in .\n");
    /* And where there is none yet, the lines. */
    command_result r = command_run("rm -r run/checkpoints/* && sed -i /save_ms/d run/metrics.jsonl");
    command_free(&r);
    expect_progress("--out-dir run", "unfinished: step 0 of 6 in run\n");
    expect_progress("--out-dir run --max-steps 9", "unfinished: step 0 of 9 in run\n");
    r = command_run("%s progress --max-steps x", DTRAIN);
    assert_int_equal(r.exit_code, 2);
    command_free(&r);
    command_leave_folder(folder);
}

/* The batch script reads the line whatever it says of the end, and keeps its count beside the run. */
static void the_batch_script_reads_it(void **state) {
    (void)state;
    static const char setting[] = "PATH=\"$PWD/bin:$PATH\" SLURM_JOB_ID=7 SLURM_CPUS_ON_NODE=2 "
                                  "SLURM_JOB_END_TIME=99999999999 ";
    char *folder = command_enter_folder();
    text_write("text.txt", 30000, 1);
    command_result r = command_run(
        "mkdir bin && ln -s %s bin/dtrain && printf '#!/bin/sh\\nwhile test \"${1#-}\" != \"$1\"; do shift; done\\n"
        "exec \"$@\"\\n' >bin/srun && chmod +x bin/srun",
        DTRAIN_PROGRAM);
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    r = command_run("%s bash " DTRAIN_SOURCE_DIR "/slurm/train.sbatch " TRAINING_MODEL
                    "--batch-size 4 --max-epochs 0.01 --out-dir 'a run in here'",
                    setting);
    if (r.exit_code != 0)
        fail_msg("%s%s", r.out, r.err);
    command_says(&r, "a run in here goes on at step 0 of an end not known yet\n");
    command_says(&r, "a run in here is complete at step ");
    command_free(&r);
    r = command_run("ls");
    assert_string_equal(r.out, "a run in here\nbin\ntext.txt\n");
    command_free(&r);
    command_leave_folder(folder);
}

static void expect_refusal(const char *flags, int exit_code, const char *sentence) {
    command_result r = command_run("%s progress %s", DTRAIN, flags);
    if (r.exit_code != exit_code || strstr(r.err, sentence) == NULL || *r.out != 0)
        fail_msg("progress %s: expected exit code %d and \"%s\", found %d and %s%s", flags, exit_code,
                 sentence, r.exit_code, r.out, r.err);
    command_free(&r);
}

/* A place where no run could be is a wrong word, and not a run at its beginning. */
static void what_is_no_folder_is_refused(void **state) {
    (void)state;
    char *folder = command_enter_folder();
    text_write("text.txt", 100, 1);
    expect_refusal("--out-dir text.txt", 2, "out_dir: expected text.txt to be a run's folder, found a file");
    expect_refusal("nowhere", 2, "out_dir: expected nowhere to be a run's folder, found nothing there");
    expect_refusal("--out-dir nowhere", 2,
                   "out_dir: expected nowhere to be a run's folder, found nothing there");
    expect_refusal("--checkpoint-dir nowhere", 2, "checkpoint_dir: expected nowhere to be a run's folder");
    expect_refusal("--out-dir text.txt/run", 2, "out_dir: cannot look at text.txt/run: Not a directory");
    expect_refusal("--checkpoint-dir text.txt", 2, "checkpoint_dir: expected text.txt to be a run's folder");
    assert_int_equal(mkdir("run", 0777), 0);
    text_write("run/checkpoints", 100, 1);
    expect_refusal("--out-dir run", 2, "out_dir: expected run/checkpoints to be a run's folder");
    command_leave_folder(folder);
}

/* What lies elsewhere has not been lost, and step 0 would be a wrong answer, unless the words say that the
 * run would be started anew. */
static void checkpoints_that_are_elsewhere_are_asked_for(void **state) {
    (void)state;
    char *folder = command_enter_folder();
    text_write("text.txt", 30000, 1);
    training_done(TRAINING_ALONE, 1, "run",
                  TRAINING_MODEL "--batch-size 4 --max-steps 2 --checkpoint-dir far");
    expect_progress("--out-dir run --checkpoint-dir far", "complete: step 2 of 2 in run\n");
    expect_refusal(
        "--out-dir run", 1,
        "out_dir: run/metrics.jsonl tells of a checkpoint of step 2, but run/checkpoints holds none; "
        "name the folder of checkpoints with --checkpoint-dir\n");
    expect_progress("--out-dir run --max-steps 4 --resume auto", "unfinished: step 0 of 4 in run\n");
    /* A folder that is no run's has no step, unless the run may not have begun. */
    assert_int_equal(mkdir("new", 0777), 0);
    expect_refusal(
        "--out-dir new --max-steps 4", 2,
        "out_dir: expected new to be a run's folder, found no metrics.jsonl in it and no checkpoint "
        "in new/checkpoints; give --resume auto too");
    expect_refusal("far", 2, "out_dir: expected far to be a run's folder, found no metrics.jsonl in it");
    expect_progress("--out-dir new --max-steps 4 --resume auto", "unfinished: step 0 of 4 in new\n");
    command_leave_folder(folder);
}

/* With nothing but damaged checkpoints there is no answer. The sentence stands for itself: what the log of a
 * training would have said before it is not there. */
static void damaged_checkpoints_are_no_progress(void **state) {
    (void)state;
    char *folder = command_enter_folder();
    text_write("text.txt", 30000, 1);
    training_done(TRAINING_ALONE, 1, "run",
                  TRAINING_MODEL "--batch-size 4 --max-steps 4 --checkpoint-cadence 2");
    training_damage("run/checkpoints/checkpoint_step_2/model.safetensors", -1);
    training_damage("run/checkpoints/checkpoint_step_4/model.safetensors", -1);
    expect_refusal(
        "--out-dir run --max-steps 6", 1,
        "dtrain: error: expected a checkpoint in run/checkpoints to go on from, found 2 and none of "
        "them whole (dtrain verify says what is wrong with one); name another by --resume PATH, or "
        "move them away to start afresh\n");
    command_leave_folder(folder);
}

/* A second run of the same words is refused while the first one lives, and goes on when it was killed. */
static void a_second_run_is_refused(void **state) {
    (void)state;
    static const char flags[] = TRAINING_MODEL "--batch-size 4 --max-steps 100000 --checkpoint-cadence null";
    char *folder = command_enter_folder();
    text_write("text.txt", 30000, 1);
    const pid_t first = training_start(TRAINING_ALONE, "run", flags);
    training_await_step(first, "run", 2);
    training_refused(TRAINING_ALONE, "run", flags, 2, "out_dir: run is in use by process ");
    kill(first, SIGKILL);
    training_end(first);
    training_done(TRAINING_ALONE, 1, "run", TRAINING_MODEL "--batch-size 4 --max-steps 2 --resume auto");
    training_no_leftovers("run");
    command_leave_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(progress_follows_the_checkpoint),
        cmocka_unit_test(the_batch_script_reads_it),
        cmocka_unit_test(what_is_no_folder_is_refused),
        cmocka_unit_test(checkpoints_that_are_elsewhere_are_asked_for),
        cmocka_unit_test(damaged_checkpoints_are_no_progress),
        cmocka_unit_test(a_second_run_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
