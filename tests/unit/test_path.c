/*
 * How a checkpoint comes to its place: at once or not at all, whichever call fails on the way; and which one
 * --resume means. Renames, links and removals go through wrappers (see tests/CMakeLists.txt) that fail the
 * call of a chosen number, or all that are of a chosen path.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/checkpoint.h"

static bool stays_below; /* folders cannot be renamed, as those of an overlay's lower layer */
static int failing_call; /* 1 is the next one; 0 is none */
static bool no_exchange; /* as on a file system that cannot exchange names */
static bool no_links;    /* as on one that has none */
static const char *kept; /* what has this in its path cannot be removed, NULL: all can */
static bool told;        /* and that can be known before */

int __real_rename(const char *from, const char *to);
int __real_symlink(const char *target, const char *path);
int __real_renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags);
int __wrap_rename(const char *from, const char *to);
int __wrap_symlink(const char *target, const char *path);
int __real_remove(const char *path);
int __real_faccessat(int folder, const char *path, int mode, int flags);
int __wrap_remove(const char *path);
int __wrap_faccessat(int folder, const char *path, int mode, int flags);
int __wrap_renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags);

static bool fails_now(void) {
    errno = EIO;
    return failing_call > 0 && --failing_call == 0;
}

int __wrap_rename(const char *from, const char *to) {
    if (stays_below && dt_file_is_folder(from)) {
        errno = EXDEV;
        return -1;
    }
    return fails_now() ? -1 : __real_rename(from, to);
}

int __wrap_symlink(const char *target, const char *path) {
    if (no_links) {
        errno = EPERM;
        return -1;
    }
    return fails_now() ? -1 : __real_symlink(target, path);
}

int __wrap_renameat2(int from_folder, const char *from, int to_folder, const char *to, unsigned flags) {
    if (no_exchange) {
        errno = EINVAL;
        return -1;
    }
    return fails_now() ? -1 : __real_renameat2(from_folder, from, to_folder, to, flags);
}

static bool is_kept(const char *path) {
    errno = EACCES;
    return kept != NULL && strstr(path, kept) != NULL;
}

int __wrap_remove(const char *path) {
    return is_kept(path) ? -1 : __real_remove(path);
}

int __wrap_faccessat(int folder, const char *path, int mode, int flags) {
    return told && is_kept(path) ? -1 : __real_faccessat(folder, path, mode, flags);
}

static int set_up(void **state) {
    failing_call = 0;
    kept = NULL;
    told = stays_below = false;
    no_exchange = no_links = false;
    *state = tiny_make();
    return 0;
}

static int tear_down(void **state) {
    tiny_free(*state);
    return 0;
}

static dt_status save(const tiny *t) {
    return tiny_save(t, NULL);
}

/* Expects the folder to hold these names, parted by spaces, and nothing else. */
static void expect_names(const tiny *t, const char *expected) {
    char **names, found[1024] = "";
    size_t count;
    assert_int_equal(dt_file_list(t->folder, &names, &count), DT_OK);
    for (size_t i = 0; i < count; i++) {
        strcat(found, i == 0 ? "" : " ");
        strcat(found, names[i]);
    }
    dt_file_free_names(names, count);
    assert_string_equal(found, expected);
}

static void expect_latest(const tiny *t, const char *name) {
    char *link = dt_file_join(t->folder, "latest");
    expect_link(link, name);
    free(link);
}

static bool holds(const tiny *t, const char *name) {
    char *path = dt_file_join(t->folder, name);
    bool equal = tiny_equals(t, path);
    free(path);
    return equal;
}

/* The newest is the latest, those before stay. */
static void saves_stand_side_by_side(void **state) {
    tiny *t = *state;
    assert_int_equal(save(t), DT_OK);
    tiny_advance(t, 12, 1);
    assert_int_equal(save(t), DT_OK);
    expect_names(t, "checkpoint_step_12 checkpoint_step_3 latest");
    expect_latest(t, "checkpoint_step_12");
    assert_true(holds(t, "checkpoint_step_12"));
}

/* The same step again: the new content under the old name, with and without an exchange of names. */
static void the_same_step_is_replaced(void **state) {
    tiny *t = *state;
    for (uint32_t salt = 1; salt < 5; salt++) {
        no_exchange = salt > 2;
        tiny_advance(t, 3, salt);
        assert_int_equal(save(t), DT_OK);
        expect_names(t, "checkpoint_step_3 latest");
        assert_true(holds(t, "checkpoint_step_3"));
    }
}

