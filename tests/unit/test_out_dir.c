/* What a run finds where it is to write: a fresh one keeps what another left, and none starts in a place it
 * cannot use. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/scratch.h"
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

static void prepare(bool fresh) {
    if (dt_out_dir_prepare(&claim, &config, "run/checkpoints", fresh) != DT_OK)
        fail_msg("%s", dt_error());
}

/* A run of another time: metrics and one checkpoint that hold `text`. */
static void leave_run(const char *text) {
    assert_int_equal(dt_file_make_folder("run/checkpoints/checkpoint_step_4"), DT_OK);
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
    prepare(true);
    assert_true(dt_file_is_folder("run/checkpoints"));
    leave_run("first");
    prepare(true);
    assert_false(dt_file_exists("run/metrics.jsonl"));
    assert_false(dt_file_exists("run/checkpoints/checkpoint_step_4"));
    leave_run("second");
    prepare(true);
    expect_text("run/metrics.jsonl.1", "first");
    expect_text("run/checkpoints.1/checkpoint_step_4/file", "first");
    expect_text("run/metrics.jsonl.2", "second");
    expect_text("run/checkpoints.2/checkpoint_step_4/file", "second");
}

/* A run that resumes finds its files where it left them. */
static void resumed_runs_find_their_files(void **state) {
    (void)state;
    leave_run("mine");
    prepare(false);
    expect_text("run/metrics.jsonl", "mine");
    expect_text("run/checkpoints/checkpoint_step_4/file", "mine");
    assert_false(dt_file_exists("run/metrics.jsonl.1"));
}

/* Nothing is left of the trial. */
static void the_trial_leaves_nothing(void **state) {
    (void)state;
    char **names;
    size_t count;
    prepare(true);
    assert_int_equal(dt_file_list("run/checkpoints", &names, &count), DT_OK);
    assert_int_equal(count, 0);
    dt_file_free_names(names, count);
}

static void expect_refusal(const char *sentence) {
    assert_int_equal(dt_out_dir_prepare(&claim, &config, "run/checkpoints", false), DT_USAGE);
    if (strstr(dt_error(), sentence) == NULL)
        fail_msg("expected \"%s\" in \"%s\"", sentence, dt_error());
}

/* Two runs with one out_dir, or with one checkpoint_dir, do not begin; when the first lets go, the other may.
 */
static void a_second_run_is_kept_out(void **state) {
    (void)state;
    dt_out_dir_claim other = {0};
    prepare(true);
    leave_run("first");
    assert_int_equal(dt_out_dir_prepare(&other, &config, "run/checkpoints", true), DT_USAGE);
    assert_non_null(strstr(dt_error(), "out_dir: run is in use by process "));
    expect_text("run/metrics.jsonl", "first"); /* not moved away under the run that has it */
    dt_out_dir_release(&claim);
    assert_false(dt_file_exists("run/run.lock"));

    assert_int_equal(dt_config_set(&config, "checkpoint_dir", "shared", "test"), DT_OK);
    assert_int_equal(dt_out_dir_prepare(&claim, &config, "shared", true), DT_OK);
    assert_int_equal(dt_config_set(&config, "out_dir", "elsewhere", "test"), DT_OK);
    assert_int_equal(dt_out_dir_prepare(&other, &config, "shared", true), DT_USAGE);
    assert_non_null(strstr(dt_error(), "checkpoint_dir: shared is in use by process "));
    dt_out_dir_release(&claim);
    assert_int_equal(dt_out_dir_prepare(&other, &config, "shared", true), DT_OK);
    dt_out_dir_release(&other);
    assert_false(dt_file_exists("shared.lock"));
}

static void unusable_places_are_named(void **state) {
    (void)state;
    assert_int_equal(dt_file_make_folder("run/checkpoints/latest"), DT_OK);
    expect_refusal("out_dir: expected run/checkpoints/latest to be a symbolic link to the newest checkpoint");
    assert_int_equal(dt_file_remove_tree("run"), DT_OK);
    scratch_put("run", "x", 1);
    expect_refusal("out_dir: cannot make folder run");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(fresh_runs_keep_what_was_there, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resumed_runs_find_their_files, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_trial_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_second_run_is_kept_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(unusable_places_are_named, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
