/*
 * Which checkpoints stay beside a new one, and which is the best. Renames go through a wrapper (see
 * tests/CMakeLists.txt) that fails the call of a chosen number: whatever fails, what has a checkpoint's name
 * is a whole checkpoint.
 */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/checkpoint.h"
#include "support/sentence.h"
#include "checkpoint/keep.h"
#include "checkpoint/path.h"

static int failing_call; /* 1 is the next one; 0 is none */

int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);

int __wrap_rename(const char *from, const char *to) {
    errno = EIO;
    return failing_call > 0 && --failing_call == 0 ? -1 : __real_rename(from, to);
}

static int set_up(void **state) {
    failing_call = 0;
    *state = tiny_make();
    return 0;
}

static int tear_down(void **state) {
    tiny_free(*state);
    return 0;
}

static void remove_step(const tiny *t, const char *name) {
    char *path = dt_file_join(t->folder, name);
    assert_done(dt_file_remove_tree(path));
    free(path);
}

/* What a saver does with one step. */
static dt_status save(tiny *t, dt_checkpoint_keep *keep, int64_t step, double val_loss) {
    tiny_advance(t, step, 1);
    t->about.val_loss = val_loss;
    DT_TRY(tiny_save(t, NULL));
    return dt_checkpoint_keep_after(keep, step, val_loss);
}

/* The steps that stand, each with all its files, and what best names, as "4 8 best 4". */
static void expect_steps(const tiny *t, const char *expected) {
    char **names, found[256] = "";
    size_t count;
    assert_done(dt_file_list(t->folder, &names, &count));
    for (size_t i = 0; i < count; i++) {
        dt_checkpoint_about about;
        const int64_t step = dt_checkpoint_path_step(names[i]);
        if (step < 0)
            continue;
        char *path = dt_file_join(t->folder, names[i]);
        assert_done(dt_checkpoint_verify(path, &about));
        dt_config_free(&about.config);
        free(path);
        sprintf(found + strlen(found), "%d ", (int)step);
    }
    dt_file_free_names(names, count);
    const int64_t best = dt_checkpoint_path_follow(t->folder, DT_CHECKPOINT_BEST);
    sprintf(found + strlen(found), best < 0 ? "no best" : "best %d", (int)best);
    assert_string_equal(found, expected);
}

static dt_checkpoint_keep open_keep(const tiny *t, int64_t last, int64_t every) {
    dt_checkpoint_keep keep;
    dt_checkpoint_about about = t->about;
    about.config.keep_last = last;
    about.config.keep_every = every;
    dt_checkpoint_keep_open(&keep, t->folder, &about);
    return keep;
}

static void save_steps(tiny *t, dt_checkpoint_keep *keep, int64_t first, int64_t end) {
    for (int64_t step = first; step < end; step++)
        assert_done(save(t, keep, step, DT_NULL_REAL));
}

/* The rule, row by row: all; the newest; the newest and every third. */
static void the_newest_and_every_so_many_stay(void **state) {
    tiny *t = *state;
    dt_checkpoint_keep all = open_keep(t, DT_NULL_INT, DT_NULL_INT);
    save_steps(t, &all, 1, 8);
    expect_steps(t, "1 2 3 4 5 6 7 no best");
    dt_checkpoint_keep thirds = open_keep(t, 2, 3);
    save_steps(t, &thirds, 8, 9);
    expect_steps(t, "3 6 7 8 no best");
    dt_checkpoint_keep one = open_keep(t, 1, DT_NULL_INT);
    save_steps(t, &one, 9, 10);
    expect_steps(t, "9 no best");
}

/* The lowest loss of those whose weights were evaluated; it stays however old it is. */
static void the_best_follows_the_lowest_loss(void **state) {
    tiny *t = *state;
    const double losses[] = {4.0, DT_NULL_REAL, 3.0, 3.5, INFINITY, 3.0, DT_NULL_REAL, 2.9};
    const char *const expected[] = {"1 best 1",   "1 2 best 1", "3 best 3",   "3 4 best 3",
                                    "3 5 best 3", "3 6 best 3", "3 7 best 3", "8 best 8"};
    dt_checkpoint_keep keep = open_keep(t, 1, DT_NULL_INT);
    for (int i = 0; i < 8; i++) {
        assert_done(save(t, &keep, i + 1, losses[i]));
        expect_steps(t, expected[i]);
    }
}

