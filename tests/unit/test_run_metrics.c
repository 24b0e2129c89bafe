/* What is read of a metrics.jsonl: torn and spoilt lines, resumes, and what follows from steps. */
#include "support/sentence.h"
#include "support/scratch.h"

#include <math.h>

#include "report/run_set.h"

#define RUN(start)    "{\"event\":\"run\",\"run_id\":\"1\",\"start_step\":" #start ",\"config\":{\"seed\":3}}\n"
#define STEP(n, loss) "{\"step\":" #n ",\"loss\":" #loss ",\"step_ms\":1800,\"tokens_per_s\":10,\"lr\":0.1}\n"

/* Reads lines as a run's; the caller frees it. */
static dt_run_metrics read(const char *lines) {
    char *folder = scratch_make();
    dt_run_metrics metrics;
    scratch_put_in(folder, "run", "metrics.jsonl", lines);
    char *run = dt_file_join(folder, "run");
    assert_done(dt_run_metrics_read(&metrics, run));
    free(run);
    scratch_remove(folder);
    return metrics;
}

/* Two steps a line (metrics_cadence: 2), a stop and a resume: hours and tokens go on where they were. */
static void test_a_resumed_run(void **state) {
    (void)state;
    dt_run_metrics m =
        read(RUN(0) STEP(2, 4.5) STEP(4, 4.0) "{\"event\":\"end\",\"step\":4,\"cause\":\"SIGUSR1\"}\n" RUN(4)
                 STEP(6, 3.5) "{\"step\":6,\"val_loss\":3.25}\n{\"step\":6,\"save_ms\":1,\"write_ms\":2}\n");
    assert_int_equal(m.series[DT_RUN_TRAIN].count, 3);
    assert_int_equal(m.events, 3);
    assert_int_equal(m.event[0].kind, DT_RUN_EVENT_START);
    assert_int_equal(m.event[2].kind, DT_RUN_EVENT_RESUME);
    assert_int_equal(m.event[2].step, 4);
    assert_int_equal(m.last_step, 6);
    assert_true(m.series[DT_RUN_TOKENS].value[2] == 6 * 18);
    assert_true(fabs(m.series[DT_RUN_HOURS].value[2] - 6 * 1.8 / 3600) < 1e-12);
    assert_true(m.series[DT_RUN_SAVE_MS].count == 1 && m.series[DT_RUN_VALIDATION].value[0] == 3.25);
    assert_int_equal(json_integer_value(json_object_get(dt_run_metrics_config(&m), "seed")), 3);
    assert_null(dt_run_metrics_end(&m)); /* it goes on */
    dt_run_metrics_free(&m);
}

/* A run that began from another's checkpoint has that one's tokens behind it, and no time. */
static void test_a_run_that_begins_apart(void **state) {
    (void)state;
    dt_run_metrics m = read(RUN(100) STEP(101, 2.0) STEP(102, 2.0));
    assert_true(m.series[DT_RUN_TOKENS].value[1] == 102 * 18);
    assert_true(fabs(m.series[DT_RUN_HOURS].value[1] - 2 * 1.8 / 3600) < 1e-12);
    dt_run_metrics_free(&m);
}

/* Torn, spoilt, empty and foreign lines take nothing along but themselves. */
static void test_spoilt_lines(void **state) {
    (void)state;
    dt_run_metrics m = read(
        RUN(0) STEP(1, 4.5) "\n{\"step\":2,\"lo{\"step\":2,\"loss\":9}\nnot JSON\n[1,2]\n3\n" STEP(3, null)
            STEP(4, 3.0) "{\"step\": 5, \"loss\": 2.5}\n{\"event\":\"unheard_of\",\"step\":5}\n"
                         "{\"step\":5,\"sample\":\"a\\u0001\xff<b>\"}\n"
                         "{\"step\":5,\"hook\":\"h\",\"noise_scale\":12.5}\n"
                         "{\"step\":6,\"loss\":2.");
    assert_int_equal(m.series[DT_RUN_TRAIN].count, 3);
    assert_true(m.series[DT_RUN_TRAIN].value[2] == 2.5);
    assert_int_equal(m.samples, 1);
    assert_string_equal(m.sample[0].text, "a\x01\xef\xbf\xbd<b>");
    assert_true(m.series[DT_RUN_NOISE_SCALE].count == 1 && m.series[DT_RUN_NOISE_SCALE].value[0] == 12.5);
    assert_int_equal(m.last_step, 5);
    dt_run_metrics_free(&m);
}

static void test_no_lines(void **state) {
    (void)state;
    dt_run_metrics m = read("");
    assert_int_equal(dt_run_metrics_expect_losses(&m), DT_USAGE);
    assert_null(dt_run_metrics_start(&m));
    assert_null(dt_run_metrics_config(&m));
    dt_run_metrics_free(&m);
}

