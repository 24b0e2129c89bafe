/* metrics.jsonl: the bytes of each kind of line, and what opening keeps of a file that another run left. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "support/scratch.h"
#include "train/metrics.h"
#include "train/metrics_lines.h"
#include "train/metrics_mend.h"

static char *folder, *path;

static int set_up(void **state) {
    (void)state;
    folder = scratch_make();
    path = dt_file_join(folder, "metrics.jsonl");
    return path == NULL;
}

static int tear_down(void **state) {
    (void)state;
    free(path);
    scratch_remove(folder);
    return 0;
}

static void expect_file(const char *expected) {
    size_t length;
    char *bytes = scratch_get(path, &length);
    assert_string_equal(bytes, expected);
    assert_int_equal(length, strlen(expected));
    free(bytes);
}

static int64_t count_lines(const char *text) {
    int64_t lines = 0;
    for (; (text = strchr(text, '\n')) != NULL; text++)
        lines++;
    return lines;
}

/* Mends a file of `before` for a run that goes on from `resume_step`, and expects it to hold `after`, and a
 * file beside it `dropped`, which is not there when that is "" and in which `spoilt` lines are no object. */
static void expect_dealing(const char *before, int64_t resume_step, const char *after, const char *dropped,
                           int64_t spoilt) {
    char **names;
    size_t count, length;
    dt_metrics_dropped lines;
    char *kept = dt_file_join(folder, "metrics.jsonl.1");
    scratch_put(path, before, strlen(before));
    assert_int_equal(dt_metrics_mend(path, resume_step, kept, &lines), DT_OK);
    assert_int_equal(lines.later + lines.spoilt, count_lines(dropped));
    assert_int_equal(lines.spoilt, spoilt);
    expect_file(after);
    assert_int_equal(dt_file_list(folder, &names, &count), DT_OK);
    assert_int_equal(count, *dropped ? 2 : 1);
    dt_file_free_names(names, count);
    if (*dropped) {
        char *bytes = scratch_get(kept, &length);
        assert_string_equal(bytes, dropped);
        free(bytes);
        assert_int_equal(unlink(kept), 0);
    }
    free(kept);
}

static void expect_mending(const char *before, int64_t resume_step, const char *after, const char *dropped) {
    expect_dealing(before, resume_step, after, dropped, 0);
}

/* Known text for known numbers: nine digits, null for what is not finite, and a line for each call. */
static void lines_have_their_form(void **state) {
    (void)state;
    dt_metrics metrics;
    assert_int_equal(dt_metrics_open(&metrics, path, NULL), DT_OK);
    const dt_metrics_values plain = {7, 4.59511995, 3e-4, 0.5, 12.25, 1, 0.5, 123456, 28672, 0.25},
                            odd = {8, NAN, 0, INFINITY, -INFINITY, 1e-300, NAN, -1e300, 32768, INFINITY};
    assert_int_equal(dt_metrics_step(&metrics, &plain), DT_OK);
    assert_int_equal(dt_metrics_step(&metrics, &odd), DT_OK);
    assert_int_equal(dt_metrics_evaluation(&metrics, 8, 1.0 / 3, 2.0 / 3), DT_OK);
    json_t *sample = json_pack("{s:i, s:s}", "step", 8, "sample", "a \"b\"\n\xc3\xa9");
    assert_int_equal(dt_metrics_object(&metrics, sample), DT_OK);
    assert_int_equal(dt_metrics_close(&metrics), DT_OK);
    expect_file(
        "{\"step\":7,\"loss\":4.59511995,\"lr\":0.0003,\"grad_norm\":0.5,\"step_ms\":12.25,\"comm_ms\":1,"
        "\"exposed_ms\":0.5,\"tokens_per_s\":123456,\"tokens\":28672,\"mfu\":0.25}\n"
        "{\"step\":8,\"loss\":null,\"lr\":0,\"grad_norm\":null,\"step_ms\":null,\"comm_ms\":1e-300,"
        "\"exposed_ms\":null,\"tokens_per_s\":-1e+300,\"tokens\":32768,\"mfu\":null}\n"
        "{\"step\":8,\"val_loss\":0.333333333,\"val_bits_per_byte\":0.666666667}\n"
        "{\"step\":8,\"sample\":\"a \\\"b\\\"\\n\xc3\xa9\"}\n");
}