/* A run that goes on knows the best from the checkpoints themselves; when it comes to the best's step again
 * and finds another loss there, the best is chosen again from all that stand. */
static void a_resumed_run_knows_the_best(void **state) {
    tiny *t = *state;
    dt_checkpoint_keep keep = open_keep(t, DT_NULL_INT, DT_NULL_INT);
    assert_done(save(t, &keep, 1, 3.0));
    assert_done(save(t, &keep, 2, 2.0));
    assert_done(save(t, &keep, 3, 4.0));
    keep = open_keep(t, DT_NULL_INT, DT_NULL_INT);
    assert_int_equal(keep.best_step, 2);
    assert_true(keep.best_val_loss == 2.0);
    assert_done(save(t, &keep, 4, 2.5));
    expect_steps(t, "1 2 3 4 best 2");
    assert_done(save(t, &keep, 2, 2.75));
    expect_steps(t, "1 2 3 4 best 4");
    assert_done(save(t, &keep, 5, 2.625));
    expect_steps(t, "1 2 3 4 5 best 4");
}

/* Of what an evaluation is over, the number of windows or the text becomes another: the former best keeps the
 * link until there is a loss to compare, and its checkpoint for good. */
static void check_former_best(tiny *t, bool another_text) {
    dt_checkpoint_keep keep = open_keep(t, DT_NULL_INT, DT_NULL_INT);
    assert_done(save(t, &keep, 1, 1.5));
    assert_done(save(t, &keep, 2, 1.0));
    if (another_text)
        t->about.validation_hash++;
    else
        t->about.config.eval_max_windows = 7;
    keep = open_keep(t, 1, DT_NULL_INT);
    assert_true(isinf(keep.best_val_loss));
    assert_done(save(t, &keep, 3, DT_NULL_REAL));
    expect_steps(t, "2 3 best 2");
    assert_done(save(t, &keep, 4, 3.0));
    expect_steps(t, "2 4 best 4");
    keep = open_keep(t, 1, DT_NULL_INT);
    assert_true(keep.best_val_loss == 3.0);
    assert_done(save(t, &keep, 5, 2.0));
    assert_done(save(t, &keep, 6, 2.5));
    expect_steps(t, "2 5 6 best 5");
    assert_done(dt_file_remove_tree(t->folder));
}

static void losses_over_something_else_do_not_count(void **state) {
    tiny *t = *state;
    t->about.validation_hash = 0xfedcba9876543210;
    check_former_best(t, false);
    check_former_best(t, true);
    /* Of checkpoints from before it was written it may not be known: they count. */
    dt_checkpoint_keep keep = open_keep(t, DT_NULL_INT, DT_NULL_INT);
    t->about.validation_hash = 0;
    assert_done(dt_config_set(&t->about.config, "validation_data", "elsewhere", "test"));
    assert_done(save(t, &keep, 1, 1.5));
    t->about.validation_hash = 5;
    keep = open_keep(t, 1, DT_NULL_INT);
    assert_true(keep.best_val_loss == 1.5);
}

/* A folder that no save would have named so is no checkpoint of the run, and keeps none from going. */
static void other_names_are_left_alone(void **state) {
    tiny *t = *state;
    char *padded = dt_file_join(t->folder, "checkpoint_step_002");
    dt_checkpoint_keep keep = open_keep(t, 1, DT_NULL_INT);
    assert_done(save(t, &keep, 1, DT_NULL_REAL));
    assert_done(dt_file_make_folder(padded));
    save_steps(t, &keep, 3, 6);
    expect_steps(t, "5 no best");
    assert_true(dt_file_is_folder(padded));
    free(padded);
}

