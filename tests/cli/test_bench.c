/*
 * `dtrain bench` on a tiny model prints its table and writes JSON whose sections are all there, whose numbers
 * are finite and positive, and whose times add up; wrong command lines are refused before anything is
 * measured. How long things take is never asserted.
 */
#include "support/command.h"

#include <math.h>
#include <setjmp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include <cmocka.h>

#define TINY_MODEL                                                                                           \
    "--n-layers 2 --d-model 32 --n-heads 2 --d-ff 64 --max-seq-len 32 --batch-size 4 --micro-batch-size 1"
#define TINY   TINY_MODEL " --repetitions 3"
#define LAUNCH DTRAIN_MPIRUN " --oversubscribe -np"

static const char *const micro_batch_rows[] = {"embedding forward",
                                               "embedding backward",
                                               "layernorm forward",
                                               "layernorm backward",
                                               "c_attn forward",
                                               "c_attn dX",
                                               "c_attn dW",
                                               "attention forward",
                                               "attention backward",
                                               "attn.c_proj forward",
                                               "attn.c_proj dX",
                                               "attn.c_proj dW",
                                               "c_fc forward",
                                               "c_fc dX",
                                               "c_fc dW",
                                               "gelu forward",
                                               "gelu backward",
                                               "mlp.c_proj forward",
                                               "mlp.c_proj dX",
                                               "mlp.c_proj dW",
                                               "dropout+residual forward",
                                               "dropout+residual backward",
                                               "head forward",
                                               "head dX",
                                               "head dW",
                                               "loss",
                                               "gradient norm",
                                               "adamw"};

#define MICRO_BATCH_ROWS (sizeof micro_batch_rows / sizeof *micro_batch_rows)

/* A number of an object; fails the test when it is missing or not finite. */
static double number(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value) || !isfinite(json_number_value(value)))
        fail_msg("expected a finite number \"%s\"", key);
    return json_number_value(value);
}

static void assert_ordered(const json_t *times) {
    assert_true(number(times, "min_ms") > 0.0);
    assert_true(number(times, "min_ms") <= number(times, "median_ms"));
    assert_true(number(times, "median_ms") <= number(times, "max_ms"));
    assert_true(number(times, "mean_half_width_95_ms") >= 0.0);
}

static const json_t *find_row(const json_t *rows, const char *name) {
    for (size_t i = 0; i < json_array_size(rows); i++)
        if (strcmp(json_string_value(json_object_get(json_array_get(rows, i), "section")), name) == 0)
            return json_array_get(rows, i);
    return NULL;
}

/* The whole step is the sum of its sections and what is unaccounted for, which no step has less of than
 * nothing. A step's sum lies between those of the sections' min and max times. Fractions are of the whole
 * step. */
static void assert_adds_up(const json_t *rows, const json_t *step) {
    const double whole = number(step, "median_ms"), sum = number(step, "sum_of_sections_ms");
    double min = 0.0, max = 0.0;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        min += number(row, "min_ms");
        max += number(row, "max_ms");
        assert_true(fabs(number(row, "fraction") * whole - number(row, "median_ms")) < 1e-6 * whole);
    }
    assert_true(min <= sum * (1.0 + 1e-6) && sum <= max * (1.0 + 1e-6));
    assert_true(sum <= whole && fabs(sum + number(step, "unaccounted_ms") - whole) < 1e-6 * whole);
    assert_true(number(step, "allreduce_hidden_ms") >= 0.0 && number(step, "without_timers_ms") > 0.0);
}

/* What was called otherwise in version 0.1.0 has that name too. */
static void assert_old_names(const json_t *report, const json_t *step) {
    const json_t *rows = json_object_get(report, "parts"), *row = json_array_get(rows, 0);
    assert_true(json_equal(rows, json_object_get(report, "sections")));
    assert_true(json_equal(json_object_get(row, "part"), json_object_get(row, "section")));
    assert_true(number(row, "share") == number(row, "fraction"));
    assert_true(number(step, "sum_of_parts_ms") == number(step, "sum_of_sections_ms"));
    assert_true(number(step, "exchange_hidden_ms") == number(step, "allreduce_hidden_ms"));
    assert_true(number(step, "exchange_exposed_ms") == number(step, "allreduce_exposed_ms"));
}