/* One line, of numbers that take as many characters as one can. */
static void write_longest(int64_t step, int64_t tokens) {
    const double longest = -1.23456789123e-300;
    const dt_metrics_values values = {step,    longest, longest, longest, longest,
                                      longest, longest, longest, tokens,  longest};
    dt_metrics metrics;
    assert_int_equal(dt_metrics_open(&metrics, path, NULL), DT_OK);
    assert_int_equal(dt_metrics_step(&metrics, &values), DT_OK);
    assert_int_equal(dt_metrics_close(&metrics), DT_OK);
}

/* The longest numbers fit a line, and it is JSON. */
static void longest_numbers_fit(void **state) {
    (void)state;
    size_t length;
    write_longest(INT64_MIN, INT64_MIN);
    char *bytes = scratch_get(path, &length);
    json_t *object = json_loads(bytes, 0, NULL);
    assert_int_equal(json_object_size(object), 10);
    assert_true(json_integer_value(json_object_get(object, "step")) == INT64_MIN);
    assert_true(json_integer_value(json_object_get(object, "tokens")) == INT64_MIN);
    assert_true(json_real_value(json_object_get(object, "tokens_per_s")) == -1.23456789e-300);
    json_decref(object);
    free(bytes);
}

/* What the documents say that a million steps cost: the longest line there can be, counted by hand, of the
 * largest step, the most tokens and the longest numbers. */
static void a_step_costs_what_the_documents_say(void **state) {
    (void)state;
    size_t length;
    write_longest(UINT32_MAX, INT64_MAX);
    free(scratch_get(path, &length));
    assert_int_equal(length, DT_METRICS_STEP_BYTES);
    char *text, said[64];
    assert_int_equal(dt_file_read(DTRAIN_SOURCE_DIR "/docs/formats.md", 1 << 20, &text, &length), DT_OK);
    snprintf(said, sizeof said, "never more than %d bytes", DT_METRICS_STEP_BYTES);
    if (strstr(text, said) == NULL)
        fail_msg("docs/formats.md does not say \"%s\"", said);
    free(text);
}

/* Nine digits tell any two floats apart: neighbours print differently and read back as themselves. */
static void floats_survive(void **state) {
    (void)state;
    float value = 3.7f;
    for (int i = 0; i < 1000; i++) {
        char text[32];
        float next = nextafterf(value, 10.0f);
        snprintf(text, sizeof text, "%.9g", (double)next);
        assert_true(strtof(text, NULL) == next && next != value);
        value = next * 1.01f > 1e30f ? 1e-30f : next * 1.01f;
    }
}

/* A last line without its end is completed when it is whole but for its newline, and goes otherwise. */
static void torn_lines_are_mended(void **state) {
    (void)state;
    expect_mending("", 0, "", "");
    expect_mending("{\"event\":1}\n{\"event\":2,\"lo", 0, "{\"event\":1}\n", "");
    expect_mending("{\"step\":1}\n{\"step\":2}", 2, "{\"step\":1}\n{\"step\":2}\n", "");
    expect_mending("{\"st", 0, "", "");
}

/* Every line stays if it parses and is not ahead: 4 stays at 4, 5 goes, and lines without a step stay. What
 * goes is kept, as it was. */
