/*
 * Runs of version 0.1.0, kept in tests/samples, stay readable: verify, eval, progress and a resume take them.
 *
 *     first     an early form: no parent_run_id, no val_loss, fewer options
 *     exchange  the last form before the option `exchange` was called `allreduce`
 *
 * Both trained on tests/samples/text.txt on two ranks up to step 6, and have the checkpoint of step 3.
 * Their metrics.jsonl is called metrics.sample there, so that `dtrain runs` in the source's folder lists the
 * runs of whoever works there alone.
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
#include <jansson.h>

#include "support/training.h"

/* What evaluations of the same weights may differ by: later versions order some sums in another way. */
#define SAME_LOSS 1e-6

static const char *const samples[] = {"first", "exchange"};

#define EVERY_SAMPLE(i)                                                                                      \
    size_t i = 0;                                                                                            \
    i < sizeof samples / sizeof *samples;                                                                    \
    i++

/* A folder with copies of the samples, which a resume may change. */
static int set_up(void **state) {
    *state = command_enter_folder();
    command_result r = command_run("cp -r '%s/tests/samples/.' . && for run in first exchange; do "
                                   "mv $run/metrics.sample $run/metrics.jsonl || exit; done",
                                   DTRAIN_SOURCE_DIR);
    const int code = r.exit_code;
    command_free(&r);
    return code;
}

static command_result succeed(const char *words, const char *sample) {
    char line[256];
    snprintf(line, sizeof line, words, sample);
    command_result r = command_run("%s %s", DTRAIN_PROGRAM, line);
    if (r.exit_code != 0)
        fail_msg("%s: exit code %d: %s", line, r.exit_code, r.err);
    return r;
}

/* The losses of the steps of metrics.jsonl into loss[1..6]; 0 where there is none. */
static void read_losses(const char *sample, double loss[7]) {
    char name[64], line[8192];
    snprintf(name, sizeof name, "%s/metrics.jsonl", sample);
    FILE *file = fopen(name, "r");
    assert_non_null(file);
    memset(loss, 0, 7 * sizeof *loss);
    while (fgets(line, sizeof line, file)) {
        json_t *object = json_loads(line, 0, NULL);
        assert_non_null(object);
        const json_int_t step = json_integer_value(json_object_get(object, "step"));
        if (json_object_get(object, "loss")) {
            assert_in_range(step, 1, 6);
            loss[step] = json_number_value(json_object_get(object, "loss"));
        }
        json_decref(object);
    }
    fclose(file);
}

static void verify_finds_them_whole(void **state) {
    (void)state;
    for (EVERY_SAMPLE(i)) {
        command_result r = succeed("verify %s/checkpoints/checkpoint_step_3", samples[i]);
        command_says(&r, "checkpoint_step_3: whole; step 3 of run ");
        command_free(&r);
    }
}

/* Both are the same run, and its metrics.jsonl says what the loss of step 3 was. */
static void eval_gives_their_val_loss(void **state) {
    (void)state;
    for (EVERY_SAMPLE(i)) {
        command_result r = succeed("eval %s/checkpoints/checkpoint_step_3 --data text.txt", samples[i]);
        const char *loss = strstr(r.out, "loss ");
        assert_non_null(loss);
        assert_true(fabs(strtod(loss + strlen("loss "), NULL) - 4.3225089) < SAME_LOSS);
        command_free(&r);
    }
}

static void progress_knows_their_step(void **state) {
    (void)state;
    for (EVERY_SAMPLE(i)) {
        char line[64];
        command_result r = succeed("progress --out-dir %s --max-steps 6", samples[i]);
        snprintf(line, sizeof line, "unfinished: step 3 of 6 in %s\n", samples[i]);
        assert_string_equal(r.out, line);
        command_free(&r);
    }
}

static json_t *option_saved(const char *folder, const char *key) {
    char name[128];
    snprintf(name, sizeof name, "%s/metadata.json", folder);
    json_t *metadata = json_load_file(name, 0, NULL);
    assert_non_null(metadata);
    json_t *value = json_incref(json_object_get(json_object_get(metadata, "config"), key));
    json_decref(metadata);
    return value;
}

/* Steps 4 to 6 are taken anew: metrics.jsonl keeps steps 1 to 3, loses what came after, and gets the same
 * losses again. What is saved then has today's form. */
static void a_resume_goes_on_as_they_did(void **state) {
    (void)state;
    for (EVERY_SAMPLE(i)) {
        double before[7], after[7];
        char words[128], folder[64];
        read_losses(samples[i], before);
        snprintf(words, sizeof words, "--out-dir %s --resume %s/checkpoints/checkpoint_step_3 --max-steps 6",
                 samples[i], samples[i]);
        command_result r = succeed("train %s", words);
        assert_null(strstr(r.err, "warning: --"));
        command_free(&r);
        read_losses(samples[i], after);
        for (int step = 1; step <= 6; step++)
            if (!(before[step] > 0.0 && fabs(after[step] - before[step]) < SAME_LOSS))
                fail_msg("%s, step %d: loss %.9g, then %.9g", samples[i], step, before[step], after[step]);
        snprintf(folder, sizeof folder, "%s/checkpoints/checkpoint_step_6", samples[i]);
        json_t *allreduce = option_saved(folder, "allreduce"), *exchange = option_saved(folder, "exchange");
        assert_string_equal(json_string_value(allreduce),
                            strcmp(samples[i], "exchange") == 0 ? "flat" : "auto");
        assert_null(exchange);
        json_decref(allreduce);
        r = succeed("verify %s", folder);
        command_free(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(verify_finds_them_whole, set_up, command_tear_down),
        cmocka_unit_test_setup_teardown(eval_gives_their_val_loss, set_up, command_tear_down),
        cmocka_unit_test_setup_teardown(progress_knows_their_step, set_up, command_tear_down),
        cmocka_unit_test_setup_teardown(a_resume_goes_on_as_they_did, set_up, command_tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