static void assert_report(const json_t *report, int ranks) {
    const json_t *rows = json_object_get(report, "sections"), *step = json_object_get(report, "step");
    const json_t *sgemm = json_object_get(json_object_get(report, "ceilings"), "sgemm_gflops");
    /* Side by side where OpenBLAS is installed, as the column sgemm tells. */
    assert_true(number(step, "own_products_ms") > 0.0);
    assert_int_equal(json_is_number(json_object_get(step, "openblas_products_ms")), json_is_number(sgemm));
    for (size_t i = 0; i < MICRO_BATCH_ROWS; i++) {
        const json_t *row = find_row(rows, micro_batch_rows[i]);
        if (row == NULL)
            fail_msg("there is no section \"%s\"", micro_batch_rows[i]);
        assert_ordered(row);
        assert_true(number(row, "calls") >= 1.0 && number(row, "gbytes_per_s") > 0.0);
        const bool product = strstr(micro_batch_rows[i], "c_") || strstr(micro_batch_rows[i], "head") ||
                             strstr(micro_batch_rows[i], "attention");
        assert_int_equal(json_is_null(json_object_get(row, "gflops")), !product);
        assert_int_equal(json_is_null(json_object_get(row, "gflop")), !product);
        if (product)
            assert_true(number(row, "gflops") > 0.0 && number(row, "of_fma") > 0.0 &&
                        number(row, "of_sgemm") > 0.0);
    }
    assert_int_equal(find_row(rows, "allreduce") != NULL, ranks > 1);
    assert_ordered(step);
    assert_adds_up(rows, step);
    assert_old_names(report, step);
    const json_t *ceilings = json_object_get(report, "ceilings"), *memory = json_object_get(report, "memory");
    assert_true(number(ceilings, "fma_gflops") > 0.0 && number(ceilings, "sgemm_gflops") > 0.0);
    assert_true(number(ceilings, "copy_gbytes_per_s") > 0.0);
    assert_true(number(memory, "resident_bytes") > 0.0 && number(memory, "computed_bytes") > 0.0);
    assert_int_equal(number(json_object_get(report, "machine"), "ranks"), ranks);
    assert_true(json_is_true(json_object_get(json_object_get(report, "check"), "passed")));
    assert_int_equal(number(json_object_get(report, "config"), "d_model"), 32);
}

/* The picture has every section that multiplies, as a mark, and every other that moves memory, as a bar. */
static void assert_picture(const char *path) {
    char *picture = command_read_file(path);
    assert_int_equal(strncmp(picture, "<svg ", 5), 0);
    assert_string_equal(picture + strlen(picture) - 7, "</svg>\n");
    for (size_t i = 0; i < MICRO_BATCH_ROWS; i++) {
        char title[64];
        snprintf(title, sizeof title, "<title>%s: ", micro_batch_rows[i]);
        if (strstr(picture, title) == NULL)
            fail_msg("the picture has no \"%s\"", micro_batch_rows[i]);
    }
    assert_null(strstr(picture, "nan"));
    assert_null(strstr(picture, "inf"));
    free(picture);
}

/* Runs `launcher dtrain bench ARGUMENTS --json FILE --report FILE`, and judges all outputs. */
static void run_and_judge(const char *launcher, const char *arguments, int ranks) {
    char *folder = command_enter_folder();
    command_result r =
        command_run("%s " DTRAIN " bench %s --json report.json --report roofline.svg", launcher, arguments);
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    assert_non_null(strstr(r.out, "\nsection "));
    assert_non_null(strstr(r.out, "\nsum of sections "));
    assert_non_null(strstr(r.out, "\nunaccounted "));
    assert_non_null(strstr(r.out, "\nwhole step "));
    assert_non_null(strstr(r.out, "PASSED\n"));
    for (size_t i = 0; i < MICRO_BATCH_ROWS; i++)
        assert_non_null(strstr(r.out, micro_batch_rows[i]));
    command_free(&r);
    json_error_t error;
    json_t *report = json_load_file("report.json", 0, &error);
    if (report == NULL)
        fail_msg("report.json: %s", error.text);
    assert_report(report, ranks);
    assert_picture("roofline.svg");
    json_decref(report);
    command_leave_folder(folder);
}