static void resumed_run_keeps_later_steps_aside(void **state) {
    (void)state;
    expect_mending(
        "{\"event\":\"run\"}\n{\"step\":3}\n{\"step\":4,\"val_loss\":1}\n{\"step\":5}\n{\"event\":\"stop\"}\n"
        "{\"step\":6,\"sample\":\"x\"}\n",
        4, "{\"event\":\"run\"}\n{\"step\":3}\n{\"step\":4,\"val_loss\":1}\n{\"event\":\"stop\"}\n",
        "{\"step\":5}\n{\"step\":6,\"sample\":\"x\"}\n");
    expect_dealing("{\"step\":3}\n\n[4]\n{\"step\":4\n{\"step\":5}\n{\"step\":4}\n", 4,
                   "{\"step\":3}\n{\"step\":4}\n", "\n[4]\n{\"step\":4\n{\"step\":5}\n", 3);
    expect_mending("{\"step\":3}\n{\"step\":4,\"loss\":1.", 4, "{\"step\":3}\n", "");
    expect_mending("{\"step\":9007199254740993}\n", 9007199254740992, "", "{\"step\":9007199254740993}\n");
    /* A run that found no checkpoint to go on from repeats all steps, so none may stay. */
    expect_mending("{\"event\":\"run\"}\n{\"step\":1}\n", 0, "{\"event\":\"run\"}\n", "{\"step\":1}\n");
}

/* A line counts when step and key stand in the same one, whole. */
static void held_lines_are_found(void **state) {
    (void)state;
    bool holds = true;
    scratch_put(path, "{\"step\":3,\"loss\":1}\n{\"step\":4,\"val_loss\":1}\n{\"step\":5,\"val_l", 59);
    assert_int_equal(dt_metrics_holds(path, 4, "val_loss", &holds), DT_OK);
    assert_true(holds);
    assert_int_equal(dt_metrics_holds(path, 3, "val_loss", &holds), DT_OK);
    assert_false(holds);
    assert_int_equal(dt_metrics_holds(path, 5, "val_loss", &holds), DT_OK);
    assert_false(holds);
    assert_int_equal(dt_metrics_holds("missing.jsonl", 4, "val_loss", &holds), DT_OK);
    assert_false(holds);
}

/* Cut anywhere, the file opens to whole lines, each as it was written. */
static void any_cut_leaves_whole_lines(void **state) {
    (void)state;
    const char whole[] = "{\"event\":\"run\"}\n{\"step\":1,\"loss\":4.5}\n{\"step\":2,\"loss\":4.25}\n";
    for (size_t cut = 0; cut < sizeof whole; cut++) {
        char before[sizeof whole] = {0}, after[sizeof whole] = {0};
        memcpy(before, whole, cut);
        /* A line that lacks only its newline is whole. */
        size_t kept = cut;
        while (kept > 0 && before[kept - 1] != '\n' && whole[kept] != '\n')
            kept--;
        memcpy(after, whole, kept > 0 && whole[kept - 1] != '\n' ? kept + 1 : kept);
        expect_mending(before, 2, after, "");
    }
}

/* A copy that a dying process left is cleared away; a file that needs nothing is not rewritten. */
static void mending_meets_its_own_leftover(void **state) {
    (void)state;
    char *copy = NULL;
    assert_true(asprintf(&copy, "%s.tmp", path) > 0);
    scratch_put(copy, "junk", 4);
    expect_mending("{\"step\":1}\n{\"step\":2}\n", 1, "{\"step\":1}\n", "{\"step\":2}\n");
    scratch_put(copy, "junk", 4);
    struct stat before, after;
    dt_metrics_dropped lines;
    assert_int_equal(stat(path, &before), 0);
    assert_int_equal(dt_metrics_mend(path, 1, "unused", &lines), DT_OK);
    assert_int_equal(lines.later + lines.spoilt, 0);
    assert_false(dt_file_exists(copy));
    assert_int_equal(stat(path, &after), 0);
    assert_true(before.st_ino == after.st_ino);
    free(copy);
}

/* A line that finds no room leaves no part of itself, so that the next one, once there is room, is whole. */
static void a_line_without_room_leaves_nothing(void **state) {
    (void)state;
    dt_metrics metrics;
    struct rlimit old, now;
    assert_int_equal(dt_metrics_open(&metrics, path, NULL), DT_OK);
    assert_int_equal(dt_metrics_evaluation(&metrics, 1, 1.5, DT_NULL_REAL), DT_OK);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
    signal(SIGXFSZ, SIG_IGN);
    now = old;
    now.rlim_cur = 40;
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &now), 0);
    const dt_status status = dt_metrics_evaluation(&metrics, 2, 1.5, DT_NULL_REAL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
    assert_int_equal(status, DT_FAILED);
    assert_non_null(strstr(dt_error(), "metrics.jsonl: "));
    assert_non_null(strstr(dt_error(), strerror(EFBIG)));
    assert_int_equal(dt_metrics_save(&metrics, 3, 0.5, 20), DT_OK);
    expect_file("{\"step\":1,\"val_loss\":1.5}\n{\"step\":3,\"save_ms\":0.5,\"write_ms\":20}\n");
    assert_int_equal(dt_metrics_close(&metrics), DT_OK);
}