static void put_text(const tiny *t, const char *name, const char *text) {
    char *path = dt_file_join(t->folder, name);
    scratch_put(path, text, strlen(text));
    free(path);
}

static void expect_kept(const tiny *t, const char *name, const char *expected) {
    size_t length;
    char *path = dt_file_join(t->folder, name), *text = scratch_get(path, &length);
    assert_string_equal(text, expected);
    free(text);
    free(path);
}

/* A user's folder and a user's file of a checkpoint's name are none: neither is counted, removed or spoken
 * of. */
static void what_only_has_the_name_is_left_alone(void **state) {
    tiny *t = *state;
    char *folder = dt_file_join(t->folder, "checkpoint_step_3");
    dt_checkpoint_keep keep = open_keep(t, 2, DT_NULL_INT);
    assert_done(save(t, &keep, 1, DT_NULL_REAL));
    assert_done(dt_file_make_folder(folder));
    put_text(t, "checkpoint_step_3/notes", "mine");
    put_text(t, "checkpoint_step_4", "mine too");
    assert_done(save(t, &keep, 5, DT_NULL_REAL));
    expect_kept(t, "checkpoint_step_3/notes", "mine");
    for (int64_t step = 6; step < 9; step++)
        assert_done(save(t, &keep, step, DT_NULL_REAL));
    expect_kept(t, "checkpoint_step_3/notes", "mine");
    expect_kept(t, "checkpoint_step_4", "mine too");
    assert_done(dt_file_remove_tree(folder));
    remove_step(t, "checkpoint_step_4");
    expect_steps(t, "7 8 no best");
    free(folder);
}

/* A checkpoint whose removal did not come to its end goes with the next one. */
static void what_is_half_removed_goes(void **state) {
    tiny *t = *state;
    dt_checkpoint_keep keep = open_keep(t, DT_NULL_INT, DT_NULL_INT);
    save_steps(t, &keep, 1, 4);
    char *metadata = dt_file_join(t->folder, "checkpoint_step_2/metadata.json");
    char *mark = dt_file_join(t->folder, "checkpoint_step_2/metadata.json.removed");
    assert_done(dt_file_rename(metadata, mark));
    remove_step(t, "checkpoint_step_2/config.json");
    keep = open_keep(t, 1, DT_NULL_INT);
    assert_done(save(t, &keep, 4, DT_NULL_REAL));
    expect_steps(t, "4 no best");
    free(metadata);
    free(mark);
}

/* The best is replaced by one that is worse: the best of the others takes over before anything is removed,
 * and so it stays. */
static void the_next_best_outlives_the_best(void **state) {
    tiny *t = *state;
    dt_checkpoint_keep keep = open_keep(t, DT_NULL_INT, DT_NULL_INT);
    assert_done(save(t, &keep, 1, 3.0));
    assert_done(save(t, &keep, 2, DT_NULL_REAL));
    assert_done(save(t, &keep, 3, 2.0));
    keep = open_keep(t, 1, DT_NULL_INT);
    assert_done(save(t, &keep, 3, DT_NULL_REAL));
    expect_steps(t, "1 3 best 1");
    assert_done(save(t, &keep, 4, 3.5));
    expect_steps(t, "1 4 best 1");
}

/* Where no checkpoint was evaluated no link says that one is the best; a wrong one is put right. */
static void the_link_is_chosen_anew(void **state) {
    tiny *t = *state;
    dt_checkpoint_keep keep = open_keep(t, DT_NULL_INT, DT_NULL_INT);
    assert_done(save(t, &keep, 1, DT_NULL_REAL));
    assert_done(save(t, &keep, 2, 2.0));
    assert_done(save(t, &keep, 3, 3.0));
    assert_done(dt_checkpoint_path_point(t->folder, DT_CHECKPOINT_BEST, 3));
    keep = open_keep(t, 1, DT_NULL_INT);
    expect_steps(t, "1 2 3 best 2");
    const int64_t evaluated[] = {2, 3};
    assert_done(dt_checkpoint_path_remove(t->folder, evaluated, 2));
    keep = open_keep(t, 1, DT_NULL_INT);
    expect_steps(t, "1 no best");
}

