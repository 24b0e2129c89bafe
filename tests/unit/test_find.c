/* --resume auto: of several checkpoints, some damaged, the newest whole one, and never a silent choice. */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/checkpoint.h"
#include "checkpoint/metadata.h"
#include "checkpoint/tokenizer_files.h"

static tiny *t;

/* Checkpoints of the steps 3, 20 and 100, the last of them the latest. */
static int set_up(void **state) {
    (void)state;
    const int64_t steps[] = {3, 20, 100};
    t = tiny_make();
    for (int i = 0; i < 3; i++) {
        tiny_advance(t, steps[i], 1);
        if (tiny_save(t, NULL) != DT_OK)
            return 1;
    }
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    tiny_free(t);
    return 0;
}

/* Turns the last bit of a file of the checkpoint of `step`. */
static void damage(int64_t step, const char *name) {
    char *file = NULL;
    size_t length;
    assert_true(asprintf(&file, "%s/checkpoint_step_%" PRId64 "/%s", t->folder, step, name) > 0);
    char *bytes = scratch_get(file, &length);
    bytes[length - 1] ^= 1;
    scratch_put(file, bytes, length);
    free(bytes);
    free(file);
}

/* Expects auto to take the checkpoint of `step`, and to print each of `words` on standard error. */
static void expect_auto(int64_t step, const char *const *words) {
    char *found = NULL, *expected = NULL, *captured = dt_file_join(t->scratch, "stderr"), *text;
    size_t length;
    const int kept = dup(STDERR_FILENO);
    assert_non_null(freopen(captured, "w", stderr));
    const dt_status status = dt_checkpoint_find(t->folder, "auto", &found);
    fflush(stderr);
    assert_true(dup2(kept, STDERR_FILENO) >= 0 && close(kept) == 0);
    assert_int_equal(status, DT_OK);
    assert_true(asprintf(&expected, "%s/checkpoint_step_%" PRId64, t->folder, step) > 0);
    assert_string_equal(found, expected);
    text = scratch_get(captured, &length);
    for (; *words != NULL; words++)
        if (strstr(text, *words) == NULL)
            fail_msg("expected \"%s\" in: %s", *words, text);
    free(text);
    free(captured);
    free(expected);
    free(found);
}

/* The oldest one is left when a tensor of the newest and a text of the middle one are damaged; each is named
 * with its reason. The other forms refuse only. */
static void damaged_ones_are_refused_by_name(void **state) {
    (void)state;
    char *found = NULL;
    damage(100, DT_CHECKPOINT_OPTIMIZER);
    expect_auto(20,
                (const char *const[]){"checkpoint_step_100/optimizer.safetensors is damaged: the data of "
                                      "tensor exp_avg_sq.ln_f.bias",
                                      "latest is refused; going on from the newest older checkpoint", NULL});
    damage(20, DT_CHECKPOINT_CONFIG);
    expect_auto(3, (const char *const[]){"checkpoint_step_100/optimizer.safetensors is damaged",
                                         "checkpoint_step_20/config.json is damaged", NULL});
    assert_int_equal(dt_checkpoint_find(t->folder, "latest", &found), DT_OK);
    assert_non_null(strstr(found, "checkpoint_step_100"));
    free(found);
}

/* Nothing whole: that is a failure and no fresh start, which would lose what might be mended. */
static void none_whole_is_a_failure(void **state) {
    (void)state;
    char *found = NULL;
    damage(3, DT_CHECKPOINT_MODEL);
    damage(20, DT_TOKENIZER_FILES_JSON);
    damage(100, DT_CHECKPOINT_METADATA);
    assert_int_equal(dt_checkpoint_find(t->folder, "auto", &found), DT_FAILED);
    assert_null(found);
    assert_non_null(strstr(dt_error(), "found 3 and none of them whole"));
}

/* A run that went back to step 20 has left step 100 behind: that is no older one. */
static void newer_ones_are_not_taken(void **state) {
    (void)state;
    char *latest = dt_file_join(t->folder, "latest");
    assert_int_equal(unlink(latest), 0);
    assert_int_equal(symlink("checkpoint_step_20", latest), 0);
    expect_auto(20, (const char *const[]){NULL});
    damage(20, DT_CHECKPOINT_MODEL);
    expect_auto(3, (const char *const[]){"checkpoint_step_20/model.safetensors is damaged", NULL});
    free(latest);
}

/* Without the link, or with one to itself, all steps count; a damaged newest one is refused then too. */
static void without_a_link_all_count(void **state) {
    (void)state;
    char *latest = dt_file_join(t->folder, "latest");
    assert_int_equal(unlink(latest), 0);
    expect_auto(100, (const char *const[]){"latest is missing", NULL});
    assert_int_equal(symlink("latest", latest), 0);
    expect_auto(100, (const char *const[]){"latest leads to no checkpoint", NULL});
    damage(100, DT_CHECKPOINT_METADATA);
    expect_auto(20, (const char *const[]){"checkpoint_step_100/metadata.json is damaged", NULL});
    free(latest);
}

/* What only has a checkpoint's name, a file or a folder of somebody's, is no reason to refuse a start. */
static void what_only_has_the_name_is_none(void **state) {
    (void)state;
    char *found = NULL, *file = dt_file_join(t->folder, "checkpoint_step_200");
    char *folder = dt_file_join(t->folder, "checkpoint_step_300");
    assert_int_equal(dt_file_remove_tree(t->folder), DT_OK);
    assert_int_equal(dt_file_make_folder(folder), DT_OK);
    scratch_put(file, "mine", 4);
    assert_int_equal(dt_checkpoint_find(t->folder, "auto", &found), DT_OK);
    assert_null(found);
    free(folder);
    free(file);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(damaged_ones_are_refused_by_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(none_whole_is_a_failure, set_up, tear_down),
        cmocka_unit_test_setup_teardown(newer_ones_are_not_taken, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_only_has_the_name_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_link_all_count, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
