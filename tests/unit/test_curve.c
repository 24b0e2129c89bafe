/*
 * Curves of characters: where a loss stands, that nothing is drawn that no run has, and which lines of a
 * metrics.jsonl count.
 */
#include "support/sentence.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "report/curve.h"

static char *draw(const dt_run_metrics *runs, int count, int columns, int rows, bool unicode) {
    char *text = NULL;
    size_t length;
    FILE *memory = open_memstream(&text, &length);
    assert_done(dt_curve_draw(runs, count, &(dt_curve_options){columns, rows, unicode}, memory));
    fclose(memory);
    return text;
}

/* A line from (1, 3) down to (21, 1) in 20 columns and 5 rows: its letters lie on the diagonal. */
static void test_line_of_letters(void **state) {
    double step[] = {1, 21}, value[] = {3, 1};
    const dt_run_metrics run = {.name = "r", .series[DT_RUN_TRAIN] = {2, 2, step, value}};
    (void)state;
    char *text = draw(&run, 1, 30, 8, false);
    assert_string_equal(text, "       3 |****\n"
                              "         |    ****\n"
                              "       2 |        ****\n"
                              "         |            ****\n"
                              "       1 |                ****\n"
                              "         +--------------------\n"
                              "          step 1            21\n"
                              "r: loss 1.0000 at step 21\n");
    free(text);
}

/* Two losses per column of dots: the dots between them are set, and no others. */
static void test_dots_span_a_column(void **state) {
    double step[80], value[80];
    (void)state;
    for (int i = 0; i < 80; i++) {
        step[i] = i;
        value[i] = i % 2 == 0 ? 0.0 : 1.0;
    }
    const dt_run_metrics run = {.name = "r", .series[DT_RUN_TRAIN] = {80, 80, step, value}};
    char *text = draw(&run, 1, 30, 6, true);
    int full = 0;
    for (const char *at = text; (at = strstr(at, "\xE2\xA3\xBF")) != NULL; at += 3) /* all eight dots */
        full++;
    assert_int_equal(full, 20 * 3);
    free(text);
}

/* Runs have a letter each, on one scale. */
static void test_runs_have_letters(void **state) {
    double step[] = {0, 19}, high[] = {2, 2}, low[] = {1, 1};
    const dt_run_metrics runs[] = {{.name = "x", .series[DT_RUN_TRAIN] = {2, 2, step, high}},
                                   {.name = "y", .series[DT_RUN_VALIDATION] = {2, 2, step, low}}};
    (void)state;
    char *text = draw(runs, 2, 30, 6, true);
    assert_string_equal(text, "       2 |aaaaaaaaaaaaaaaaaaaa\n"
                              "       1 |bbbbbbbbbbbbbbbbbbbb\n"
                              "         +--------------------\n"
                              "          step 0            19\n"
                              "a  x: loss 2.0000 at step 19\n"
                              "b  y: val_loss 1.0000 at step 19\n");
    free(text);
}

/* Where runs stand on one another each is seen in its turn: no equal run hides another. */
static void test_equal_runs_take_turns(void **state) {
    double step[] = {0, 19}, equal[] = {2, 2}, other[] = {2, 1};
    const dt_run_metrics runs[] = {{.name = "x", .series[DT_RUN_TRAIN] = {2, 2, step, equal}},
                                   {.name = "y", .series[DT_RUN_TRAIN] = {2, 2, step, equal}},
                                   {.name = "z", .series[DT_RUN_TRAIN] = {2, 2, step, other}}};
    (void)state;
    char *text = draw(runs, 3, 30, 7, false);
    assert_non_null(strstr(text, "       2 |abcabcabcaababababab\n"));
    assert_non_null(strstr(text, "       1 |          cccccccccc\n"));
    free(text);
}

/* One step, or losses that are all equal, have no span to divide by. */
static void test_a_single_step(void **state) {
    double step[] = {7}, value[] = {4.5};
    const dt_run_metrics run = {.name = "r",
                                .series[DT_RUN_TRAIN] = {1, 1, step, value},
                                .series[DT_RUN_VALIDATION] = {1, 1, step, value}};
    (void)state;
    for (int unicode = 0; unicode < 2; unicode++) {
        char *text = draw(&run, 1, 40, 9, unicode == 1);
        assert_non_null(strstr(text, "4.5 |"));
        assert_non_null(strstr(text, "|               o\n"));
        assert_null(strstr(text, "nan"));
        free(text);
    }
}

/* Lines that are torn, of other kinds or not finite are left out, and a step that comes again replaces what
 * was there from it on. */
static void test_lines_that_count(void **state) {
    static const char lines[] =
        "{\"event\":\"run\",\"run_id\":\"1\"}\n"
        "{\"step\":1,\"loss\":4.5,\"lr\":1}\n{\"step\":2,\"loss\":4.0}\n"
        "{\"step\":3,\"loss\":null}\n{\"step\":4,\"loss\":3.0}\n{\"step\":5,\"loss\":9.0}\n"
        "{\"step\":4,\"loss\":3.5}\n{\"step\":4,\"val_loss\":3.25}\n"
        "{\"event\":\"loss_spike\",\"step\":4,\"mean\":1}\n"
        "{\"step\":6,\"loss\":2.";
    char folder[] = "/tmp/dtrain-curve-XXXXXX";
    dt_run_metrics run;
    (void)state;
    assert_non_null(mkdtemp(folder));
    char *path = dt_file_join(folder, "metrics.jsonl");
    assert_done(dt_file_save(path, lines, strlen(lines)));
    const char *const names[] = {folder, path};
    for (int i = 0; i < 2; i++) {
        assert_done(dt_run_metrics_read(&run, names[i]));
        assert_int_equal(run.series[DT_RUN_TRAIN].count, 3);
        assert_true(run.series[DT_RUN_TRAIN].step[2] == 4.0 && run.series[DT_RUN_TRAIN].value[2] == 3.5 &&
                    run.series[DT_RUN_TRAIN].value[0] == 4.5);
        assert_int_equal(run.series[DT_RUN_VALIDATION].count, 1);
        assert_true(run.series[DT_RUN_VALIDATION].value[0] == 3.25);
        dt_run_metrics_free(&run);
    }
    assert_int_equal(unlink(path), 0);
    assert_done(dt_file_save(path, "{\"step\":1}\n", 11));
    assert_done(dt_run_metrics_read(&run, folder));
    assert_int_equal(dt_run_metrics_expect_losses(&run), DT_USAGE);
    assert_non_null(strstr(dt_error(), "expected lines with losses, found none"));
    dt_run_metrics_free(&run);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(dt_run_metrics_read(&run, folder), DT_USAGE);
    assert_non_null(
        strstr(dt_error(), "expected a run's folder, its metrics.jsonl or a folder of runs, found no file"));
    dt_run_metrics_free(&run);
    assert_done(dt_file_remove_tree(folder));
    free(path);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line_of_letters),   cmocka_unit_test(test_dots_span_a_column),
        cmocka_unit_test(test_runs_have_letters), cmocka_unit_test(test_equal_runs_take_turns),
        cmocka_unit_test(test_a_single_step),     cmocka_unit_test(test_lines_that_count),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
