/* Studies read back from JSON: what a study writes is taken, all of it, and nothing else. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/log.h"
#include "report/merge.h"
#include "report/study_output.h"
#include "support/scratch.h"
#include "support/sentence.h"
#include "support/small_study.h"

static dt_study_point point(bool weak, int ranks, double seconds) {
    dt_study_point made = {
        .weak = weak, .ranks = ranks, .batch = weak ? 8 * ranks : 8, .threads_per_core = 1.0};
    made.step = (dt_statistics){.count = 5,
                                .mean = seconds,
                                .median = seconds,
                                .minimum = 0.9 * seconds,
                                .maximum = 1.1 * seconds,
                                .half_width = 0.01 * seconds};
    made.allreduce_seconds = 0.2 * seconds;
    made.exposed_seconds = 0.1 * seconds;
    made.plan.step_seconds = 0.9 * seconds;
    made.plan.exposed_seconds = 0.05 * seconds;
    made.plan.tokens_per_second = (double)(made.batch * 10) / made.plan.step_seconds;
    return made;
}

/* Writes `file`: a study of one strong point, which `ranks` ranks took on these hosts. */
static void put_study(const char *file, int ranks, json_t *hosts, double seconds) {
    dt_config config;
    dt_study *study = small_study(&config, ranks, "", "A processor");
    assert_non_null(study);
    json_decref(study->machine.hosts);
    study->machine.hosts = hosts;
    study->count = 1;
    study->measured.link = (dt_link){.latency_seconds = 1e-6, .bandwidth_bytes = 1e9};
    study->point[0] = point(false, ranks, seconds);
    dt_study_derive(study);
    json_t *all = dt_study_output_object(study);
    assert_int_equal(json_dump_file(all, file, 0), 0);
    json_decref(all);
    small_study_drop(study, &config);
}

/* good.json is a study of two ranks: two strong points, a weak one, and one that was not measured. */
static int enter(void **state) {
    dt_config config;
    *state = scratch_make();
    dt_log_open(false, false);
    dt_study *study = chdir(*state) == 0 ? small_study(&config, 2, "node", "A processor") : NULL;
    if (study == NULL)
        return 1;
    study->count = 4;
    study->measured.link = (dt_link){.latency_seconds = 1e-6, .bandwidth_bytes = 1e9};
    study->measured.probe = (dt_probe){.forward_seconds = 1, .backward_seconds = 2, .update_seconds = 0.5};
    study->point[0] = point(false, 1, 8.0);
    study->point[1] = point(false, 2, 5.0);
    study->point[2] = point(true, 1, 8.0);
    study->point[3] = (dt_study_point){.weak = true, .ranks = 2, .batch = 16, .reason = "no memory"};
    dt_study_derive(study);
    json_t *all = dt_study_output_object(study);
    const int written = json_dump_file(all, "good.json", 0);
    json_decref(all);
    small_study_drop(study, &config);
    return written;
}

static int leave(void **state) {
    scratch_remove(*state);
    return 0;
}

static dt_status merge(const char *file) {
    return dt_merge_verb(&file, 1, "out.json", "out.html");
}

/* Numbers are the same but for the rounding of milliseconds to seconds and back; all else is equal. */
static void assert_same(const json_t *a, const json_t *b) {
    const char *key;
    json_t *value;
    size_t i;
    assert_int_equal(json_typeof(a), json_typeof(b));
    if (json_is_object(a)) {
        assert_int_equal(json_object_size(a), json_object_size(b));
        json_object_foreach((json_t *)a, key, value) assert_same(value, json_object_get(b, key));
    } else if (json_is_array(a)) {
        assert_int_equal(json_array_size(a), json_array_size(b));
        json_array_foreach(a, i, value) assert_same(value, json_array_get(b, i));
    } else if (json_is_real(a))
        assert_true(fabs(json_real_value(a) - json_real_value(b)) <= 1e-12 * fabs(json_real_value(a)));
    else
        assert_true(json_equal(a, b));
}