/* Whichever rename fails, what was there is there, and no more; the sentence is that of the failure. Once the
 * new one stands it stays, and a link that fails once is made by another call. */
static void a_failing_call_changes_nothing(void **state) {
    tiny *t = *state;
    for (int variant = 0; variant < 3; variant++) {
        int64_t step = variant == 2 ? 4 : 3;
        tiny_advance(t, 3, 1);
        assert_int_equal(save(t), DT_OK);
        int call = 1, links = 0;
        for (;; call++) {
            tiny_advance(t, step, 2);
            no_exchange = variant == 1;
            failing_call = call;
            dt_status status = save(t);
            bool reached = failing_call == 0;
            failing_call = 0;
            if (!reached)
                break;
            if (status == DT_OK) { /* it was the link's */
                expect_latest(t, variant == 2 ? "checkpoint_step_4" : "checkpoint_step_3");
                assert_true(holds(t, variant == 2 ? "checkpoint_step_4" : "checkpoint_step_3"));
                assert_int_equal(dt_file_remove_tree(t->folder), DT_OK);
                tiny_advance(t, 3, 1);
                assert_int_equal(save(t), DT_OK);
                links++;
                continue;
            }
            assert_non_null(strstr(dt_error(), strerror(EIO)));
            tiny_advance(t, 3, 1);
            expect_names(t, "checkpoint_step_3 latest");
            expect_latest(t, "checkpoint_step_3");
            assert_true(holds(t, "checkpoint_step_3"));
        }
        assert_int_equal(links, 2);
        assert_int_equal(call, variant == 1 ? 6 : 4);
        tiny_advance(t, step, 2);
        assert_true(holds(t, variant == 2 ? "checkpoint_step_4" : "checkpoint_step_3"));
        assert_int_equal(dt_file_remove_tree(t->folder), DT_OK);
    }
}

/* A disk that is full after so many bytes of a file: the save fails, the old checkpoint stays, nothing is
 * left over. */
