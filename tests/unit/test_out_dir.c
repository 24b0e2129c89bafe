/* What a run finds where it is to write: a fresh one keeps what another left, and none starts in a place it
 * cannot use. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/mount.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/checkpoint.h"
#include "support/sentence.h"
#include "train/out_dir.h"

static char *folder;
static dt_config config;
static dt_out_dir_claim claim;

static int set_up(void **state) {
    (void)state;
    folder = scratch_make();
    dt_config_init(&config);
    dt_log_open(false, false);
    return chdir(folder) == 0 && dt_config_set(&config, "out_dir", "run", "test") == DT_OK ? 0 : 1;
}

static int tear_down(void **state) {
    (void)state;
    dt_out_dir_release(&claim);
    dt_config_free(&config);
    if (chdir("/") != 0)
        return 1;
    scratch_remove(folder);
    return 0;
}

static void prepare(int64_t resume_step) {
    assert_done(dt_out_dir_prepare(&claim, &config, "run/checkpoints", resume_step));
}

/* A checkpoint, as far as names go. */
static void make_checkpoint(const char *path) {
    char *metadata = dt_file_join(path, "metadata.json");
    assert_done(dt_file_make_folder(path));
    scratch_put(metadata, "{}", 2);
    free(metadata);
}

/* A run of another time: metrics and one checkpoint that hold `text`. */
static void leave_run(const char *text) {
    make_checkpoint("run/checkpoints/checkpoint_step_4");
    scratch_put("run/metrics.jsonl", text, strlen(text));
    scratch_put("run/checkpoints/checkpoint_step_4/file", text, strlen(text));
}

static void expect_text(const char *path, const char *text) {
    size_t length;
    char *found = scratch_get(path, &length);
    assert_string_equal(found, text);
    free(found);
}

/* Each fresh run finds an empty place, and everything of those before it stands under a number. */
static void fresh_runs_keep_what_was_there(void **state) {
    (void)state;
    prepare(DT_OUT_DIR_FRESH);
    assert_true(dt_file_is_folder("run/checkpoints"));
    leave_run("first");
    assert_int_equal(symlink("checkpoint_step_4", "run/checkpoints/latest"), 0);
    prepare(DT_OUT_DIR_FRESH);
    assert_false(dt_file_exists("run/metrics.jsonl"));
    assert_false(dt_file_exists("run/checkpoints/checkpoint_step_4"));
    assert_false(dt_file_is_there("run/checkpoints/latest"));
    leave_run("second");
    prepare(DT_OUT_DIR_FRESH);
    expect_text("run/metrics.jsonl.1", "first");
    expect_text("run/checkpoints.1/latest/file", "first");
    expect_text("run/metrics.jsonl.2", "second");
    expect_text("run/checkpoints.2/checkpoint_step_4/file", "second");
    assert_true(dt_file_exists("run/checkpoints/run.lock")); /* where it was taken */
}

/* TensorBoard's files of another run go by the same number; what else is called so is not a run's. */
static void fresh_runs_keep_event_files(void **state) {
    (void)state;
    static const char name[] = "run/tensorboard/events.out.tfevents.1000000000.host.run";
    leave_run("first");
    assert_done(dt_file_make_folder("run/tensorboard"));
    prepare(DT_OUT_DIR_FRESH);
    assert_true(dt_file_is_folder("run/tensorboard"));
    scratch_put(name, "events", 6);
    prepare(DT_OUT_DIR_FRESH);
    assert_false(dt_file_is_there("run/tensorboard"));
    expect_text("run/tensorboard.2/events.out.tfevents.1000000000.host.run", "events");
    assert_done(dt_file_make_folder("run/tensorboard"));
    scratch_put(name, "more", 4);
    prepare(4);
    expect_text(name, "more");
}

/* What was a link goes on being one; what it led to is kept beside its own place. */
static void fresh_runs_follow_links(void **state) {
    (void)state;
    assert_done(dt_file_make_folder("disk/checkpoints"));
    assert_done(dt_file_make_folder("run"));
    assert_int_equal(symlink("../disk/checkpoints", "run/checkpoints"), 0);
    assert_int_equal(symlink("../disk/lines", "run/metrics.jsonl"), 0);
    prepare(DT_OUT_DIR_FRESH);
    leave_run("first");
    prepare(DT_OUT_DIR_FRESH);
    expect_text("disk/lines.1", "first");
    expect_text("disk/checkpoints.1/checkpoint_step_4/file", "first");
    leave_run("second");
    expect_text("disk/lines", "second");
    expect_text("disk/checkpoints/checkpoint_step_4/file", "second");
}