/* Identity: a study by itself stays what it is, with what is null or absent in it, and so does that study. */
static void one_study_stays_what_it_is(void **state) {
    (void)state;
    assert_done(merge("good.json"));
    json_t *good = json_load_file("good.json", 0, NULL), *merged = json_load_file("out.json", 0, NULL);
    assert_non_null(good);
    assert_same(good, merged);
    json_decref(merged);
    assert_done(merge("out.json"));
    merged = json_load_file("out.json", 0, NULL);
    assert_same(good, merged);
    json_decref(merged);
    json_decref(good);
}

/* A value of a study that is taken away, or another put in its place, and what is said of it then. */
typedef struct damage {
    bool of_point;     /* of point 2, which was measured; else of the study itself */
    const char *key;   /* "probe.update_ms": inside an object */
    const char *value; /* JSON; NULL: none */
    const char *says;
} damage;

static const damage damages[] = {
    {true, "scaling", "\"strnog\"", "scaling to be \"strong\" or \"weak\", found \"strnog\""},
    {true, "scaling", NULL, "scaling to be a text of 1 to 6 bytes, found none"},
    {true, "ranks", "4294967297", "ranks to be a whole number from 1 to 2, found 4294967297"},
    {true, "ranks", "3", "ranks to be a whole number from 1 to 2, found 3"},
    {true, "ranks", "1.0", "ranks to be a whole number from 1 to 2, found 1"},
    {true, "ranks", "0", "ranks to be a whole number from 1 to 2, found 0"},
    {true, "batch", "-4", "batch to be 8, found -4"},
    {true, "not_measured", "5", "not_measured to be a text of 1 to 255 bytes, found 5"},
    {true, "not_measured", "\"\"", "not_measured to be a text of 1 to 255 bytes, found \"\""},
    {true, "threads_per_core", NULL, "threads_per_core to be a number, found none"},
    {true, "step_ms", "0", "step_ms to be a number from 1e-09 to 1e+15, found 0"},
    {true, "step_ms", "-1", "step_ms to be a number from 1e-09 to 1e+15, found -1"},
    {true, "step_ms", "5e-324", "step_ms to be a number from 1e-09 to 1e+15, found 4.94066e-324"},
    {true, "step_ms", "1e300", "step_ms to be a number from 1e-09 to 1e+15, found 1e+300"},
    {true, "step_ms_half_width", NULL, "step_ms_half_width to be a number, found none"},
    {true, "step_ms_median", "null", "step_ms_median to be a number, found null"},
    {true, "step_ms_minimum", "[1, 2]", "step_ms_minimum to be a number, found a list of 2"},
    {true, "step_ms_maximum", "{}", "step_ms_maximum to be a number, found an object"},
    {true, "comm_ms", "true", "comm_ms to be a number, found true"},
    {true, "exposed_ms", NULL, "exposed_ms to be a number, found none"},
    {true, "exposed_ms", "-1", "exposed_ms to be a number from 0 to 1e+15, found -1"},
    {true, "predicted_step_ms", "\"3\"", "predicted_step_ms to be a number, found \"3\""},
    {true, "predicted_exposed_ms", NULL, "predicted_exposed_ms to be a number, found none"},
    {false, "points", "[]", "points to be a list of 1 to 128, found a list of 0"},
    {false, "points", "{}", "to hold a study of dtrain bench --scaling, found something else"},
    {false, "points", "[3]", "point 1: expected scaling to be a text of 1 to 6 bytes, found none"},
    {false, "config", NULL, "to hold a study of dtrain bench --scaling, found something else"},
    {false, "config", "{\"n_layer\": 1}", "bad.json: config: unknown key n_layer; did you mean n_layers?"},
    {false, "hosts", "[1, 2]", "hosts to be a list of names, found a list of 2"},
    {false, "hosts", "[\"a\", \"b\", \"c\"]", "hosts to be no more hosts than ranks, found a list of 3"},
    {false, "other_hosts", "[\"\"]", "other_hosts to be a list of names, found a list of 1"},
    {false, "hosts", "[]", "hosts to be a list of 1 to 65536, found a list of 0"},
    {false, "ranks", "65537", "ranks to be a whole number from 1 to 65536, found 65537"},
    {false, "ranks", "1", "host_ranks to be 1, found 2"},
    {false, "host_ranks", "3", "host_ranks to be a whole number from 1 to 2, found 3"},
    {false, "threads", NULL, "threads to be a whole number from 1 to 2147483647, found none"},
    {false, "cores", "0", "cores to be a whole number from 1 to 2147483647, found 0"},
    {false, "parameters", NULL, "parameters to be a whole number from 1 to 9223372036854775807, found none"},
    {false, "repetitions", "1", "repetitions to be a whole number from 2 to 1000000, found 1"},
    {false, "warmups", "\"3\"", "warmups to be a whole number from 0 to 1000000, found \"3\""},
    {false, "processor", "7", "processor to be a text of 1 to 127 bytes, found 7"},
    {false, "time", "\"the day after the day after tomorrow\"", "time to be a text of 1 to 31 bytes"},
    {false, "kernels", NULL, "kernels to be a text of 1 to 127 bytes, found none"},
    {false, "git_commit", "\"\"", "git_commit to be a text of 1 to 127 bytes, found \"\""},
    {false, "latency_us", NULL, "latency_us to be a number, found none"},
    {false, "bandwidth_gbps", "0", "bandwidth_gbps to be a number from 1e-09 to 1e+15, found 0"},
    {false, "probe", NULL, "probe to be an object, found none"},
    {false, "probe.update_ms", "null", "probe: expected update_ms to be a number, found null"},
};