/* Where best leads nowhere the next evaluated one takes its place. */
static void a_dangling_best_is_replaced(void **state) {
    tiny *t = *state;
    dt_checkpoint_keep keep = open_keep(t, DT_NULL_INT, DT_NULL_INT);
    assert_done(save(t, &keep, 1, 3.0));
    char *path = dt_file_join(t->folder, "checkpoint_step_1");
    assert_done(dt_file_remove_tree(path));
    free(path);
    keep = open_keep(t, DT_NULL_INT, DT_NULL_INT);
    assert_done(save(t, &keep, 2, 5.0));
    expect_steps(t, "2 best 2");
}

/* Somebody makes room while the run goes on: the best of what is left takes over at the next save. */
static void a_best_that_is_removed_is_not_missed(void **state) {
    tiny *t = *state;
    dt_checkpoint_keep keep = open_keep(t, 2, DT_NULL_INT);
    assert_done(save(t, &keep, 1, 2.0));
    assert_done(save(t, &keep, 2, 4.0));
    assert_done(save(t, &keep, 3, 3.0));
    remove_step(t, "checkpoint_step_1");
    assert_done(save(t, &keep, 4, 5.0));
    expect_steps(t, "3 4 best 3");
    remove_step(t, "checkpoint_step_3");
    remove_step(t, "checkpoint_step_4");
    assert_done(save(t, &keep, 5, DT_NULL_REAL));
    expect_steps(t, "5 no best");
}

/* A run that went back to step 4 does not remove what it has not come to again. */
static void later_steps_are_left_alone(void **state) {
    tiny *t = *state;
    dt_checkpoint_keep all = open_keep(t, DT_NULL_INT, DT_NULL_INT);
    save_steps(t, &all, 1, 10);
    dt_checkpoint_keep two = open_keep(t, 2, DT_NULL_INT);
    save_steps(t, &two, 5, 6);
    expect_steps(t, "4 5 6 7 8 9 no best");
    assert_int_equal(dt_checkpoint_path_follow(t->folder, DT_CHECKPOINT_LATEST), 5);
}

/* Whichever rename fails, every checkpoint that is left is whole, and a start clears the rest away. */
static void a_failing_removal_leaves_whole_checkpoints(void **state) {
    tiny *t = *state;
    for (int call = 1;; call++) {
        dt_checkpoint_keep keep = open_keep(t, DT_NULL_INT, DT_NULL_INT);
        save_steps(t, &keep, 1, 5);
        keep = open_keep(t, 1, DT_NULL_INT);
        tiny_advance(t, 5, 1);
        assert_done(tiny_save(t, NULL));
        failing_call = call;
        const dt_status status = dt_checkpoint_keep_after(&keep, 5, 1.0);
        const bool reached = failing_call == 0;
        failing_call = 0;
        assert_done(dt_checkpoint_path_clear(t->folder));
        /* One for the link, then one for each that goes, the newest first; one that stays keeps no other. */
        const char *const left[] = {"1 2 3 4 5 no best", "4 5 best 5", "3 5 best 5",
                                    "2 5 best 5",        "1 5 best 5", "5 best 5"};
        assert_int_equal(status, reached ? DT_FAILED : DT_OK);
        expect_steps(t, left[call - 1]);
        assert_done(dt_file_remove_tree(t->folder));
        if (!reached) {
            assert_int_equal(call, 6);
            return;
        }
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(the_newest_and_every_so_many_stay, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_best_follows_the_lowest_loss, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_resumed_run_knows_the_best, set_up, tear_down),
        cmocka_unit_test_setup_teardown(losses_over_something_else_do_not_count, set_up, tear_down),
        cmocka_unit_test_setup_teardown(other_names_are_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_only_has_the_name_is_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_half_removed_goes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_next_best_outlives_the_best, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_link_is_chosen_anew, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_dangling_best_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_best_that_is_removed_is_not_missed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(later_steps_are_left_alone, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failing_removal_leaves_whole_checkpoints, set_up, tear_down),
    };
    dt_log_open(false, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
