/* dtrain data: which windows each step takes; and what is said of a text that the vocabulary does not suit.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/text.h"
#include "support/verb.h"

enum { SLOTS = 16, STREAM_WINDOWS = 55 }; /* 28500 tokens: 890 windows of 32, in 16 streams of 55 */

/* One line of `dtrain data`: step `step`'s windows, marked in `seen`. */
static void mark_windows(const char *line, int64_t step, int seen[SLOTS * STREAM_WINDOWS]) {
    json_t *object = json_loads(line, 0, NULL);
    const json_t *windows = json_object_get(object, "windows");
    assert_int_equal(json_integer_value(json_object_get(object, "step")), step);
    assert_int_equal(json_object_size(object), 2);
    assert_int_equal(json_array_size(windows), SLOTS);
    for (size_t slot = 0; slot < SLOTS; slot++) {
        const json_int_t window = json_integer_value(json_array_get(windows, slot));
        assert_int_equal(window / STREAM_WINDOWS, slot);
        seen[window]++;
    }
    json_decref(object);
}

/* A run, eval and data each warn of it; the start of the run holds the number. */
static void an_unknown_script_is_warned_of(void **state) {
    (void)state;
    command_result r = command_run("yes '\xe4\xb8\xad\xe6\x96\x87 a' | head -n 2000 >script.txt; printf "
                                   "'\\357\\273\\277' | cat - script.txt >marked.txt");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    /* A line is two characters that are unknown and three that are not: 40 %. */
    static const char warning[] =
        "dtrain: warning: 40.0 % of script.txt (4000 of 10000 characters, 0 for bytes that are not UTF-8) are not "
        "in the vocabulary";
    static const char *const lines[] = {
        "train --data script.txt --max-seq-len 32 --d-model 16 --max-steps 1 --out-dir script",
        "eval " VERB_CHECKPOINT " --data script.txt",
        "data --data script.txt --max-seq-len 32 --seed 1 --steps 1"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        r = command_run("%s %s", DTRAIN, lines[i]);
        if (r.exit_code != 0 || strstr(r.err, warning) == NULL)
            fail_msg("%s: exit code %d, \"%s\"", lines[i], r.exit_code, r.err);
        command_free(&r);
    }
    char *metrics = command_read_file("script/metrics.jsonl");
    assert_non_null(strstr(metrics, "\"corpus_tokens\":10000,\"corpus_unknown\":4000,"));
    free(metrics);
    r = command_run("%s data --data marked.txt --max-seq-len 32 --seed 1 --steps 1", DTRAIN);
    assert_non_null(strstr(r.err, "marked.txt begins with a byte order mark, which counts as one <UNK>"));
    command_free(&r);
}

/* An epoch is as many steps as a stream has windows, and the default of --steps; two hold each window twice.
 */
static void an_epoch_holds_each_window_once(void **state) {
    (void)state;
    static const char *const flags[] = {"", "--steps 110", "--no-shuffle"};
    for (int64_t f = 0; f < 3; f++) {
        int seen[SLOTS * STREAM_WINDOWS] = {0};
        const int64_t epochs = f == 1 ? 2 : 1;
        char line[512], *rest = NULL;
        snprintf(line, sizeof line, "data --data text.txt --max-seq-len 32 --seed 3 %s", flags[f]);
        char *out = verb_output("", line);
        int64_t steps = 0;
        for (char *at = strtok_r(out, "\n", &rest); at != NULL; at = strtok_r(NULL, "\n", &rest))
            mark_windows(at, ++steps, seen);
        assert_int_equal(steps, epochs * STREAM_WINDOWS);
        for (int64_t w = 0; w < SLOTS * STREAM_WINDOWS; w++)
            assert_int_equal(seen[w], epochs);
        free(out);
    }
    char *ordered = verb_output(
        "", "data --data text.txt --max-seq-len 32 --seed 3 --no-shuffle --batch-size 2 --steps 2");
    assert_string_equal(ordered, "{\"step\":1,\"windows\":[0,445]}\n{\"step\":2,\"windows\":[1,446]}\n");
    free(ordered);
}

/* 890 windows in streams of 300: a third is left over and warned of, and when it is spread no window is
 * missing in the three steps that the longest streams take. */
static void no_window_is_left_over_when_they_are_spread(void **state) {
    (void)state;
    static const char line[] = "data --data text.txt --max-seq-len 32 --seed 3 --batch-size 300 "
                               "--leftover-windows";
    static const char warning[] =
        "dtrain: warning: every epoch leaves out 32.6 % of the train split, its last 9299 tokens";
    command_result dropped = command_run("%s %s drop", DTRAIN, line);
    command_result spread = command_run("%s %s spread", DTRAIN, line);
    assert_int_equal(dropped.exit_code, 0);
    assert_non_null(strstr(dropped.err, warning));
    assert_int_equal(spread.exit_code, 0);
    assert_string_equal(spread.err, "");
    int seen[890] = {0}, steps = 0;
    char *rest = NULL;
    for (char *at = strtok_r(spread.out, "\n", &rest); at != NULL; at = strtok_r(NULL, "\n", &rest)) {
        json_t *object = json_loads(at, 0, NULL);
        const json_t *windows = json_object_get(object, "windows");
        assert_int_equal(json_array_size(windows), 300);
        for (size_t slot = 0; slot < 300; slot++) {
            const json_int_t window = json_integer_value(json_array_get(windows, slot));
            assert_in_range(window, 0, 889);
            seen[window]++;
        }
        json_decref(object);
        steps++;
    }
    assert_int_equal(steps, 3);
    for (int w = 0; w < 890; w++)
        assert_in_range(seen[w], 1, 2); /* streams of two begin again */
    command_free(&dropped);
    command_free(&spread);
}

static void data_needs_a_seed(void **state) {
    (void)state;
    verb_refused(
        "data --data text.txt --steps 2", 2,
        "dtrain: error: data: expected a seed, since it decides the order; give --seed N, for a run of "
        "the past "
        "the one in its metrics.jsonl\n");
    verb_refused("data --data text.txt --seed 1 --steps none", 2,
                 "dtrain: error: --steps: expected a whole number of at least 1, found \"none\"\n");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_unknown_script_is_warned_of),
        cmocka_unit_test(an_epoch_holds_each_window_once),
        cmocka_unit_test(no_window_is_left_over_when_they_are_spread),
        cmocka_unit_test(data_needs_a_seed),
    };
    return cmocka_run_group_tests(tests, verb_set_up, command_tear_down);
}
