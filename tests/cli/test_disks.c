/*
 * Disks that are full, read-only or gone, and what a run leaves of what was there: the checkpoint before is
 * whole, no leftovers stand beside it, and a run that goes on ends with the bits of one that had no trouble.
 * Full and read-only disks are small ones in memory, mounted where only the test's own processes see them.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/training.h"

#define MODEL TRAINING_MODEL "--checkpoint-cadence 2 --log-cadence 1000 "

#define LIMIT_BYTES 130000
#define ENDLESS     MODEL "--max-steps 100000000 --resume auto"

static int set_up(void **state) {
    training_set_up(state);
    training_done(TRAINING_ALONE, 1, "saved", MODEL "--max-steps 2");
    return 0;
}

/* Standard error and output have the words; the exit code is the one expected. */
static void check(command_result *r, int exit_code, const char *const *words) {
    if (r->exit_code != exit_code)
        fail_msg("expected exit code %d, found %d: %s%s", exit_code, r->exit_code, r->out, r->err);
    for (; *words; words++)
        if (strstr(r->err, *words) == NULL && strstr(r->out, *words) == NULL)
            fail_msg("expected \"%s\" in: %s%s", *words, r->out, r->err);
    command_free(r);
}

static void check_latest(const char *out_dir) {
    command_result r = command_run("%s verify %s/checkpoints/latest", DTRAIN, out_dir);
    check(&r, 0, (const char *const[]){NULL});
}

/* Of a run that has ended. */
static void check_whole(const char *out_dir) {
    check_latest(out_dir);
    training_no_leftovers(out_dir);
}

/* Goes on where it stopped, and compares with a run that had no trouble. */
static void check_going_on(const char *out_dir) {
    char flags[512], whole[32];
    const int64_t end = training_latest_step(out_dir) + 2;
    snprintf(whole, sizeof whole, "%s_whole", out_dir);
    snprintf(flags, sizeof flags, MODEL "--max-steps %" PRId64, end);
    training_done(TRAINING_ALONE, 1, whole, flags);
    strcat(flags, " --resume auto");
    training_done(2, 1, out_dir, flags);
    training_same_weights(whole, out_dir, end);
    training_same_metric(whole, out_dir, "loss");
}

static void copy_saved(const char *out_dir) {
    command_result r = command_run("cp -a saved %s", out_dir);
    check(&r, 0, (const char *const[]){NULL});
}

/* From now on no file of rank 0 may grow beyond a size that the weights fit and the moments do not. MPI,
 * which needs larger files, has started by then. */
static void limit_files(pid_t run, int ranks, rlim_t bytes) {
    const struct rlimit limit = {.rlim_cur = bytes, .rlim_max = RLIM_INFINITY};
    const pid_t rank0 = ranks == TRAINING_ALONE ? run : training_rank_process(run, 0);
    assert_int_equal(prlimit(rank0, RLIMIT_FSIZE, &limit, NULL), 0);
}

/* Waits for these words on the standard error of a started run. */
static void await_words(const char *out_dir, const char *words) {
    char path[64];
    snprintf(path, sizeof path, "%s.err", out_dir);
    for (int turns = 0; turns < 6000; turns++) {
        char *text = command_read_file(path);
        const bool found = strstr(text, words) != NULL;
        free(text);
        if (found)
            return;
        usleep(10000);
    }
    fail_msg("%s.err does not say \"%s\"", out_dir, words);
}

/* No warning stands there twice. Changes the text. */
static void expect_no_line_twice(char *text) {
    for (char *line, *rest = text; (line = strsep(&rest, "\n")) != NULL && rest != NULL;)
        if (strncmp(line, "dtrain: ", 8) == 0 && strstr(rest, line) != NULL)
            fail_msg("said twice: %s", line);
}

