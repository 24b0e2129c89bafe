/* How often a step is written to metrics.jsonl, and what that costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/training.h"

/* Every fourth step, and the last one of each run; evaluations at their own steps. No bit changes by it. */
static void a_cadence_spares_lines(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "all", TRAINING_MODEL "--max-steps 10 --eval-cadence 3");
    training_done(TRAINING_ALONE, 1, "few",
                  TRAINING_MODEL "--max-steps 6 --eval-cadence 3 --metrics-cadence 4");
    training_expect_steps("few", "loss", "4 6 ");
    training_done(2, 1, "few",
                  TRAINING_MODEL "--max-steps 10 --eval-cadence 3 --metrics-cadence 4 --resume latest");
    training_expect_steps("all", "loss", "1 2 3 4 5 6 7 8 9 10 ");
    training_expect_steps("few", "loss", "4 6 8 10 ");
    training_same_metric("all", "few", "val_loss");
    training_same_weights("all", "few", 10);
}

/* A step with an event has its line: here, every step whose gradient is not finite. */
static void a_skipped_step_has_its_line(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "skipping",
                  TRAINING_MODEL "--max-steps 9 --metrics-cadence 100 --on-nonfinite skip --hooks "
                                 "'{update: [{name: p, library: " HOOK_PROBE ", spoil: [5]}]}'");
    training_expect_steps("skipping", "in_a_row", "5 ");
    training_expect_steps("skipping", "loss", "5 9 ");
}

/* "About 190 bytes", as docs/formats.md and the option's help say. */
static void a_line_is_about_190_bytes(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "long", TRAINING_MODEL "--max-steps 200 --lr-schedule cosine");
    char *text = command_read_file("long/metrics.jsonl"), *rest = NULL;
    size_t bytes = 0, lines = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest))
        if (strstr(line, "\"loss\":") != NULL) {
            bytes += strlen(line) + 1;
            lines++;
        }
    assert_int_equal(lines, 200);
    assert_in_range(bytes / lines, 165, 205);
    free(text);
}

/* Each start tells every option, and each end why: a reader needs no other file. */
static void a_start_has_the_options_and_an_end_its_cause(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "ended", TRAINING_STEADY "--max-steps 2");
    training_done(2, 1, "ended", TRAINING_STEADY "--max-steps 3 --resume latest");
    char *text = command_read_file("ended/metrics.jsonl"), *rest = NULL, *last = NULL;
    int starts = 0, ends = 0;
    for (char *line = strtok_r(text, "\n", &rest); line != NULL; line = strtok_r(NULL, "\n", &rest)) {
        const bool is_start = strstr(line, "\"event\":\"run\"") != NULL;
        starts += is_start && strstr(line, "\"config\":{") && strstr(line, "\"learning_rate\":0.01");
        ends += strstr(line, "\"event\":\"end\"") != NULL;
        assert_int_equal(starts, ends + (strstr(line, "\"end\"") == NULL)); /* one, then the other */
        last = line;
    }
    assert_int_equal(starts, 2);
    assert_string_equal(last, "{\"event\":\"end\",\"step\":3,\"cause\":\"max_steps\"}");
    free(text);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_cadence_spares_lines),
                                       cmocka_unit_test(a_skipped_step_has_its_line),
                                       cmocka_unit_test(a_line_is_about_190_bytes),
                                       cmocka_unit_test(a_start_has_the_options_and_an_end_its_cause)};
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
