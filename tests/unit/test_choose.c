/* Which checkpoint a word means: a checkpoint's folder, a run's, and its links. */
#include "support/sentence.h"

#include <inttypes.h>

#include "support/checkpoint.h"
#include "checkpoint/choose.h"

static tiny *t;

/* Checkpoints of the steps 3 and 20 in SCRATCH/run/checkpoints, of which the first is the best. */
static int set_up(void **state) {
    const int64_t steps[] = {3, 20};
    (void)state;
    t = tiny_make();
    for (int i = 0; i < 2; i++) {
        tiny_advance(t, steps[i], 1);
        if (tiny_save(t, NULL) != DT_OK)
            return 1;
    }
    return dt_checkpoint_path_point(t->folder, "best", 3) == DT_OK ? 0 : 1;
}

static int tear_down(void **state) {
    (void)state;
    tiny_free(t);
    return 0;
}

/* `format` has a place for the folder of checkpoints. */
static void expect(const char *format, int64_t step) {
    char name[512], end[64], *path;
    snprintf(name, sizeof name, format, t->folder);
    snprintf(end, sizeof end, "/checkpoint_step_%" PRId64, step);
    assert_done(dt_checkpoint_choose(name, &path));
    if (strlen(path) < strlen(end) || strcmp(path + strlen(path) - strlen(end), end) != 0)
        fail_msg("%s: expected %s, found %s", name, end, path);
    free(path);
}

static void a_checkpoint_is_itself(void **state) {
    (void)state;
    expect("%s/checkpoint_step_3", 3);
}

static void a_folder_of_checkpoints_has_a_latest_and_a_best(void **state) {
    (void)state;
    expect("%s", 20);
    expect("%s/", 20);
}

/* Whose folder has that of its checkpoints in it. */
static void a_run_has_a_latest_and_a_best(void **state) {
    char *path;
    (void)state;
    static const struct {
        const char *end;
        int64_t step;
    } cases[] = {
        {"", 20}, {"/", 20}, {"/latest", 20}, {"/best", 3}, {"/checkpoints", 20}, {"/checkpoints/best", 3}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char name[600];
        dt_checkpoint_about about;
        snprintf(name, sizeof name, "%s%s", t->scratch, cases[i].end);
        assert_done(dt_checkpoint_choose(name, &path));
        assert_done(dt_checkpoint_read_about(path, &about));
        assert_int_equal(about.step, cases[i].step);
        dt_config_free(&about.config);
        free(path);
    }
}

static void what_is_none_is_refused_with_what_would_do(void **state) {
    char sentence[1200], *path, *folder = dt_file_join(t->scratch, "other");
    (void)state;
    assert_done(dt_file_make_folder(folder));
    snprintf(sentence, sizeof sentence,
             "%s is no checkpoint: the folder holds no metadata.json; name a folder such as "
             "checkpoints/checkpoint_step_1000, a run's folder (its latest is taken) or RUN/best",
             folder);
    assert_refused(dt_checkpoint_choose(folder, &path), sentence);
    assert_null(path);
    free(folder);
    assert_refused(dt_checkpoint_choose("/nowhere/best", &path),
                   "/nowhere/best is no checkpoint: expected a folder, found nothing there; name one such as "
                   "checkpoints/checkpoint_step_1000, a run's folder (its latest is taken) or RUN/best");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_none_is_refused_with_what_would_do),
        cmocka_unit_test(a_checkpoint_is_itself),
        cmocka_unit_test(a_folder_of_checkpoints_has_a_latest_and_a_best),
        cmocka_unit_test(a_run_has_a_latest_and_a_best),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
