/* Runs and their folders: two do not write to one place, whatever it is called; one that goes back or goes on
 * where another was loses nothing of what is there; and files may be moved away under a run. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/training.h"

#define MODEL   TRAINING_MODEL "--batch-size 4 "
#define ENDLESS MODEL "--max-steps 100000 --checkpoint-cadence null "

static void expect_text(const char *found, const char *expected) {
    if (strstr(found, expected) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", expected, found);
}

/* What a shell line prints; it must end well. */
static char *print(const char *line) {
    command_result r = command_run("%s", line);
    if (r.exit_code != 0)
        fail_msg("%s: %s", line, r.err);
    char *out = strdup(r.out);
    command_free(&r);
    return out;
}

/* Stops a run that was started, which saves and ends well. */
static void stop(pid_t run) {
    assert_int_equal(kill(run, SIGUSR1), 0);
    assert_int_equal(training_end(run), 0);
}

/* Every name of a folder that a live run writes to is refused, and the run never notices. */
static void a_live_run_is_safe_by_every_name(void **state) {
    (void)state;
    const pid_t run = training_start(TRAINING_ALONE, "live", ENDLESS);
    training_await_step(run, "live", 2);
    command_done(
        "ln -s live link && ln -s live/checkpoints ckpt && mkdir third && ln -s ../live/checkpoints third/");
    training_refused(TRAINING_ALONE, "link", ENDLESS, 2, "out_dir: link is in use by process ");
    training_refused(TRAINING_ALONE, "second", ENDLESS "--checkpoint-dir live/checkpoints", 2,
                     "checkpoint_dir: live/checkpoints is in use by process ");
    training_refused(2, "second", ENDLESS "--checkpoint-dir \"$PWD/ckpt/\"", 2,
                     "/ckpt/ is in use by process ");
    training_refused(TRAINING_ALONE, "third", ENDLESS, 2, "out_dir: third/checkpoints is in use by process ");
    stop(run);
    assert_true(training_latest_step("live") > 0);
    training_no_leftovers("live");
    command_done("test ! -e live/checkpoints.1 && test ! -e live/metrics.jsonl.1 && test ! -e live/run.lock");
}

/* Nor is its file of lines written to by way of a link to it, or its checkpoints used as a place for others,
 * which would go with them. */
static void a_live_runs_files_are_its_own(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "mine", MODEL "--max-steps 4 --checkpoint-cadence 2");
    command_done("cp -al mine shared && mkdir linked && ln -s ../mine/metrics.jsonl linked/metrics.jsonl");
    command_done("ln -s mine/checkpoints/latest newest && cp mine/metrics.jsonl before");
    /* What goes on in a copy by hard links leaves the lines of the original alone. */
    training_done(TRAINING_ALONE, 1, "shared", MODEL "--max-steps 6 --resume auto");
    command_done(
        "cmp before mine/metrics.jsonl && test $(wc -l < shared/metrics.jsonl) -gt $(wc -l < before)");
    const pid_t run = training_start(TRAINING_ALONE, "mine", ENDLESS "--resume auto");
    training_await_step(run, "mine", 6);
    training_refused(TRAINING_ALONE, "linked", MODEL "--max-steps 2", 2,
                     "linked/metrics.jsonl is in use by another run, which writes to the same file");
    command_done("ln mine/metrics.jsonl linked/hard && rm linked/metrics.jsonl && mv linked/hard "
                 "linked/metrics.jsonl");
    training_refused(2, "linked", MODEL "--max-steps 2", 2, "linked/metrics.jsonl is in use by another run");
    training_refused(TRAINING_ALONE, "mine/checkpoints/checkpoint_step_2/new", MODEL "--max-steps 2", 2,
                     "out_dir: mine/checkpoints/checkpoint_step_2/new lies in the checkpoint "
                     "checkpoint_step_2, and would be removed together with it");
    training_refused(TRAINING_ALONE, "newest", MODEL "--max-steps 2", 2,
                     "out_dir: newest lies in the checkpoint checkpoint_step_4");
    training_refused(TRAINING_ALONE, "other",
                     MODEL "--max-steps 2 --checkpoint-dir mine/checkpoints/checkpoint_step_90/new", 2,
                     "lies in the checkpoint checkpoint_step_90");
    stop(run);
    command_done(
        "test ! -e mine/metrics.jsonl.1 && test $(grep -c '\"event\":\"run\"' mine/metrics.jsonl) = 2");
}