/* A rotation of logs renames the file, or packs and removes it: what was written stays there, and what
 * follows goes to a new file of the name, whether there is one already or not. */
static void lines_follow_the_name(void **state) {
    (void)state;
    dt_metrics metrics;
    size_t length;
    char *rotated = dt_file_join(folder, "rotated");
    assert_int_equal(dt_metrics_open(&metrics, path, NULL), DT_OK);
    assert_int_equal(dt_metrics_evaluation(&metrics, 1, 1.5, DT_NULL_REAL), DT_OK);
    assert_int_equal(rename(path, rotated), 0);
    assert_int_equal(dt_metrics_evaluation(&metrics, 2, 2.5, DT_NULL_REAL), DT_OK);
    expect_file("{\"step\":2,\"val_loss\":2.5}\n");
    char *bytes = scratch_get(rotated, &length);
    assert_string_equal(bytes, "{\"step\":1,\"val_loss\":1.5}\n");
    free(bytes);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(dt_metrics_sync(&metrics), DT_OK);
    expect_file("");
    assert_int_equal(rename(path, rotated), 0);
    scratch_put(path, "", 0); /* as logrotate's option create does */
    assert_int_equal(dt_metrics_save(&metrics, 3, 0.5, 20), DT_OK);
    expect_file("{\"step\":3,\"save_ms\":0.5,\"write_ms\":20}\n");
    assert_int_equal(unlink(path), 0);
    assert_int_equal(mkfifo(path, 0666), 0);
    assert_int_equal(dt_metrics_evaluation(&metrics, 4, 1.5, DT_NULL_REAL),
                     DT_FAILED); /* and no wait for its reader */
    assert_non_null(strstr(dt_error(), "it is a pipe or a device"));
    assert_int_equal(dt_metrics_close(&metrics), DT_OK);
    free(rotated);
}

/* The folder may be moved as a whole, also when another takes its name. */
static void lines_follow_the_folder(void **state) {
    (void)state;
    dt_metrics metrics;
    dt_lock home = {0};
    char *run = dt_file_join(folder, "run"), *moved = dt_file_join(folder, "moved");
    char *file = dt_file_join(run, DT_METRICS_NAME);
    assert_int_equal(mkdir(run, 0777), 0);
    assert_int_equal(dt_lock_take(&home, run, 0.0, "out_dir"), DT_OK);
    assert_int_equal(dt_metrics_open(&metrics, file, &home), DT_OK);
    assert_int_equal(dt_metrics_evaluation(&metrics, 1, 1.5, DT_NULL_REAL), DT_OK);
    assert_int_equal(rename(run, moved), 0);
    assert_int_equal(mkdir(run, 0777), 0);
    scratch_put(file, "another run's\n", 14);
    assert_int_equal(dt_metrics_evaluation(&metrics, 2, 2.5, DT_NULL_REAL), DT_OK);
    assert_int_equal(dt_metrics_close(&metrics), DT_OK);
    free(path);
    path = file;
    expect_file("another run's\n");
    path = dt_file_join(moved, DT_METRICS_NAME);
    expect_file("{\"step\":1,\"val_loss\":1.5}\n{\"step\":2,\"val_loss\":2.5}\n");
    dt_lock_release(&home);
    free(file);
    free(run);
    free(moved);
}