/* A run that resumes finds its files where it left them. */
static void resumed_runs_find_their_files(void **state) {
    (void)state;
    leave_run("{\"step\":4}\n");
    prepare(4);
    expect_text("run/metrics.jsonl", "{\"step\":4}\n");
    expect_text("run/checkpoints/checkpoint_step_4/file", "{\"step\":4}\n");
    assert_false(dt_file_exists("run/metrics.jsonl.1"));
    assert_false(dt_file_exists("run/checkpoints.1"));
}

/* One that goes back finds what was done later beside its files, whole, and latest names what is left. */
static void what_is_taken_back_is_kept(void **state) {
    (void)state;
    leave_run("{\"step\":4}\n{\"step\":5}\n{\"step\":9}\n");
    make_checkpoint("run/checkpoints/checkpoint_step_9");
    make_checkpoint("run/checkpoints/checkpoint_step_10");
    assert_int_equal(symlink("checkpoint_step_10", "run/checkpoints/latest"), 0);
    /* The file itself is mended, not the link to it. */
    assert_int_equal(rename("run/metrics.jsonl", "lines"), 0);
    assert_int_equal(symlink("../lines", "run/metrics.jsonl"), 0);
    prepare(4);
    expect_text("lines", "{\"step\":4}\n");
    expect_text("run/metrics.jsonl", "{\"step\":4}\n");
    char *real = realpath("lines.1", NULL);
    expect_text(real, "{\"step\":5}\n{\"step\":9}\n");
    free(real);
    assert_true(dt_file_is_folder("run/checkpoints.1/checkpoint_step_9"));
    assert_true(dt_file_is_folder("run/checkpoints.1/checkpoint_step_10"));
    assert_true(dt_file_is_folder("run/checkpoints/checkpoint_step_4"));
    assert_false(dt_file_exists("run/checkpoints/checkpoint_step_9"));
    expect_link("run/checkpoints/latest", "checkpoint_step_4");
    prepare(3); /* nothing is left before it */
    assert_false(dt_file_is_there("run/checkpoints/latest"));
    assert_true(dt_file_is_folder("run/checkpoints.2/checkpoint_step_4"));
}

/* What only has a checkpoint's name stays where it is, and latest never leads there. */
static void what_only_has_the_name_stays(void **state) {
    (void)state;
    leave_run("{\"step\":4}\n{\"step\":9}\n");
    make_checkpoint("run/checkpoints/checkpoint_step_9");
    assert_done(dt_file_make_folder("run/checkpoints/checkpoint_step_5/notes"));
    scratch_put("run/checkpoints/checkpoint_step_8", "mine", 4);
    assert_int_equal(symlink("checkpoint_step_9", "run/checkpoints/latest"), 0);
    prepare(6);
    expect_link("run/checkpoints/latest", "checkpoint_step_4");
    prepare(DT_OUT_DIR_FRESH);
    assert_true(dt_file_is_folder("run/checkpoints/checkpoint_step_5/notes"));
    expect_text("run/checkpoints/checkpoint_step_8", "mine");
    assert_true(dt_file_is_folder("run/checkpoints.1/checkpoint_step_9"));
    assert_true(dt_file_is_folder("run/checkpoints.2/checkpoint_step_4"));
}

/* Nothing is left of the trial but the lock. */
static void the_trial_leaves_nothing(void **state) {
    (void)state;
    char **names;
    size_t count;
    prepare(DT_OUT_DIR_FRESH);
    assert_int_equal(dt_file_list("run/checkpoints", &names, &count), DT_OK);
    assert_int_equal(count, 1);
    assert_string_equal(names[0], "run.lock");
    dt_file_free_names(names, count);
}