/* A checkpoint does not go on among those of another run; what would do instead is said. */
static void another_runs_folder_is_refused(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "x", MODEL "--max-steps 6 --checkpoint-cadence 2");
    training_done(TRAINING_ALONE, 1, "y", MODEL "--max-steps 2");
    char *before = print("find x | sort && cat x/metrics.jsonl");
    training_refused(2, "x", MODEL "--max-steps 4 --keep-last 1 --resume y/checkpoints/latest", 2,
                     "cannot resume: y/checkpoints/latest is a checkpoint of run ");
    training_refused(TRAINING_ALONE, "z",
                     MODEL "--max-steps 4 --checkpoint-dir x/checkpoints --resume y/checkpoints/latest", 2,
                     "name another folder with --checkpoint-dir ");
    char *after = print("find x | sort && cat x/metrics.jsonl");
    assert_string_equal(before, after);
    free(before);
    free(after);
    training_done(TRAINING_ALONE, 1, "new", MODEL "--max-steps 4 --resume y/checkpoints/latest");
}

/* Lines and checkpoints of later steps stand beside the run's own, whole, and the log says how many. */
static void what_a_run_goes_back_from_is_kept(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "back", MODEL "--max-steps 10 --checkpoint-cadence 4 --eval-cadence 4");
    command_result r = training_run(
        2, 1, "back", MODEL "--max-steps 6 --eval-cadence null --resume back/checkpoints/checkpoint_step_4");
    assert_int_equal(r.exit_code, 0);
    expect_text(r.out,
                "resume: 2 checkpoints of steps after 4 in back/checkpoints are now in back/checkpoints.1\n");
    expect_text(r.out, "in back/metrics.jsonl are now in back/metrics.jsonl.1\n");
    command_free(&r);
    command_done(
        "cd back/checkpoints.1 && test \"$(ls -x)\" = 'checkpoint_step_10  checkpoint_step_8' && for c in *; do " DTRAIN
        " verify $c; done");
    char *kept =
        print("grep loss back/metrics.jsonl.1 | grep -c '\"step\":\\(5\\|6\\|7\\|8\\|9\\|10\\),\"loss\"'");
    assert_string_equal(kept, "6\n");
    free(kept);
    kept = print("grep -c '\"loss\"' back/metrics.jsonl");
    assert_string_equal(kept, "6\n");
    free(kept);
    assert_int_equal(training_latest_step("back"), 6);
    command_done("test \"$(readlink back/checkpoints/best)\" = checkpoint_step_4");
    /* Nobody need know which of them a run goes on from. */
    training_done(TRAINING_ALONE, 1, "again",
                  MODEL "--max-steps 12 --resume back/checkpoints.1/checkpoint_step_10");
}