/* The best validation loss comes first, then runs that have none, by their training losses, then those
 * without any; names are as short as tells them apart. */
static void test_a_set_is_sorted(void **state) {
    static const char *const lines[] = {
        RUN(0) STEP(1, 3.0) "{\"step\":1,\"val_loss\":2.5}\n", "", RUN(0) STEP(1, 1.0),
        RUN(0) STEP(1, 9.0) "{\"step\":1,\"val_loss\":2.0}\n{\"step\":2,\"val_loss\":7}\n"
                            "{\"event\":\"end\",\"step\":2,\"cause\":\"max_steps\"}\n"};
    static const char *const wanted[] = {"d", "a", "c", "b"};
    char *folder = scratch_make(), *name[4];
    dt_run_set set;
    (void)state;
    for (int i = 0; i < 4; i++) {
        const char letter[] = {(char)('a' + i), 0};
        scratch_put_in(folder, letter, "metrics.jsonl", lines[i]);
        name[i] = dt_file_join(folder, letter);
    }
    assert_done(dt_run_set_read(&set, (const char *const *)name, 4, false));
    for (int i = 0; i < 4; i++) {
        assert_string_equal(set.run[i].label, wanted[i]);
        free(name[i]);
    }
    assert_int_equal(set.run[0].best_step, 1);
    assert_int_equal(set.run[0].state, DT_RUN_FINISHED);
    assert_int_equal(set.run[1].state, DT_RUN_CUT);
    assert_true(set.domain.high[DT_CHART_STEPS] == 2.0 && set.domain.high[DT_CHART_TOKENS] == 18.0);
    dt_run_set_free(&set);
    scratch_remove(folder);
}

/* With tokenizers of different kinds a loss per token compares nothing: bits per byte decide. */
static void test_tokenizers_are_compared_by_bytes(void **state) {
    static const char *const lines[] = {
        "{\"event\":\"run\",\"start_step\":0,\"config\":{\"tokenizer\":\"ascii\"}}\n"
        "{\"step\":1,\"val_loss\":1.5,\"val_bits_per_byte\":2.25}\n",
        "{\"event\":\"run\",\"start_step\":0,\"config\":{\"tokenizer\":\"gpt2.json\"}}\n"
        "{\"step\":1,\"val_loss\":4.5,\"val_bits_per_byte\":1.25}\n"};
    char *folder = scratch_make();
    (void)state;
    scratch_put_in(folder, "ascii", "metrics.jsonl", lines[0]);
    scratch_put_in(folder, "bpe", "metrics.jsonl", lines[1]);
    char *name[] = {dt_file_join(folder, "ascii"), dt_file_join(folder, "bpe"),
                    dt_file_join(folder, "ascii")};
    dt_run_set set;
    assert_done(dt_run_set_read(&set, (const char *const *)name, 2, false));
    assert_true(set.by_bytes);
    assert_string_equal(set.run[0].label, "bpe");
    dt_run_set_free(&set);
    free(name[1]);
    name[1] = name[2];
    assert_done(dt_run_set_read(&set, (const char *const *)name, 2, false));
    assert_false(set.by_bytes);
    dt_run_set_free(&set);
    free(name[0]);
    free(name[1]);
    scratch_remove(folder);
}

/* Steps that no run has are within what charts span, too. */
static void test_steps_below_0(void **state) {
    char *folder = scratch_make();
    dt_run_set set;
    (void)state;
    scratch_put_in(folder, "r", "metrics.jsonl", STEP(-5, 2.0) STEP(1000, 1.0));
    char *name = dt_file_join(folder, "r");
    assert_done(dt_run_set_read(&set, (const char *const *)&name, 1, false));
    assert_true(set.domain.low[DT_CHART_STEPS] == -5.0 && set.domain.high[DT_CHART_STEPS] == 1000.0);
    dt_run_set_free(&set);
    free(name);
    scratch_remove(folder);
}

/* What a line says of its tokens counts, where it does. */
static void test_tokens_of_a_line(void **state) {
    (void)state;
    dt_run_metrics m =
        read("{\"step\":4,\"loss\":2,\"step_ms\":1000,\"tokens_per_s\":10,\"tokens\":77,\"mfu\":0.25}\n");
    assert_true(m.series[DT_RUN_TOKENS].value[0] == 77 && m.series[DT_RUN_UTILISATION].value[0] == 0.25);
    dt_run_metrics_free(&m);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_resumed_run),   cmocka_unit_test(test_a_run_that_begins_apart),
        cmocka_unit_test(test_spoilt_lines),    cmocka_unit_test(test_no_lines),
        cmocka_unit_test(test_a_set_is_sorted), cmocka_unit_test(test_tokenizers_are_compared_by_bytes),
        cmocka_unit_test(test_steps_below_0),   cmocka_unit_test(test_tokens_of_a_line)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
