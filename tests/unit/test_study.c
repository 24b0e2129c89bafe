/* What follows from a study's times, by identities of speed-up, efficiency and serial fraction, and its page.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "report/scaling_figure.h"
#include "report/scaling_page.h"
#include "report/study_output.h"
#include "support/scratch.h"
#include "support/small_study.h"

#define assert_near(a, b) assert_true(fabs((a) - (b)) <= 1e-12 * fmax(1.0, fabs(b)))

/* Amdahl's law T(p) = s + (1 - s) / p gives S = 1 / T(p), from which Karp and Flatt's formula finds s again.
 */
static void the_serial_fraction_is_amdahls(void **state) {
    (void)state;
    for (int ranks = 2; ranks <= 1024; ranks *= 2)
        for (double serial = 0.0; serial <= 1.0; serial += 0.125)
            assert_near(dt_study_serial_fraction(1.0 / (serial + (1.0 - serial) / ranks), ranks), serial);
    assert_true(isnan(dt_study_serial_fraction(1.0, 1)));
    /* More than ideal is less than no serial part. */
    assert_true(dt_study_serial_fraction(2.2, 2) < 0.0);
}

static dt_study_point point(bool weak, int ranks, int64_t batch, double seconds, double half_width) {
    dt_study_point made = {.weak = weak, .ranks = ranks, .batch = batch, .threads_per_core = 1.0};
    made.step = (dt_statistics){.count = 5, .mean = seconds, .median = seconds, .half_width = half_width};
    made.plan.tokens_per_second = (double)(batch * 10) / (2.0 * seconds);
    made.plan.step_seconds = 2.0 * seconds;
    return made;
}

/* A study of two kinds; a point of each kind is missing. The caller frees it with small_study_drop. */
static dt_study *make_study(dt_config *config) {
    dt_study *study = small_study(config, 16, "node<1>", "A & B");
    assert_non_null(study);
    study->count = 6;
    study->point[0] = point(false, 1, 8, 8.0, 0.08);
    study->point[1] = point(false, 4, 8, 2.5, 0.05);
    study->point[2] =
        (dt_study_point){.ranks = 16, .batch = 8, .reason = "more ranks than the batch's 8 micro-batches"};
    study->point[3] = (dt_study_point){.weak = true, .ranks = 1, .batch = 8, .reason = "no memory"};
    study->point[4] = point(true, 2, 16, 8.0, 0.0);
    study->point[5] = point(true, 8, 64, 10.0, 0.1);
    study->point[5].threads_per_core = 2.0;
    dt_study_derive(study);
    return study;
}

/* Strong: S = T(1) / T(p). Weak: S = p T(p0) / T(p), from the first point that was measured, here on 2 ranks.
 */
static void speedups_compare_throughputs(void **state) {
    (void)state;
    dt_config config;
    dt_study *study = make_study(&config);
    assert_near(study->point[0].speedup, 1.0);
    assert_near(study->point[0].speedup_half_width, 0.0);
    assert_near(study->point[0].tokens_per_second, 10.0);
    assert_near(study->point[1].speedup, 8.0 / 2.5);
    assert_near(study->point[1].efficiency, 0.8);
    assert_near(study->point[1].speedup_half_width, 3.2 * sqrt(0.02 * 0.02 + 0.01 * 0.01));
    assert_near(study->point[4].speedup, 2.0);
    assert_near(study->point[5].speedup, 8.0 * 8.0 / 10.0);
    assert_near(study->point[5].efficiency, 0.8);
    assert_near(study->point[5].plan_speedup, 8.0 * 8.0 / 10.0);
    small_study_drop(study, &config);
}

/* Every point is in the JSON, in order; what could not be measured has its reason and no times. */
static void json_holds_every_point(void **state) {
    (void)state;
    dt_config config;
    dt_study *study = make_study(&config);
    json_t *all = dt_study_output_object(study);
    assert_non_null(all);
    const json_t *points = json_object_get(all, "points");
    assert_int_equal(json_array_size(points), 6);
    assert_near(json_real_value(json_object_get(json_array_get(points, 1), "speedup")), 3.2);
    assert_true(json_is_null(json_object_get(json_array_get(points, 0), "serial_fraction")));
    assert_string_equal(json_string_value(json_object_get(json_array_get(points, 3), "not_measured")),
                        "no memory");
    assert_null(json_object_get(json_array_get(points, 3), "step_ms"));
    json_decref(all);
    small_study_drop(study, &config);
}

static int64_t count_of(const char *text, const char *words) {
    int64_t count = 0;
    for (; (text = strstr(text, words)) != NULL; text++)
        count++;
    return count;
}