/* A resume that is at its end already changes no file. */
static void a_finished_run_is_left_alone(void **state) {
    (void)state;
    static const char list[] = "find done -type f -printf '%p %s %T@\\n' -o -printf '%p %l\\n' | sort";
    training_done(TRAINING_ALONE, 1, "done", MODEL "--max-steps 6 --checkpoint-cadence 2");
    char *before = print(list);
    for (int ranks = TRAINING_ALONE; ranks <= 2; ranks += 2) {
        command_result r = training_run(ranks, 1, "done",
                                        MODEL "--max-steps 3 --keep-last 1 --eval-cadence 1 --resume auto");
        assert_int_equal(r.exit_code, 0);
        expect_text(
            r.out,
            "nothing to do: the checkpoint is at step 6 and training ends at step 3; raise --max-steps to go on\n");
        command_free(&r);
    }
    char *after = print(list);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

/* Logs are rotated under a run: the lines are all there, each once, and the run ends well. */
static void a_rotated_log_goes_on_in_a_new_file(void **state) {
    (void)state;
    const pid_t run = training_start(TRAINING_ALONE, "logs", ENDLESS);
    training_await_step(run, "logs", 3);
    command_done("mv logs/metrics.jsonl logs/metrics.jsonl-1");
    training_await_step(run, "logs", 3);
    command_done("mv logs/metrics.jsonl logs/metrics.jsonl-2");
    training_await_step(run, "logs", 3);
    stop(run);
    char *err = command_read_file("logs.err");
    expect_text(
        err,
        "logs/metrics.jsonl was moved away or removed while the run was writing to it; lines now go to a "
        "new file of that name\n");
    free(err);
    command_done(
        "cat logs/metrics.jsonl-1 logs/metrics.jsonl-2 logs/metrics.jsonl | sed -n 's/.*\"step\":\\([0-9]*\\),"
        "\"loss\".*/\\1/p' > steps && seq \"$(wc -l < steps)\" | cmp - steps");
    command_done("rm logs/metrics.jsonl"); /* packed, after the run */
    char flags[512];
    snprintf(flags, sizeof flags, MODEL "--max-steps %d --resume auto",
             (int)training_latest_step("logs") + 1);
    training_done(TRAINING_ALONE, 1, "logs", flags);
    command_done("grep -q '\"loss\"' logs/metrics.jsonl");
}

/* The folder is moved under a run: it goes on there, and leaves the old name to others. */
static void a_moved_out_dir_is_followed(void **state) {
    (void)state;
    const pid_t run = training_start(2, "old", ENDLESS);
    training_await_step(run, "old", 2);
    command_done("mv old moved && mkdir old && echo other > old/metrics.jsonl");
    training_await_step(run, "moved", training_latest_step("moved") + 4);
    stop(run);
    assert_true(training_latest_step("moved") > 0);
    training_no_leftovers("moved");
    command_done("test \"$(ls old)\" = metrics.jsonl && test \"$(cat old/metrics.jsonl)\" = other");
    char *err = command_read_file("old.err");
    expect_text(err, "/moved/checkpoints while the run was writing to it; the run goes on writing there\n");
    free(err);
}

/* A copy without links is gone on with, and has its links again. */
static void a_copy_without_links_goes_on(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "copied", MODEL "--max-steps 4 --checkpoint-cadence 2 --eval-cadence 2");
    command_done(
        "cp -rL copied copy && test -d copy/checkpoints/latest && test ! -L copy/checkpoints/latest");
    training_done(TRAINING_ALONE, 1, "copy", MODEL "--max-steps 6 --eval-cadence 2 --resume latest");
    command_done("test -L copy/checkpoints/latest && test -L copy/checkpoints/best");
    assert_int_equal(training_latest_step("copy"), 6);
}

/* A program that follows links puts a folder, or a file, in the place of one: the run saves all the same,
 * what is there stays, and the newest checkpoint is gone on from. */