static void test_one_rank(void **state) {
    (void)state;
    run_and_judge("", TINY, 1);
}

static void test_two_ranks(void **state) {
    (void)state;
    run_and_judge(LAUNCH " 2", TINY, 2);
}

/* Micro-batches are dealt out unevenly, a micro-batch may be short, and one rank has no addition to make. */
static void test_uneven(void **state) {
    (void)state;
    run_and_judge(LAUNCH " 3", TINY " --batch-size 7 --micro-batch-size 2", 3);
}

static void test_threads(void **state) {
    (void)state;
    run_and_judge("OMP_NUM_THREADS=2", TINY, 1);
}

/* A learning rate that throws the weights out of the range of floats: the check says so, and the program
 * fails. */
static void test_check_fails(void **state) {
    (void)state;
    char *folder = command_enter_folder();
    command_result r = command_run(DTRAIN " bench " TINY " --learning-rate 1e30 --json report.json");
    assert_int_equal(r.exit_code, 1);
    assert_non_null(strstr(r.out, "FAILED\n"));
    assert_non_null(strstr(r.err, "the losses of the timed steps are not finite or differ between ranks"));
    command_free(&r);
    json_t *report = json_load_file("report.json", 0, NULL), *check = json_object_get(report, "check");
    assert_true(json_is_false(json_object_get(check, "passed")) &&
                json_is_null(json_object_get(check, "loss")));
    json_decref(report);
    command_leave_folder(folder);
}

static void assert_refused(const char *command, int exit_code, const char *sentence) {
    command_result r = command_run("%s", command);
    if (r.exit_code != exit_code || strstr(r.err, sentence) == NULL)
        fail_msg("%s: expected %d and \"%s\", found %d and \"%s\"", command, exit_code, sentence, r.exit_code,
                 r.err);
    assert_string_equal(r.out, "");
    command_free(&r);
}

static void test_refusals(void **state) {
    (void)state;
    assert_refused(DTRAIN " bench --repetitions 0", 2,
                   "--repetitions: expected a whole number from 1 to 1000000, found \"0\"");
    assert_refused(DTRAIN " bench --json /nowhere/report.json", 2,
                   "--json: cannot write /nowhere/report.json");
    assert_refused(DTRAIN " bench --repetition 3", 2, "did you mean --repetitions?");
    assert_refused(LAUNCH " 5 " DTRAIN " bench " TINY, 2, "5 ranks");
}

/* What is to be in a file comes there, though nobody reads the table any more; which is told at the end. */
static void test_reader_gone(void **state) {
    static const char *const verbs[] = {("bench " TINY), ("bench " TINY " --scaling strong --ranks 1"),
                                        ("plan " TINY_MODEL)};
    (void)state;
    char *folder = command_enter_folder();
    for (size_t v = 0; v < sizeof verbs / sizeof *verbs; v++) {
        command_result r = command_run("{ %s %s --json gone.json; echo $? >code; } | true", DTRAIN, verbs[v]);
        command_free(&r);
        json_t *all = json_load_file("gone.json", 0, NULL);
        char *code = command_read_file("code");
        if (all == NULL || strcmp(code, "1\n") != 0)
            fail_msg("%s: code %s", verbs[v], code);
        free(code);
        json_decref(all);
        assert_int_equal(remove("gone.json"), 0);
    }
    command_leave_folder(folder);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_one_rank),    cmocka_unit_test(test_two_ranks),
        cmocka_unit_test(test_uneven),      cmocka_unit_test(test_threads),
        cmocka_unit_test(test_check_fails), cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_reader_gone),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