/* The last run event names the run and the one it began from; no other line does. */
static void the_run_is_found(void **state) {
    (void)state;
    dt_metrics_run run;
    assert_int_equal(dt_metrics_last_run("missing.jsonl", &run), DT_OK);
    assert_string_equal(run.run_id, "");
    const char text[] =
        "{\"event\":\"run\",\"run_id\":\"a\",\"parent_run_id\":\"z\",\"start_step\":1}\n{\"step\":1}\n"
        "{\"event\":\"run\",\"run_id\":\"b\",\"parent_run_id\":\"y\",\"start_step\":4}\n"
        "{\"step\":2,\"sample\":\"\\\"run_id\\\"\"}\n{\"run_id\":\"c\"}\n{\"event\":\"run\",\"run_id\":\"d";
    scratch_put(path, text, strlen(text));
    assert_int_equal(dt_metrics_last_run(path, &run), DT_OK);
    assert_string_equal(run.run_id, "b");
    assert_string_equal(run.parent_run_id, "y");
    assert_int_equal(run.start_step, 4);
    /* A run of its own has none, as one from before it was recorded. */
    const char alone[] = "{\"event\":\"run\",\"run_id\":\"a\",\"parent_run_id\":\"z\",\"start_step\":1}\n"
                         "{\"event\":\"run\",\"run_id\":\"e\",\"parent_run_id\":null}\n";
    scratch_put(path, alone, strlen(alone));
    assert_int_equal(dt_metrics_last_run(path, &run), DT_OK);
    assert_string_equal(run.run_id, "e");
    assert_string_equal(run.parent_run_id, "");
    assert_int_equal(run.start_step, 0);
}

/* Failures say where: a folder that is missing, a folder in the place of the file, a file that is not open.
 */
static void failures_are_reported(void **state) {
    (void)state;
    dt_metrics metrics = {.descriptor = -1}, blank = {0};
    char *missing = dt_file_join(folder, "missing/metrics.jsonl");
    assert_int_equal(dt_metrics_open(&metrics, missing, NULL), DT_FAILED);
    assert_non_null(strstr(dt_error(), missing));
    assert_int_equal(dt_metrics_open(&metrics, folder, NULL), DT_FAILED);
    assert_non_null(strstr(dt_error(), folder));
    assert_int_equal(dt_metrics_evaluation(&metrics, 1, 1, DT_NULL_REAL), DT_FAILED);
    assert_int_equal(dt_metrics_object(&metrics, NULL), DT_FAILED);
    assert_int_equal(dt_metrics_close(&metrics), DT_OK);
    assert_int_equal(dt_metrics_close(&blank), DT_OK);
    free(missing);
}

/* A file without newlines, as long as a disk: refused before it is taken into memory. */
static void a_line_without_end_is_refused(void **state) {
    (void)state;
    dt_metrics_dropped lines;
    scratch_put(path, "{}\n", 3);
    assert_int_equal(truncate(path, (off_t)1 << 40), 0);
    assert_int_equal(dt_metrics_mend(path, 0, "unused", &lines), DT_FAILED);
    assert_non_null(strstr(dt_error(), "expected lines of JSON of at most 64 MiB, found a longer one"));
    assert_int_equal(unlink(path), 0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(lines_have_their_form, set_up, tear_down),
        cmocka_unit_test_setup_teardown(longest_numbers_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_step_costs_what_the_documents_say, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_without_end_is_refused, set_up, tear_down),
        cmocka_unit_test(floats_survive),
        cmocka_unit_test_setup_teardown(torn_lines_are_mended, set_up, tear_down),
        cmocka_unit_test_setup_teardown(resumed_run_keeps_later_steps_aside, set_up, tear_down),
        cmocka_unit_test_setup_teardown(held_lines_are_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(any_cut_leaves_whole_lines, set_up, tear_down),
        cmocka_unit_test_setup_teardown(mending_meets_its_own_leftover, set_up, tear_down),
        cmocka_unit_test_setup_teardown(a_line_without_room_leaves_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_follow_the_name, set_up, tear_down),
        cmocka_unit_test_setup_teardown(lines_follow_the_folder, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_run_is_found, set_up, tear_down),
        cmocka_unit_test_setup_teardown(failures_are_reported, set_up, tear_down),
    };
    dt_log_open(false, false);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