static void what_takes_a_links_name_stays(void **state) {
    (void)state;
    static const char *const takers[] = {"rm @/latest && cp -r @/checkpoint_step_2 @/latest",
                                         "rm -f @/latest @/best && echo mine >@/latest && echo mine >@/best"};
    for (size_t i = 0; i < sizeof takers / sizeof *takers; i++) {
        const pid_t run = training_start(TRAINING_ALONE, "taken",
                                         MODEL "--max-steps 100000 --checkpoint-cadence 2 "
                                               "--eval-cadence 2 --eval-max-windows 1");
        command_done("until test -e taken/checkpoints/latest; do sleep 0.05; done");
        char line[256] = "";
        for (const char *c = takers[i]; *c; c++)
            snprintf(line + strlen(line), sizeof line - strlen(line), *c == '@' ? "taken/checkpoints" : "%c",
                     *c);
        assert_int_equal(kill(run, SIGSTOP), 0);
        command_done(line);
        assert_int_equal(kill(run, SIGCONT), 0);
        command_done(
            "until grep -q 'is saved, but taken/checkpoints/latest is no link to it: found a file or folder' "
            "taken.err; do sleep 0.05; done");
        stop(run);
        if (i == 0)
            command_done("test ! -L taken/checkpoints/latest && test -d taken/checkpoints/latest");
        else
            command_done("grep -x mine taken/checkpoints/latest && grep -x mine taken/checkpoints/best && rm "
                         "taken/checkpoints/latest taken/checkpoints/best");
        command_done(
            "step=$(ls -d taken/checkpoints/checkpoint_step_* | sed 's/.*_//' | sort -n | tail -n 1) && " DTRAIN
            " train --out-dir taken --resume auto --max-steps $((step + 1)) >out && grep \"from "
            "taken/checkpoints/checkpoint_step_$step, after step $step\" out && rm -r taken");
    }
}

/* What a run suggests to go on is a command that can be pasted. */
static void the_suggestion_can_be_pasted(void **state) {
    (void)state;
    command_result r = training_run(TRAINING_ALONE, 1, "\"it's a \\$run\"", MODEL "--max-steps 2");
    assert_int_equal(r.exit_code, 0);
    const char *words = strstr(r.out, "--resume ");
    assert_non_null(words);
    char line[512];
    snprintf(line, sizeof line, DTRAIN " %.*s 3", (int)strcspn(words, "N\n"), words);
    expect_text(line, " --max-steps  3");
    command_free(&r);
    command_done(line);
    command_done("test -d \"it's a \\$run/checkpoints/checkpoint_step_3\"");
}

/* A pipe that nobody writes to is refused, whatever it stands for; what a shell makes of <(..) is read. */
static void no_pipe_keeps_a_run_waiting(void **state) {
    (void)state;
    command_done(
        "mkfifo pipe && cp -r done piped && rm piped/checkpoints/checkpoint_step_6/tokenizer.json && mkfifo "
        "piped/checkpoints/checkpoint_step_6/tokenizer.json");
    training_refused(2, "pipes", MODEL "--max-steps 2 --config pipe", 2,
                     "--config: cannot read pipe: it is a pipe or a device, and no program writes to it");
    training_refused(2, "pipes", "--n-layers 1 --data pipe", 2, "cannot read pipe: expected a regular file");
    training_refused(TRAINING_ALONE, "pipes",
                     MODEL "--max-steps 2 --hooks '{update: [{name: x, library: ./pipe}]}'", 2,
                     "./pipe is a pipe or a device, not a file");
    training_refused(TRAINING_ALONE, "piped", MODEL "--max-steps 8 --resume latest", 1,
                     "tokenizer.json: expected a regular file");
    command_done("bash -c '" DTRAIN
                 " --print-config --config <(sleep 0.1; echo max_steps: 17)' | grep -x 'max_steps: 17.*'");
    command_done("echo max_steps: 18 | " DTRAIN
                 " --print-config --config /dev/stdin | grep -x 'max_steps: 18.*'");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_live_run_is_safe_by_every_name),
        cmocka_unit_test(a_live_runs_files_are_its_own),
        cmocka_unit_test(another_runs_folder_is_refused),
        cmocka_unit_test(what_a_run_goes_back_from_is_kept),
        cmocka_unit_test(a_finished_run_is_left_alone),
        cmocka_unit_test(a_rotated_log_goes_on_in_a_new_file),
        cmocka_unit_test(a_moved_out_dir_is_followed),
        cmocka_unit_test(a_copy_without_links_goes_on),
        cmocka_unit_test(what_takes_a_links_name_stays),
        cmocka_unit_test(the_suggestion_can_be_pasted),
        cmocka_unit_test(no_pipe_keeps_a_run_waiting),
    };
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
