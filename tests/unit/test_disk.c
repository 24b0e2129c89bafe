/*
 * Disks that fail: whichever call on the way of a save fails, and for whatever cause, the sentence names a
 * path and the cause, what was saved before is whole, and nothing is left over. Calls that are cut short or
 * interrupted are not failures. The calls go through wrappers (see tests/CMakeLists.txt).
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/checkpoint.h"
#include "support/sentence.h"

static int failing_call, cause; /* the call of this number, 1 being the next, fails with `cause`; 0 is none */
static bool full;               /* no write finds room */
static bool choppy;             /* calls are interrupted every other time and do a little at a time */
static int choppy_calls;

ssize_t __real_write(int descriptor, const void *bytes, size_t length);
ssize_t __real_pread(int descriptor, void *bytes, size_t length, off_t offset);
int __real_fsync(int descriptor);
int __real_mkdir(const char *path, mode_t mode);
int __real_rename(const char *from, const char *to);
int __real_symlink(const char *target, const char *path);
ssize_t __wrap_write(int descriptor, const void *bytes, size_t length);
ssize_t __wrap_pread(int descriptor, void *bytes, size_t length, off_t offset);
int __wrap_fsync(int descriptor);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_rename(const char *from, const char *to);
int __wrap_symlink(const char *target, const char *path);

/* Whether this call is the one that fails. */
static bool fails(void) {
    errno = cause;
    return failing_call > 0 && --failing_call == 0;
}

static bool interrupted(void) {
    errno = EINTR;
    return choppy && ++choppy_calls % 2 == 0;
}

static size_t piece(size_t length) {
    return choppy && length > 100 ? 100 : length;
}

ssize_t __wrap_write(int descriptor, const void *bytes, size_t length) {
    if (full) {
        errno = ENOSPC;
        return -1;
    }
    return interrupted() || fails() ? -1 : __real_write(descriptor, bytes, piece(length));
}

ssize_t __wrap_pread(int descriptor, void *bytes, size_t length, off_t offset) {
    return interrupted() ? -1 : __real_pread(descriptor, bytes, piece(length), offset);
}

int __wrap_fsync(int descriptor) {
    return interrupted() || fails() ? -1 : __real_fsync(descriptor);
}

int __wrap_mkdir(const char *path, mode_t mode) {
    return fails() ? -1 : __real_mkdir(path, mode);
}

int __wrap_rename(const char *from, const char *to) {
    return fails() ? -1 : __real_rename(from, to);
}

int __wrap_symlink(const char *target, const char *path) {
    return fails() ? -1 : __real_symlink(target, path);
}

static int set_up(void **state) {
    failing_call = 0;
    full = choppy = false;
    *state = tiny_make();
    return 0;
}

static int tear_down(void **state) {
    tiny_free(*state);
    return 0;
}

/* The folder holds these names and no others. */
static void expect_names(const tiny *t, const char *expected) {
    char **names, found[256] = "";
    size_t count;
    assert_done(dt_file_list(t->folder, &names, &count));
    for (size_t i = 0; i < count; i++)
        sprintf(found + strlen(found), "%s ", names[i]);
    dt_file_free_names(names, count);
    assert_string_equal(found, expected);
}

static bool stands(const tiny *t, const char *name) {
    char *path = dt_file_join(t->folder, name);
    const bool equal = tiny_equals(t, path);
    free(path);
    return equal;
}

/* Fails call after call of a second save until one save has no such call. Returns how many calls there were.
 */
static int fail_each_call(tiny *t, int with) {
    for (int call = 1;; call++) {
        tiny_advance(t, 3, 1);
        assert_done(tiny_save(t, NULL));
        tiny_advance(t, 4, 2);
        cause = with;
        failing_call = call;
        const dt_status status = tiny_save(t, NULL);
        const bool reached = failing_call == 0;
        failing_call = 0;
        if (!reached) {
            assert_done(dt_file_remove_tree(t->folder));
            return call - 1;
        }
        if (status == DT_OK) { /* the new one stood already, and lacked a sync or its link */
            expect_names(t, "checkpoint_step_3 checkpoint_step_4 latest ");
            assert_true(stands(t, "checkpoint_step_4"));
        } else {
            if (strstr(dt_error(), t->folder) == NULL || strstr(dt_error(), strerror(with)) == NULL)
                fail_msg("call %d: expected %s and \"%s\" in: %s", call, t->folder, strerror(with),
                         dt_error());
            expect_names(t, "checkpoint_step_3 latest ");
        }
        tiny_advance(t, 3, 1);
        assert_true(stands(t, "checkpoint_step_3"));
        assert_done(dt_file_remove_tree(t->folder));
    }
}

static void any_call_may_fail(void **state) {
    const int causes[] = {ENOSPC, EDQUOT, EIO, EROFS, ENOENT};
    int calls = 0;
    for (size_t i = 0; i < sizeof causes / sizeof *causes; i++) {
        const int here = fail_each_call(*state, causes[i]);
        assert_true(here > 20 && (calls == 0 || here == calls));
        calls = here;
    }
}

/* The sentence of a full disk says how much found no room. */
static void a_full_disk_is_told_in_bytes(void **state) {
    tiny *t = *state;
    full = true;
    assert_int_equal(tiny_save(t, NULL), DT_FAILED);
    assert_non_null(strstr(dt_error(), "config.json: "));
    assert_non_null(strstr(dt_error(), " bytes of "));
    assert_non_null(strstr(dt_error(), " are missing: No space left on device"));
    full = false;
}

/* Interrupted and cut calls are repeated, in writing and in reading. */
static void interrupted_and_short_calls_go_on(void **state) {
    tiny *t = *state;
    choppy = true;
    choppy_calls = 0;
    assert_done(tiny_save(t, NULL));
    assert_true(choppy_calls > 100);
    assert_true(stands(t, "checkpoint_step_3"));
    choppy = false;
    assert_true(stands(t, "checkpoint_step_3"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(any_call_may_fail, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_full_disk_is_told_in_bytes, set_up, tear_down),
        cmocka_unit_test_setup_teardown(interrupted_and_short_calls_go_on, set_up, tear_down),
    };
    dt_log_open(false, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