static void a_full_disk_changes_nothing(void **state) {
    tiny *t = *state;
    struct rlimit old, now;
    assert_int_equal(save(t), DT_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    for (rlim_t bytes = 0; bytes < 4000; bytes += 250)
        for (int64_t step = 3; step < 5; step++) {
            now = old;
            now.rlim_cur = bytes;
            tiny_advance(t, step, 2);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
            dt_status status = save(t);
            assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
            assert_int_equal(status, DT_FAILED);
            assert_non_null(strstr(dt_error(), strerror(EFBIG)));
            tiny_advance(t, 3, 1);
            expect_names(t, "checkpoint_step_3 latest");
            assert_true(holds(t, "checkpoint_step_3"));
        }
    signal(SIGXFSZ, SIG_DFL);
}

/* A folder that cannot be made is named; a `latest` that is no link is left alone, and keeps no checkpoint
 * from standing. */
static void impossible_places_are_refused(void **state) {
    tiny *t = *state;
    char *file = dt_file_join(t->scratch, "file"), *below = dt_file_join(t->scratch, "file/checkpoints");
    scratch_put(file, "", 0);
    assert_int_equal(tiny_save_in(t, below, NULL), DT_FAILED);
    assert_non_null(strstr(dt_error(), file));
    free(file);
    free(below);
    char *latest = dt_file_join(t->folder, "latest");
    assert_int_equal(dt_file_make_folder(latest), DT_OK);
    assert_int_equal(save(t), DT_OK);
    expect_names(t, "checkpoint_step_3 latest");
    struct stat info;
    assert_int_equal(lstat(latest, &info), 0);
    assert_true(S_ISDIR(info.st_mode));
    free(latest);
}

/* A state and a config that contradict each other are not written. */
static void contradictions_are_not_saved(void **state) {
    tiny *t = *state;
    t->about.step = 4;
    assert_int_equal(save(t), DT_FAILED);
    t->about.step = 3;
    t->about.config.n_heads = 1;
    assert_int_equal(save(t), DT_FAILED);
    t->about.config.n_heads = 2;
    t->about.config.seed = DT_NULL_INT;
    assert_int_equal(save(t), DT_FAILED);
    assert_false(dt_file_exists(t->folder));
}

static void make_folder(const tiny *t, const char *name) {
    char *path = dt_file_join(t->folder, name);
    assert_int_equal(dt_file_make_folder(path), DT_OK);
    free(path);
}

/* What other processes left is removed, except a replaced checkpoint whose place is empty: it comes back. */
static void leftovers_are_cleared(void **state) {
    tiny *t = *state;
    make_folder(t, ".checkpoint_step_3.1.tmp/inner");
    make_folder(t, ".checkpoint_step_9.77777.tmp");
    make_folder(t, ".checkpoint_step_5.replaced");
    make_folder(t, ".checkpoint_step_6.replaced");
    make_folder(t, "checkpoint_step_6");
    make_folder(t, ".other.tmp");
    char *link = dt_file_join(t->folder, ".latest.1.tmp");
    assert_int_equal(__real_symlink("nowhere", link), 0);
    free(link);
    assert_int_equal(save(t), DT_OK);
    expect_names(t, ".other.tmp checkpoint_step_3 checkpoint_step_5 checkpoint_step_6 latest");
}

/* What cannot be removed is in the way of no save, no start and no other removal. */
static void a_leftover_that_stays_hinders_nothing(void **state) {
    tiny *t = *state;
    make_folder(t, ".checkpoint_step_3.77777.tmp/inner");
    make_folder(t, ".checkpoint_step_9.77777.tmp");
    kept = "step_3.77777";
    assert_int_equal(dt_checkpoint_path_clear(t->folder), DT_OK);
    expect_names(t, ".checkpoint_step_3.77777.tmp");
    assert_int_equal(save(t), DT_OK);
    tiny_advance(t, 4, 1);
    assert_int_equal(save(t), DT_OK);
    const int64_t older = 3;
    assert_int_equal(dt_checkpoint_path_remove(t->folder, &older, 1), DT_OK);
    expect_names(t, ".checkpoint_step_3.77777.tmp checkpoint_step_4 latest");
    kept = NULL;
    assert_int_equal(dt_checkpoint_path_clear(t->folder), DT_OK);
    expect_names(t, "checkpoint_step_4 latest");
}

/* A checkpoint that is read-only stays under its name, whole; others go. */
static void a_protected_checkpoint_stays(void **state) {
    tiny *t = *state;
    const int64_t steps[] = {3, 5, 6};
    for (int i = 0; i < 3; i++) {
        tiny_advance(t, steps[i], 1);
        assert_int_equal(save(t), DT_OK);
    }
    kept = "checkpoint_step_3";
    told = true;
    assert_int_equal(dt_checkpoint_path_remove(t->folder, steps, 2), DT_FAILED);
    assert_non_null(strstr(dt_error(), "checkpoint_step_3, which stays: Permission denied"));
    expect_names(t, "checkpoint_step_3 checkpoint_step_6 latest");
    tiny_advance(t, 3, 1);
    assert_true(holds(t, "checkpoint_step_3"));
    kept = NULL;
}

/* What is no checkpoint and stands in the place of one is moved, not replaced. */
static void what_only_has_the_name_makes_room(void **state) {
    tiny *t = *state;
    for (int number = 1; number < 4; number++) {
        make_folder(t, number == 1 ? "checkpoint_step_3/notes" : "checkpoint_step_3");
        assert_int_equal(save(t), DT_OK);
        assert_true(holds(t, "checkpoint_step_3"));
        char *path = dt_file_join(t->folder, "checkpoint_step_3");
        assert_int_equal(dt_file_remove_tree(path), DT_OK);
        free(path);
    }
    make_folder(t, "checkpoint_step_3.1/notes/still");
    expect_names(t, "checkpoint_step_3.1 checkpoint_step_3.2 checkpoint_step_3.3 latest");
}

/* A removal that cannot rename the folder, and ends before all is gone, leaves what the next one takes for a
 * checkpoint and nobody else does. */
static void a_removal_that_dies_is_known_again(void **state) {
    tiny *t = *state;
    const int64_t step = 3;
    static const char *const files[] = {"config.json", "model.safetensors", "tokenizer_config.json",
                                        "metadata.json.removed"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(save(t), DT_OK);
        stays_below = true;
        kept = files[i];
        assert_int_equal(dt_checkpoint_path_remove(t->folder, &step, 1), DT_FAILED);
        assert_true(dt_checkpoint_path_is_own(t->folder, "checkpoint_step_3"));
        char *path = dt_file_join(t->folder, "checkpoint_step_3"), *found = NULL;
        assert_int_equal(dt_checkpoint_find("elsewhere", path, &found), DT_USAGE);
        kept = NULL;
        assert_int_equal(dt_checkpoint_path_remove(t->folder, &step, 1), DT_OK);
        stays_below = false;
        expect_names(t, "latest");
        free(path);
    }
}

/* Expects --resume `what` to mean folder/name, or nothing where `name` is NULL. */
static void expect_found(const tiny *t, const char *what, const char *name) {
    char *found = NULL, *expected = name == NULL ? NULL : dt_file_join(t->folder, name);
    assert_int_equal(dt_checkpoint_find(t->folder, what, &found), DT_OK);
    if (name == NULL)
        assert_null(found);
    else
        assert_string_equal(found, expected);
    free(found);
    free(expected);
}

static void expect_not_found(const tiny *t, const char *what, const char *why) {
    char *found = NULL;
    assert_int_equal(dt_checkpoint_find(t->folder, what, &found), DT_USAGE);
    assert_null(found);
    if (strstr(dt_error(), why) == NULL)
        fail_msg("expected \"%s\" in: %s", why, dt_error());
}

/* The three forms of --resume, with and without something to find. */
static void resume_finds_what_it_names(void **state) {
    tiny *t = *state;
    expect_found(t, "auto", NULL);
    expect_not_found(t, "latest", t->folder);
    expect_not_found(t, t->folder, "nothing there");
    assert_int_equal(save(t), DT_OK);
    tiny_advance(t, 12, 1);
    assert_int_equal(save(t), DT_OK);
    make_folder(t, "checkpoint_step_100");
    make_folder(t, "checkpoint_step_0x20");
    expect_found(t, "latest", "checkpoint_step_12");
    expect_found(t, "auto", "checkpoint_step_12");
    expect_found(t, t->folder, "checkpoint_step_12");
    char *path = dt_file_join(t->folder, "checkpoint_step_3"), *found = NULL;
    assert_int_equal(dt_checkpoint_find("elsewhere", path, &found), DT_OK);
    assert_string_equal(found, path);
    free(found);
    free(path);
    path = dt_file_join(t->folder, "checkpoint_step_100");
    expect_not_found(t, path, "no metadata.json");
    free(path);
    path = dt_file_join(t->folder, "checkpoint_step_3/tokenizer.json");
    expect_not_found(t, path, "a file");
    free(path);
    /* What cannot be looked at is not called absent. */
    path = dt_file_join(t->folder, "round");
    assert_int_equal(__real_symlink("round", path), 0);
    expect_not_found(t, path, strerror(ELOOP));
    free(path);
}

/* Where latest leads nowhere, or is gone, auto takes the largest step that is a checkpoint. */
static void auto_survives_a_dangling_link(void **state) {
    tiny *t = *state;
    char *link = dt_file_join(t->folder, "latest");
    const int64_t steps[] = {3, 20, 100};
    for (int i = 0; i < 3; i++) {
        tiny_advance(t, steps[i], 1);
        assert_int_equal(save(t), DT_OK);
    }
    char *newest = dt_file_join(t->folder, "checkpoint_step_100/metadata.json");
    assert_int_equal(unlink(newest), 0);
    expect_found(t, "auto", "checkpoint_step_20");
    expect_not_found(t, "latest", "leads to no checkpoint");
    assert_int_equal(unlink(link), 0);
    expect_found(t, "auto", "checkpoint_step_20");
    expect_not_found(t, "latest", "no latest checkpoint");
    free(newest);
    free(link);
}

/* A file system that has no links: each checkpoint stays all the same, and none is taken for the latest. */
static void without_links_the_newest_is_found(void **state) {
    tiny *t = *state;
    assert_int_equal(save(t), DT_OK);
    no_links = true;
    tiny_advance(t, 4, 2);
    assert_int_equal(save(t), DT_OK);
    no_links = false;
    expect_names(t, "checkpoint_step_3 checkpoint_step_4");
    assert_true(holds(t, "checkpoint_step_4"));
    expect_found(t, "auto", "checkpoint_step_4");
    tiny_advance(t, 5, 2);
    assert_int_equal(save(t), DT_OK);
    expect_latest(t, "checkpoint_step_5");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(saves_stand_side_by_side, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_same_step_is_replaced, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_failing_call_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_changes_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(impossible_places_are_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(contradictions_are_not_saved, set_up, tear_down),
        cmocka_unit_test_setup_teardown(leftovers_are_cleared, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_leftover_that_stays_hinders_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_only_has_the_name_makes_room, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_removal_that_dies_is_known_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_protected_checkpoint_stays, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resume_finds_what_it_names, set_up, tear_down),
        cmocka_unit_test_setup_teardown(auto_survives_a_dangling_link, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_links_the_newest_is_found, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