/* Makes bad.json of good.json. */
static void put_damaged(const damage *d) {
    char object[32];
    const char *dot = strchr(d->key, '.'), *key = dot ? dot + 1 : d->key;
    json_t *study = json_load_file("good.json", 0, NULL), *into = study;
    assert_non_null(study);
    if (dot) {
        snprintf(object, sizeof object, "%.*s", (int)(dot - d->key), d->key);
        into = json_object_get(study, object);
    }
    if (d->of_point)
        into = json_array_get(json_object_get(study, "points"), 1);
    assert_true(json_is_object(into));
    if (d->value)
        assert_int_equal(json_object_set_new(into, key, json_loads(d->value, JSON_DECODE_ANY, NULL)), 0);
    else
        assert_int_equal(json_object_del(into, key), 0);
    assert_int_equal(json_dump_file(study, "bad.json", 0), 0);
    json_decref(study);
}

/* Each is refused by one sentence, and what was merged before stays. */
static void damage_is_told(void **state) {
    (void)state;
    size_t wrong = 0, before_bytes, after_bytes;
    assert_done(merge("good.json"));
    char *before = scratch_get("out.json", &before_bytes);
    for (size_t i = 0; i < sizeof damages / sizeof *damages; i++) {
        const damage *d = &damages[i];
        put_damaged(d);
        const dt_status found = merge("bad.json");
        const bool told = found == DT_USAGE && strstr(dt_error(), d->says) != NULL &&
                          strncmp(dt_error(), "--merge: ", strlen("--merge: ")) == 0 &&
                          (!d->of_point || strstr(dt_error(), "bad.json: point 2: expected ") != NULL);
        if (!told)
            print_error("%s %s: expected \"%s\", found %d and \"%s\"\n", d->key, d->value ? d->value : "gone",
                        d->says, (int)found, dt_error());
        wrong += !told;
    }
    assert_int_equal(wrong, 0);
    char *after = scratch_get("out.json", &after_bytes);
    assert_string_equal(before, after);
    free(before);
    free(after);
}