/* The run stops, on one rank and on two, with path, bytes and cause; it tries again at the end, in vain. */
static void a_file_that_may_not_grow_stops_the_run(void **state) {
    (void)state;
    const char *const words[] = {"dtrain: warning: cannot save step ",
                                 "dtrain: error: cannot save step ",
                                 ", a checkpoint of ",
                                 "optimizer.safetensors: ",
                                 " bytes of ",
                                 " are missing: File too large",
                                 "; the run stopped after step ",
                                 " with --resume "};
    for (int ranks = 0; ranks <= 2; ranks += 2) {
        char out_dir[24], path[32];
        snprintf(out_dir, sizeof out_dir, "limit%d", ranks);
        snprintf(path, sizeof path, "%s.err", out_dir);
        copy_saved(out_dir);
        const pid_t run = training_start(ranks, out_dir, ENDLESS);
        training_await_step(run, out_dir, 3);
        limit_files(run, ranks, LIMIT_BYTES);
        assert_int_equal(training_end(run), 1);
        char *text = command_read_file(path);
        for (size_t i = 0; i < sizeof words / sizeof *words; i++)
            if (strstr(text, words[i]) == NULL)
                fail_msg("expected \"%s\" in: %s", words[i], text);
        expect_no_line_twice(text);
        free(text);
        check_whole(out_dir);
        check_going_on(out_dir);
    }
}

/* With checkpoint_on_error: warn it goes on, and saves again when it can. */
static void a_failed_save_may_be_a_warning(void **state) {
    (void)state;
    copy_saved("warn");
    const pid_t run = training_start(TRAINING_ALONE, "warn", ENDLESS " --checkpoint-on-error warn");
    training_await_step(run, "warn", 3);
    limit_files(run, TRAINING_ALONE, LIMIT_BYTES);
    await_words("warn", "File too large; going on all the same");
    check_latest("warn");
    limit_files(run, TRAINING_ALONE, RLIM_INFINITY);
    kill(run, SIGUSR1);
    assert_int_equal(training_end(run), 0);
    check_whole("warn");
    check_going_on("warn");
}

/* But weights that are nowhere at the end are a failure: of which step is the newest checkpoint is said. */
static void a_failed_last_save_is_no_warning(void **state) {
    (void)state;
    copy_saved("lost");
    const pid_t run = training_start(TRAINING_ALONE, "lost", ENDLESS " --checkpoint-on-error warn");
    training_await_step(run, "lost", 3);
    limit_files(run, TRAINING_ALONE, LIMIT_BYTES);
    await_words("lost", "File too large; going on all the same");
    kill(run, SIGUSR1);
    assert_int_equal(training_end(run), 1);
    await_words("lost", "File too large; the run stopped after step ");
    await_words("lost", " with --resume ");
    check_whole("lost");
}

/* Whether this process may mount file systems for itself. */
static bool may_mount(void) {
    command_result r = command_run("unshare -m true");
    const bool may = r.exit_code == 0;
    command_free(&r);
    if (!may)
        print_message("skipped: mounting a small disk needs more rights\n");
    return may;
}

/* A disk that has room for three checkpoints and not for four. */
static void a_full_disk_stops_the_run(void **state) {
    (void)state;
    if (!may_mount())
        return;
    command_result r = command_run(
        "unshare -m sh -c 'mkdir disk && mount -t tmpfs -o size=1500k tmpfs disk && "
        "%s train --out-dir disk " MODEL "--max-steps 100000; code=$?; "
        "%s verify disk/checkpoints/latest && ls -A disk/checkpoints && cp -a disk full && exit $code'",
        DTRAIN, DTRAIN);
    check(&r, 1,
          (const char *const[]){"dtrain: error: cannot save step ", ".safetensors: ", " bytes of ",
                                " are missing: No space left on device", NULL});
    assert_true(training_latest_step("full") >= 2);
    check_whole("full");
}

/* One that is full at the start asks for room, and not for another right: here of four files at most. */
static void a_full_disk_at_the_start_asks_for_room(void **state) {
    (void)state;
    if (!may_mount())
        return;
    command_result r = command_run(
        "unshare -m sh -c 'mkdir files && mount -t tmpfs -o nr_inodes=4 tmpfs files && exec %s train "
        "--out-dir files " MODEL "--max-steps 2'",
        DTRAIN);
    check(&r, 2,
          (const char *const[]){
              "out_dir: cannot write checkpoints into files/checkpoints: No space left on device; "
              "make room there, or name another folder",
              NULL});
}