/* The page refers to nothing outside itself, escapes names, and shows each measured point in two figures. */
static void the_page_stands_alone(void **state) {
    (void)state;
    char *folder = scratch_make(), *path = dt_file_join(folder, "study.html"), *text;
    size_t length;
    dt_config config;
    dt_study *study = make_study(&config);
    assert_non_null(path);
    assert_int_equal(dt_scaling_page_write(study, path), DT_OK);
    assert_int_equal(dt_scaling_page_write(study, path), DT_OK); /* over itself */
    text = scratch_get(path, &length);
    static const char *const foreign[] = {"http:", "https:", "<script", "<link", "url(", "@import", "src="};
    for (size_t i = 0; i < sizeof foreign / sizeof *foreign; i++)
        assert_null(strstr(text, foreign[i]));
    assert_null(strstr(text, "nan"));
    /* Of studies that were joined this is not true. */
    assert_null(strstr(text, "one job"));
    assert_non_null(strstr(text, "node&lt;1&gt;"));
    assert_non_null(strstr(text, "A &amp; B"));
    assert_non_null(strstr(text, "dtrain 1.2.3, commit 0123abc, 2031-05-30T12:00:00Z")); /* what measured */
    assert_non_null(strstr(text, "1,234,567"));
    assert_int_equal(count_of(text, "<circle class=\"dot\" cx=") - count_of(text, "<div class=\"key\""),
                     2 * 4);
    assert_int_equal(count_of(text, "not measured: "), 2);
    assert_int_equal(count_of(text, "<svg class=\"chart\""), 4);
    assert_int_equal(count_of(text, "<rect class=\"crowded\""), 2);
    free(text);
    free(path);
    scratch_remove(folder);
    small_study_drop(study, &config);
}

/* The same work in both kinds, and times whose intervals do not meet: said once, on the page and off it. */
static void the_same_work_in_two_times_is_told(void **state) {
    (void)state;
    dt_config config;
    char text[512];
    dt_study *study = make_study(&config);
    study->point[3] = point(true, 1, 8, 8.5, 0.5); /* 8.0 to 9.0, and 7.92 to 8.08 */
    assert_false(dt_study_disagreement(study, 0, text, sizeof text));
    study->point[0].step.half_width = 0.373;
    study->point[0].step.mean = 2.797;
    study->point[3].step.half_width = 0.213;
    study->point[3].step.mean = 1.837;
    assert_true(dt_study_disagreement(study, 0, text, sizeof text));
    assert_non_null(strstr(
        text,
        "strong and weak scaling on 1 rank are the same work and took 2797.0 +- 373.0 ms and 1837.0 +- 213.0 ms"));
    assert_false(dt_study_disagreement(study, 1, text, sizeof text));
    study->point[3].batch = 16;
    assert_false(dt_study_disagreement(study, 0, text, sizeof text));
    small_study_drop(study, &config);
}

/* Both kinds in one picture, which needs nothing else and has no script. */
static void the_figures_stand_alone(void **state) {
    (void)state;
    char *folder = scratch_make(), *path = dt_file_join(folder, "study.svg"), *text;
    size_t length;
    dt_config config;
    dt_study *study = make_study(&config);
    assert_int_equal(dt_scaling_figure_write(study, path), DT_OK);
    text = scratch_get(path, &length);
    assert_int_equal(count_of(text, "<svg"), 1);
    assert_int_equal(count_of(text, "<text class=\"title\""), 4);
    assert_int_equal(count_of(text, "<circle class=\"dot\" cx="), 2 * 4 + 1);
    assert_null(strstr(text, "nan"));
    assert_null(strstr(text, "&nbsp;")); /* which XML does not know */
    free(text);
    free(path);
    scratch_remove(folder);
    small_study_drop(study, &config);
}

static void a_page_without_a_place_is_refused(void **state) {
    (void)state;
    dt_config config;
    dt_study *study = make_study(&config);
    assert_int_equal(dt_scaling_page_write(study, "/nowhere/study.html"), DT_FAILED);
    assert_non_null(strstr(dt_error(), "/nowhere/study.html"));
    small_study_drop(study, &config);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(the_serial_fraction_is_amdahls),
    cmocka_unit_test(speedups_compare_throughputs),
    cmocka_unit_test(json_holds_every_point),
    cmocka_unit_test(the_page_stands_alone),
    cmocka_unit_test(the_figures_stand_alone),
    cmocka_unit_test(the_same_work_in_two_times_is_told),
    cmocka_unit_test(a_page_without_a_place_is_refused),
};

int main(void) {
    return cmocka_run_group_tests(tests, NULL, NULL);
}
