/*
 * Folders that rename() does not reach out of: a folder of checkpoints that is a mount of its own, as a
 * volume of a container, and what lies on the lower layer of an overlay, as in a container's image. What a
 * run would write over is kept all the same, and where it cannot be kept all of it stays as it was.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

#define TRAIN DTRAIN " train " TRAINING_MODEL "--log-cadence 1000 --checkpoint-cadence 2 "

static int set_up(void **state) {
    training_set_up(state);
    training_done(TRAINING_ALONE, 1, "saved", TRAINING_MODEL "--checkpoint-cadence 2 --max-steps 4");
    return 0;
}

/* Runs shell commands that may mount what no other process sees. False, with a word, where this is not
 * allowed.
 */
static bool mounting(const char *commands, command_result *result) {
    command_result may = command_run("unshare -m true");
    const bool allowed = may.exit_code == 0;
    command_free(&may);
    if (allowed)
        *result = command_run("unshare -m sh -ec '%s' 2>&1", commands);
    else
        print_message("skipped: mounting needs more rights\n");
    return allowed;
}

static void expect(command_result *r, int exit_code, const char *const *words) {
    if (r->exit_code != exit_code)
        fail_msg("expected exit code %d, found %d: %s", exit_code, r->exit_code, r->out);
    for (; *words; words++)
        command_says(r, *words);
    command_free(r);
}

/* A volume at checkpoints/ keeps what it holds within: a folder beside it would be on another disk. */
static void a_volume_keeps_its_own(void **state) {
    (void)state;
    command_result r;
    if (!mounting("mkdir -p volume run/checkpoints; mount --bind volume run/checkpoints; " TRAIN
                  "--max-steps 4 --out-dir run; " TRAIN
                  "--max-steps 6 --out-dir run --resume run/checkpoints/checkpoint_step_2; " TRAIN
                  "--max-steps 2 --out-dir run; cd volume; ls -d */checkpoint_step_* checkpoint_step_*; "
                  "readlink latest; ls ../run | tr \"\\n\" \" \"",
                  &r))
        return;
    expect(&r, 0,
           (const char *const[]){"after 2 in run/checkpoints is now in run/checkpoints/checkpoints.1\n",
                                 "of run/checkpoints are now in run/checkpoints/checkpoints.2\n",
                                 "checkpoint_step_2\ncheckpoints.1/checkpoint_step_4\n"
                                 "checkpoints.2/checkpoint_step_2\ncheckpoints.2/checkpoint_step_4\n"
                                 "checkpoints.2/checkpoint_step_6\n",
                                 "\ncheckpoint_step_2\n",
                                 "checkpoints metrics.jsonl metrics.jsonl.1 metrics.jsonl.2 ", NULL});
}

/* Makes m/run of saved/, below a layer that takes what is changed. */
#define OVERLAY                                                                                              \
    "mkdir t; mount -t tmpfs tmpfs t; mkdir t/lower t/upper t/work t/m; cp -a saved t/lower/run; mount -t "  \
    "overlay -o lowerdir=t/lower,upperdir=t/upper,workdir=t/work overlay t/m; cp text.txt t; cd t/m; "       \
    "ln -s ../text.txt text.txt; "

/* What an image holds is moved by a copy, and the checkpoints that need not stay go. */
static void what_an_image_holds_is_kept_and_removed(void **state) {
    (void)state;
    command_result r;
    if (!mounting(OVERLAY TRAIN
                  "--max-steps 6 --out-dir run --resume run/checkpoints/checkpoint_step_2; " DTRAIN
                  " verify run/checkpoints.1/checkpoint_step_4; " TRAIN
                  "--max-steps 8 --out-dir run --resume latest --keep-last 1; "
                  "ls -A run/checkpoints | tr \"\\n\" \" \"; ls -A run/checkpoints.1",
                  &r))
        return;
    expect(&r, 0,
           (const char *const[]){"checkpoint_step_4: whole; ",
                                 "\ncheckpoint_step_8 latest checkpoint_step_4\n", NULL});
}

/* The checkpoints could be moved and the metrics, a mount, cannot: the run is refused, and all is as it was.
 */
static void a_refused_run_changes_nothing(void **state) {
    (void)state;
    command_result r;
    static const char *const flags[] = {"", "--resume run/checkpoints/checkpoint_step_2"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        char commands[2048];
        snprintf(commands, sizeof commands,
                 "rm -rf run file; cp -a saved run; cp run/metrics.jsonl file; mount --bind file "
                 "run/metrics.jsonl; (cd run; find . | sort; ls -l checkpoints/latest) >before; " TRAIN
                 "--max-steps 6 --out-dir run %s || echo refused; (cd run; find . | sort; ls -l "
                 "checkpoints/latest) >after; cmp before after; cmp file saved/metrics.jsonl",
                 flags[i]);
        if (!mounting(commands, &r))
            return;
        expect(&r, 0, (const char *const[]){"metrics.jsonl: Device or resource busy", "refused", NULL});
    }
}

/* A folder for TensorBoard's files that cannot be written to is found before anything is moved, and in a
 * rehearsal too. */
static void a_folder_of_events_that_is_read_only_changes_nothing(void **state) {
    (void)state;
    command_result r;
    static const char *const flags[] = {"--out-dir run", "--resume run/checkpoints/checkpoint_step_2",
                                        "--out-dir run --dry-run", "--out-dir new"};
    for (size_t i = 0; i < sizeof flags / sizeof *flags; i++) {
        char commands[2048];
        snprintf(commands, sizeof commands,
                 "rm -rf run new; cp -a saved run; mkdir run/tensorboard new new/tensorboard; "
                 "mount -t tmpfs -o ro tmpfs run/tensorboard; mount -t tmpfs -o ro tmpfs new/tensorboard; "
                 "find run new | sort >before; " TRAIN "--max-steps 6 --tensorboard %s || echo refused; "
                 "find run new | sort >after; cmp before after",
                 flags[i]);
        if (!mounting(commands, &r))
            return;
        expect(&r, 0,
               (const char *const[]){
                   "dtrain: error: tensorboard: cannot write in ",
                   "/tensorboard: Read-only file system; move it away, or set tensorboard: false", "refused",
                   NULL});
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_volume_keeps_its_own), cmocka_unit_test(what_an_image_holds_is_kept_and_removed),
        cmocka_unit_test(a_refused_run_changes_nothing),
        cmocka_unit_test(a_folder_of_events_that_is_read_only_changes_nothing)};
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