/* A disk that has no room for lines: that is told once, and with checkpoint_on_error: warn nothing else
 * follows from it. */
static void a_full_disk_of_lines_is_told_once(void **state) {
    (void)state;
    if (!may_mount())
        return;
    command_result r = command_run(
        "unshare -m sh -c 'mkdir lines && mount -t tmpfs -o size=16k tmpfs lines && exec %s train --out-dir lines "
        "--checkpoint-dir lines_saved " MODEL "--max-steps 400 --checkpoint-on-error warn'",
        DTRAIN);
    int told = 0;
    for (const char *at = r.err; (at = strstr(at, "going on all the same")) != NULL; at++)
        told++;
    assert_int_equal(told, 1);
    check(&r, 0,
          (const char *const[]){"lines/metrics.jsonl: No space left on device; going on all the same", NULL});
}

/* A tokenizer for which there is no room is not there at all, and nor is a folder on the way to a cache. */
static void what_finds_no_room_leaves_nothing(void **state) {
    (void)state;
    if (!may_mount())
        return;
    command_result r = command_run(
        "unshare -m sh -c 'mkdir room && mount -t tmpfs -o size=8k tmpfs room && %s tokenizer train text.txt "
        "--vocab-size 400 --out room/t.json; code=$?; %s train --out-dir roomy --token-cache room/a/b " MODEL
        "--max-steps 1 && test -z \"$(ls -A room)\" && exit $code'",
        DTRAIN, DTRAIN);
    check(&r, 1,
          (const char *const[]){"cannot write room/t.json: ", "no token cache: expected about ", NULL});
}

/* Read-only from mid-run on, by a mount over it: the sentence says so, and what was saved is whole. */
static void a_disk_that_becomes_read_only_stops_the_run(void **state) {
    (void)state;
    if (!may_mount())
        return;
    command_result r = command_run(
        "unshare -m sh -c 'mkdir ro && mount -t tmpfs tmpfs ro && "
        "{ %s train --out-dir run --checkpoint-dir ro " MODEL
        "--checkpoint-cadence 20 --max-steps 1000000 & } && "
        "until [ -e ro/latest ]; do sleep 0.02; done; mount --bind ro ro && mount -o remount,bind,ro ro || kill $!; wait $!; code=$?; "
        "%s verify ro/latest && exit $code'",
        DTRAIN, DTRAIN);
    check(&r, 1,
          (const char *const[]){"dtrain: error: cannot save step ", "ro/", "Read-only file system", NULL});
}

/* All that the run wrote is removed while it runs: it says so, makes its folders anew, and goes on there. */
static void a_folder_that_vanishes_is_made_anew(void **state) {
    (void)state;
    const pid_t run =
        training_start(TRAINING_ALONE, "gone",
                       MODEL "--checkpoint-cadence 5 --max-steps 100000000 --checkpoint-on-error warn");
    training_await_step(run, "gone", 8);
    /* At once, as far as the run can see: else what it writes into a folder that is being emptied stays
     * there. A save that was under way then fails. */
    kill(run, SIGSTOP);
    command_result r = command_run("rm -rf gone");
    command_free(&r);
    kill(run, SIGCONT);
    training_await_step(run, "gone", 3);
    kill(run, SIGUSR1);
    assert_int_equal(training_end(run), 0);
    char *text = command_read_file("gone.err");
    if (strstr(text, "dtrain: warning: out_dir: gone was removed, with all that was in it, while the run was "
                     "writing to it; the run makes it again and goes on writing there") == NULL)
        fail_msg("%s", text);
    free(text);
    check_whole("gone");
}

#define AS_NOBODY "setpriv --reuid=65534 --regid=65534 --clear-groups "