static void expect_refusal(const char *sentence) {
    assert_int_equal(dt_out_dir_prepare(&claim, &config, "run/checkpoints", 0), DT_USAGE);
    if (strstr(dt_error(), sentence) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", sentence, dt_error());
}

/* The folders of `config` with checkpoints in `checkpoint_dir`, or by the default where that is NULL, are
 * kept from a run that comes second. */
static void expect_kept_out(const char *out_dir, const char *checkpoint_dir, const char *sentence) {
    dt_config second;
    dt_out_dir_claim other = {0};
    char *folder_of_checkpoints =
        checkpoint_dir ? strdup(checkpoint_dir) : dt_file_join(out_dir, "checkpoints");
    dt_config_init(&second);
    assert_done(dt_config_set(&second, "out_dir", out_dir, "test"));
    if (checkpoint_dir)
        assert_done(dt_config_set(&second, "checkpoint_dir", checkpoint_dir, "test"));
    assert_int_equal(dt_out_dir_prepare(&other, &second, folder_of_checkpoints, DT_OUT_DIR_FRESH), DT_USAGE);
    if (strstr(dt_error(), sentence) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", sentence, dt_error());
    dt_out_dir_release(&other);
    dt_config_free(&second);
    free(folder_of_checkpoints);
    expect_text("run/metrics.jsonl", "first"); /* not moved away under the run that has it */
    expect_text("run/checkpoints/checkpoint_step_4/file", "first");
}

/* However the second run comes by a folder that the first one writes to. */
static void a_second_run_is_kept_out(void **state) {
    (void)state;
    char here[PATH_MAX], absolute[PATH_MAX + 32];
    prepare(DT_OUT_DIR_FRESH);
    leave_run("first");
    assert_non_null(getcwd(here, sizeof here));
    snprintf(absolute, sizeof absolute, "%s/run/checkpoints", here);
    assert_int_equal(symlink("run/checkpoints", "link"), 0);
    assert_int_equal(symlink("run", "other_run"), 0);
    assert_done(dt_file_make_folder("third"));
    assert_int_equal(symlink("../run/checkpoints", "third/checkpoints"), 0);
    expect_kept_out("run", NULL, "out_dir: run is in use by process ");
    expect_kept_out("./run/", NULL, "out_dir: ./run/ is in use by process ");
    expect_kept_out("other_run", NULL, "out_dir: other_run is in use by process ");
    expect_kept_out("elsewhere", "run/checkpoints", "checkpoint_dir: run/checkpoints is in use by process ");
    expect_kept_out("elsewhere", absolute, "checkpoint_dir: /");
    expect_kept_out("elsewhere", "link", "checkpoint_dir: link is in use by process ");
    expect_kept_out("elsewhere", "run/../run//checkpoints/.", "is in use by process ");
    expect_kept_out("elsewhere", "run", "checkpoint_dir: run is in use by process ");
    expect_kept_out("run/checkpoints", NULL, "out_dir: run/checkpoints is in use by process ");
    expect_kept_out("third", NULL, "out_dir: third/checkpoints is in use by process ");
    /* Nor does it leave anything there. */
    assert_false(dt_file_is_there("elsewhere"));
    assert_false(dt_file_is_there("run/checkpoints/checkpoints"));
    dt_out_dir_release(&claim);
    assert_false(dt_file_exists("run/run.lock"));
    assert_false(dt_file_exists("run/checkpoints/run.lock"));
    prepare(DT_OUT_DIR_FRESH);
}

/* A folder that is both does not keep its own run out. */
static void one_folder_may_be_both(void **state) {
    (void)state;
    assert_done(dt_config_set(&config, "checkpoint_dir", "./run", "test"));
    make_checkpoint("run/checkpoint_step_4");
    scratch_put("run/metrics.jsonl", "first", 5);
    assert_done(dt_out_dir_claim_existing(&claim, &config, "./run"));
    assert_done(dt_out_dir_prepare(&claim, &config, "./run", DT_OUT_DIR_FRESH));
    assert_true(dt_file_is_folder("run.1/checkpoint_step_4"));
    expect_text("run/metrics.jsonl.1", "first");
    assert_true(dt_file_exists("run/run.lock"));
    dt_out_dir_release(&claim);
    assert_false(dt_file_exists("run/run.lock"));
}

/* A mount is another name of the same folder. */
static void a_mount_does_not_lead_around_the_lock(void **state) {
    (void)state;
    assert_done(dt_file_make_folder("mounted"));
    prepare(DT_OUT_DIR_FRESH);
    leave_run("first");
    if (mount("run/checkpoints", "mounted", NULL, MS_BIND, NULL) != 0) {
        print_message("skipped: mounting a folder needs more rights\n");
        skip();
    }
    expect_kept_out("elsewhere", "mounted", "checkpoint_dir: mounted is in use by process ");
    assert_int_equal(umount2("mounted", MNT_DETACH), 0);
}

/* Run "mine" is to go on from its step 4 in these folders: as the run `own`, unless refused by `sentence`. */
static void expect_run(const char *out_dir, const char *checkpoint_dir, const char *folder_of_checkpoints,
                       const char *own, const char *sentence) {
    dt_config mine;
    char found[DT_RUN_ID_BYTES] = "unknown";
    dt_config_init(&mine);
    assert_done(dt_config_set(&mine, "out_dir", out_dir, "test"));
    if (checkpoint_dir)
        assert_done(dt_config_set(&mine, "checkpoint_dir", checkpoint_dir, "test"));
    const dt_status status =
        dt_out_dir_find_run(&mine, folder_of_checkpoints, "mine", 4, "my/checkpoint_step_4", found);
    if (sentence)
        assert_refused(status, sentence);
    else {
        assert_done(status);
        assert_string_equal(found, own);
    }
    dt_config_free(&mine);
}

static void put_lines(const char *out_dir, const char *text) {
    char path[64];
    assert_done(dt_file_make_folder(out_dir));
    snprintf(path, sizeof path, "%s/metrics.jsonl", out_dir);
    scratch_put(path, text, strlen(text));
}

/* A run goes on in its own folders, not in those of another; in empty ones another run begins. */
static void another_runs_folders_are_refused(void **state) {
    (void)state;
    tiny *t = tiny_make();
    strcpy(t->about.run_id, "theirs");
    assert_done(dt_file_make_folder("theirs"));
    assert_done(dt_file_make_folder("mine"));
    assert_done(tiny_save_in(t, "theirs/checkpoints", NULL));
    strcpy(t->about.run_id, "mine");
    assert_done(tiny_save_in(t, "mine/checkpoints", NULL));
    tiny_free(t);
    put_lines("lines", "{\"event\":\"run\",\"run_id\":\"theirs\"}\n");
    expect_run("new", NULL, "new/checkpoints", "", NULL);
    expect_run("mine", NULL, "mine/checkpoints", "mine", NULL);
    expect_run(
        "theirs", NULL, "theirs/checkpoints", NULL,
        "cannot resume: my/checkpoint_step_4 is a checkpoint of run mine, but theirs/checkpoints holds run "
        "theirs, which it would overwrite; name another folder with --out-dir (a new one, or that of run "
        "mine), go on with run theirs by --resume auto, or leave --resume out: then a new run starts there, "
        "and what is there is kept beside it");
    expect_run(
        "new", "theirs/checkpoints", "theirs/checkpoints", NULL,
        "cannot resume: my/checkpoint_step_4 is a checkpoint of run mine, but theirs/checkpoints holds run "
        "theirs, which it would overwrite; name another folder with --checkpoint-dir (a new one, or that "
        "of run mine), go on with run theirs by --resume auto, or leave --resume out: then a new run starts "
        "there, and what is there is kept beside it");
    expect_run(
        "lines", NULL, "lines/checkpoints", NULL,
        "cannot resume: my/checkpoint_step_4 is a checkpoint of run mine, but lines holds run theirs, "
        "which it would overwrite; name another folder with --out-dir (a new one, or that of run mine), go "
        "on with run theirs by --resume auto, or leave --resume out: then a new run starts there, and what "
        "is there is kept beside it");
}

/* One that has begun from this checkpoint and was killed before its first save goes on under its name; from
 * any other checkpoint it would be a mixture. */
static void a_run_that_began_there_goes_on(void **state) {
    (void)state;
    put_lines("began",
              "{\"event\":\"run\",\"run_id\":\"child\",\"parent_run_id\":\"mine\",\"start_step\":4}\n");
    put_lines("later",
              "{\"event\":\"run\",\"run_id\":\"child\",\"parent_run_id\":\"mine\",\"start_step\":6}\n");
    put_lines("cousin",
              "{\"event\":\"run\",\"run_id\":\"child\",\"parent_run_id\":\"yours\",\"start_step\":4}\n");
    expect_run("began", NULL, "began/checkpoints", "child", NULL);
    expect_run(
        "later", NULL, "later/checkpoints", NULL,
        "cannot resume: my/checkpoint_step_4 is a checkpoint of run mine, but later holds run child, which it would overwrite; name another folder with --out-dir (a new one, or that of run mine), go on with run child by --resume auto, or leave --resume out: then a new run starts there, and what is there is kept beside it");
    expect_run(
        "cousin", NULL, "cousin/checkpoints", NULL,
        "cannot resume: my/checkpoint_step_4 is a checkpoint of run mine, but cousin holds run child, which it would overwrite; name another folder with --out-dir (a new one, or that of run mine), go on with run child by --resume auto, or leave --resume out: then a new run starts there, and what is there is kept beside it");
}

/* A tree that was copied with its links resolved: latest and best are links again, and no copy is lost. */
static void copied_links_become_links_again(void **state) {
    (void)state;
    tiny *t = tiny_make();
    tiny_advance(t, 4, 1);
    assert_done(dt_file_make_folder("run"));
    assert_done(tiny_save_in(t, "run/checkpoints", NULL));
    assert_int_equal(unlink("run/checkpoints/latest"), 0);
    assert_int_equal(rename("run/checkpoints/checkpoint_step_4", "run/checkpoints/best"), 0);
    tiny_advance(t, 6, 1);
    assert_done(tiny_save_in(t, "run/checkpoints", NULL));
    assert_int_equal(unlink("run/checkpoints/latest"), 0);
    assert_int_equal(rename("run/checkpoints/checkpoint_step_6", "run/checkpoints/latest"), 0);
    assert_done(tiny_save_in(t, "run/checkpoints", NULL));
    assert_true(dt_file_is_folder("run/checkpoints/latest"));
    tiny_free(t);
    prepare(6);
    expect_link("run/checkpoints/latest", "checkpoint_step_6");
    expect_link("run/checkpoints/best", "checkpoint_step_4");
    expect_verified("run/checkpoints/latest.1");
    expect_verified("run/checkpoints/checkpoint_step_6");
    expect_verified("run/checkpoints/checkpoint_step_4");
}

static void unusable_places_are_named(void **state) {
    (void)state;
    assert_int_equal(dt_file_make_folder("run/checkpoints/latest"), DT_OK);
    expect_refusal("out_dir: expected run/checkpoints/latest to be a symbolic link to a checkpoint");
    assert_int_equal(rename("run/checkpoints/latest", "run/checkpoints/best"), 0);
    expect_refusal("out_dir: expected run/checkpoints/best to be a symbolic link to a checkpoint");
    dt_out_dir_release(&claim);
    assert_int_equal(dt_file_remove_tree("run"), DT_OK);
    scratch_put("run", "x", 1);
    expect_refusal("out_dir: cannot make folder run: it, or a folder above it, is a file");
    assert_int_equal(unlink("run"), 0);
    assert_int_equal(symlink("disk/run", "run"), 0);
    expect_refusal(
        "out_dir: cannot make folder run: run is a link to disk/run, which does not exist (is its disk "
        "mounted?)");
}

/* A path into which a folder still fits, but not the files of a checkpoint, is found before step 1. */
static void a_path_too_long_for_a_checkpoint_is_refused(void **state) {
    static const size_t lengths[] = {3900, 4030};
    (void)state;
    for (size_t i = 0; i < 2; i++) {
        char path[PATH_MAX] = "run";
        while (strlen(path) + 101 < lengths[i])
            snprintf(path + strlen(path), sizeof path - strlen(path), "/%0100d", 0);
        snprintf(path + strlen(path), sizeof path - strlen(path), "/%0*d",
                 (int)(lengths[i] - strlen(path) - 1), 0);
        assert_int_equal(strlen(path), lengths[i]);
        const dt_status status = dt_out_dir_prepare(&claim, &config, path, DT_OUT_DIR_FRESH);
        assert_int_equal(status, i == 0 ? DT_OK : DT_USAGE);
        dt_out_dir_release(&claim);
        assert_int_equal(dt_file_remove_tree("run"), DT_OK); /* by a path that is short enough */
    }
    assert_non_null(strstr(dt_error(), "out_dir: expected a path of at most "));
    assert_non_null(strstr(
        dt_error(), " bytes, which leaves room for the names of a checkpoint's files, found 4030 bytes;"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fresh_runs_keep_what_was_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fresh_runs_keep_event_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(fresh_runs_follow_links, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resumed_runs_find_their_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_taken_back_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_only_has_the_name_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_trial_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_run_is_kept_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(one_folder_may_be_both, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_mount_does_not_lead_around_the_lock, set_up, tear_down),
        cmocka_unit_test_setup_teardown(another_runs_folders_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_run_that_began_there_goes_on, set_up, tear_down),
        cmocka_unit_test_setup_teardown(copied_links_become_links_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unusable_places_are_named, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_path_too_long_for_a_checkpoint_is_refused, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