static void expect_hosts(const char *expected, const char *expected_others) {
    json_t *out = json_load_file("out.json", 0, NULL), *hosts = json_loads(expected, 0, NULL),
           *others = json_loads(expected_others, 0, NULL);
    assert_true(json_equal(json_object_get(out, "hosts"), hosts));
    assert_true(json_equal(json_object_get(out, "other_hosts"), others));
    json_decref(out);
    json_decref(hosts);
    json_decref(others);
}

/* Four ranks on two hosts are that after one of a third host has joined them, in whatever order, and when
 * what came of it is joined again. */
static void hosts_are_those_of_the_largest_job(void **state) {
    (void)state;
    const char *const orders[][2] = {{"n1.json", "n34.json"}, {"n34.json", "n1.json"}};
    put_study("n1.json", 1, json_pack("[s]", "n1"), 8.0);
    put_study("n34.json", 4, json_pack("[s, s]", "n3", "n4"), 2.5);
    put_study("n5.json", 2, json_pack("[s, s]", "n5", "n3"), 4.5);
    for (size_t i = 0; i < 2; i++) {
        assert_done(dt_merge_verb(orders[i], 2, "out.json", "out.html"));
        expect_hosts("[\"n3\", \"n4\"]", "[\"n1\"]");
    }
    size_t length;
    char *page = scratch_get("out.html", &length);
    assert_non_null(strstr(page, ">Hosts</th><td>n3, n4</td>"));
    assert_non_null(strstr(page, ">Of smaller jobs</th><td>n1</td>"));
    free(page);
    assert_int_equal(rename("out.json", "two.json"), 0);
    assert_done(dt_merge_verb((const char *const[]){"n5.json", "two.json"}, 2, "out.json", NULL));
    expect_hosts("[\"n3\", \"n4\"]", "[\"n5\", \"n1\"]");
}

/* What is no study by its size or its kind is refused before it is read: it could take all memory, or for
 * ever. */
static void what_is_no_file_of_a_study_is_not_read(void **state) {
    (void)state;
    scratch_put("large.json", "{", 1);
    assert_int_equal(truncate("large.json", (off_t)1 << 40), 0);
    assert_int_equal(mkfifo("pipe.json", 0600), 0);
    const char *const files[][2] = {{"large.json", "cannot read large.json: expected at most 16777216 bytes"},
                                    {"pipe.json", "cannot read pipe.json: expected a regular file"},
                                    {".", "cannot read .: expected a regular file, found a folder"},
                                    {"none.json", "cannot open none.json: No such file or directory"}};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        assert_int_equal(merge(files[i][0]), DT_USAGE);
        if (strstr(dt_error(), files[i][1]) == NULL)
            fail_msg("expected \"%s\" in \"%s\"", files[i][1], dt_error());
    }
}

/* Whatever a study says of a time, and of a prediction, the page is as small and as soon there. */
static void no_number_makes_a_page_large(void **state) {
    (void)state;
    const double numbers[] = {1e6, 1e9, 1e15, 1e-9, 1e-3};
    const char *const keys[] = {"step_ms",         "predicted_step_ms", "step_ms_half_width",
                                "step_ms_maximum", "comm_ms",           "threads_per_core"};
    for (size_t k = 0; k < sizeof keys / sizeof *keys; k++)
        for (size_t n = 0; n < sizeof numbers / sizeof *numbers; n++) {
            char value[32];
            size_t length;
            snprintf(value, sizeof value, "%.17g", numbers[n]);
            put_damaged(&(damage){true, keys[k], value, NULL});
            assert_done(merge("bad.json"));
            free(scratch_get("out.html", &length));
            assert_true(length < 40000);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_are_those_of_the_largest_job), cmocka_unit_test(no_number_makes_a_page_large),
        cmocka_unit_test(what_is_no_file_of_a_study_is_not_read),
        cmocka_unit_test(one_study_stays_what_it_is), cmocka_unit_test(damage_is_told)};
    return cmocka_run_group_tests(tests, enter, leave);
}