/* Copies saved/ to a folder that another user too may write to; whether it can act as that one. */
static bool open_to_another_user(const char *out_dir) {
    command_result r = command_run("chmod 755 . && " AS_NOBODY "test -x %s && cp -a saved %s && cd %s && "
                                   "chmod 777 . checkpoints && chmod 666 metrics.jsonl",
                                   DTRAIN, out_dir, out_dir);
    const bool may = r.exit_code == 0;
    command_free(&r);
    if (!may)
        print_message("skipped: acting as another user needs more rights\n");
    return may;
}

/* A link that only its owner may replace, as in /tmp, is found before the first step. */
static void a_link_of_another_user_is_found_at_the_start(void **state) {
    (void)state;
    if (!open_to_another_user("sticky"))
        return;
    command_result r = command_run("chmod +t sticky sticky/checkpoints && " AS_NOBODY
                                   "%s train --out-dir sticky " MODEL "--max-steps 4 --resume latest",
                                   DTRAIN);
    check(&r, 2, (const char *const[]){"checkpoints/latest: Operation not permitted; name a folder", NULL});
    check_whole("sticky");
    check_going_on("sticky");
}

/* The lock file of a run that was killed holds up nobody, whoever started that run; that of one that lives
 * does. */
static void a_lock_of_another_user_is_no_obstacle_once_it_is_over(void **state) {
    static const char *const modes[] = {"644", "600"};
    (void)state;
    for (size_t i = 0; i < sizeof modes / sizeof *modes; i++) {
        char out_dir[16];
        snprintf(out_dir, sizeof out_dir, "mode%s", modes[i]);
        if (!open_to_another_user(out_dir))
            return;
        command_result r = command_run(
            "cd %s && echo process 1 on a >run.lock && cp run.lock checkpoints && chmod %s run.lock "
            "checkpoints/run.lock && flock run.lock flock . " AS_NOBODY
            "%s train --out-dir . --data ../text.txt --max-steps 4",
            out_dir, modes[i], DTRAIN);
        check(&r, 2, (const char *const[]){"out_dir: . is in use by ", NULL});
        r = command_run("cd %s && " AS_NOBODY
                        "%s train --out-dir . --data ../text.txt --resume latest --max-steps 4",
                        out_dir, DTRAIN);
        check(&r, 0, (const char *const[]){"done after step 4", NULL});
        check_whole(out_dir);
    }
}

/* What a save and a repair that were killed have left goes at the next start, also when nothing is saved. */
static void the_next_start_cleans_up(void **state) {
    (void)state;
    copy_saved("litter");
    command_result r =
        command_run("cd litter && cp -a checkpoints/checkpoint_step_2 "
                    "checkpoints/.checkpoint_step_4.12345.tmp && ln -s x checkpoints/.latest.12345.tmp && "
                    "ln -s x checkpoints/.best.12345.tmp && mkdir checkpoints/.probe.12345.tmp && "
                    "cp metrics.jsonl metrics.jsonl.tmp");
    check(&r, 0, (const char *const[]){NULL});
    training_done(TRAINING_ALONE, 1, "litter", MODEL "--max-steps 2 --resume auto");
    training_no_leftovers("litter");
    check_going_on("litter");
    r = command_run("! ls litter/metrics.jsonl.tmp");
    check(&r, 0, (const char *const[]){NULL});
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_file_that_may_not_grow_stops_the_run),
        cmocka_unit_test(a_failed_save_may_be_a_warning),
        cmocka_unit_test(a_failed_last_save_is_no_warning),
        cmocka_unit_test(a_full_disk_stops_the_run),
        cmocka_unit_test(a_full_disk_of_lines_is_told_once),
        cmocka_unit_test(a_full_disk_at_the_start_asks_for_room),
        cmocka_unit_test(what_finds_no_room_leaves_nothing),
        cmocka_unit_test(a_disk_that_becomes_read_only_stops_the_run),
        cmocka_unit_test(a_folder_that_vanishes_is_made_anew),
        cmocka_unit_test(a_link_of_another_user_is_found_at_the_start),
        cmocka_unit_test(a_lock_of_another_user_is_no_obstacle_once_it_is_over),
        cmocka_unit_test(the_next_start_cleans_up)};
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
