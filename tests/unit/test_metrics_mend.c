/* metrics.jsonl when a run goes on: who may read what becomes of it, and where it cannot be replaced. */
#include <fcntl.h>
#include <linux/fs.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/scratch.h"
#include "train/metrics_mend.h"

#define LINES "{\"step\":1}\n{\"step\":2}\n"

static char *folder, *path, *kept;

static int set_up(void **state) {
    (void)state;
    folder = scratch_make();
    path = dt_file_join(folder, "metrics.jsonl");
    kept = dt_file_join(folder, "metrics.jsonl.1");
    scratch_put(path, LINES, strlen(LINES));
    return 0;
}

static int tear_down(void **state) {
    (void)state;
    scratch_remove(folder);
    free(path);
    free(kept);
    return 0;
}

/* Of the lines that stay and of those that go. */
static void who_may_read_stays_as_it_was(void **state) {
    (void)state;
    struct stat info;
    dt_metrics_dropped lines;
    const char *const files[] = {path, kept};
    assert_int_equal(chmod(path, 0620), 0);
    const int given = chown(path, 12345, 23456); /* root alone can */
    assert_int_equal(dt_metrics_mend(path, 1, kept, &lines), DT_OK);
    for (int f = 0; f < 2; f++) {
        assert_int_equal(stat(files[f], &info), 0);
        assert_int_equal(info.st_mode & 07777, 0620);
        assert_true(given != 0 || (info.st_uid == 12345 && info.st_gid == 23456));
    }
}

static bool set_flags(int flags) {
    const int descriptor = open(path, O_RDONLY | O_CLOEXEC);
    const bool set = descriptor >= 0 && ioctl(descriptor, FS_IOC_SETFLAGS, &flags) == 0;
    if (descriptor >= 0)
        close(descriptor);
    return set;
}

/* It may be written to, so that this is where the run finds out. */
static void an_append_only_file_is_left_with_a_way_out(void **state) {
    (void)state;
    dt_metrics_dropped lines;
    size_t length;
    if (!set_flags(FS_APPEND_FL))
        skip(); /* not root, or a file system without such flags */
    const dt_status status = dt_metrics_mend(path, 1, kept, &lines);
    assert_true(set_flags(0));
    assert_int_equal(status, DT_FAILED);
    assert_non_null(strstr(dt_error(), "chattr -a"));
    assert_non_null(strstr(dt_error(), "name another folder by --out-dir"));
    assert_false(dt_file_exists(kept));
    char *bytes = scratch_get(path, &length);
    assert_string_equal(bytes, LINES);
    free(bytes);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(who_may_read_stays_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(an_append_only_file_is_left_with_a_way_out, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
