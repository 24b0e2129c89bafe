/* compute_dtype: bf16 keeps the promises of fp32, says what computes it, and can be changed between runs. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "support/verb.h"

#define STEPS 6
#define BF16  TRAINING_MODEL "--compute-dtype bf16 --eval-cadence 3 "

static void same_run(const char *out_dir, const char *other) {
    training_same_run(out_dir, other, STEPS);
    training_same_metric(out_dir, other, "val_loss");
}

/* The run that the tests compare with, and the same in fp32. */
static int set_up(void **state) {
    training_set_up(state);
    training_done(TRAINING_ALONE, 1, "one", BF16 "--max-steps 6");
    training_done(TRAINING_ALONE, 1, "floats", TRAINING_MODEL "--eval-cadence 3 --max-steps 6");
    return 0;
}

static double last(const char *out_dir, const char *key) {
    char *text = training_last_metric(out_dir, key);
    const double value = strtod(text, NULL);
    free(text);
    return value;
}

static void it_is_near_fp32_and_not_the_same(void **state) {
    (void)state;
    const double rounded = last("one", "loss"), exact = last("floats", "loss");
    assert_true(rounded != exact);
    assert_true(fabs(rounded / exact - 1.0) < 0.01);
}

static void ranks_and_threads_change_no_bit(void **state) {
    (void)state;
    const struct {
        int ranks, threads;
    } shapes[] = {{TRAINING_ALONE, 2}, {1, 3}, {2, 1}, {3, 2}, {5, 1}, {8, 1}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char out_dir[32];
        snprintf(out_dir, sizeof out_dir, "r%d_t%d", shapes[i].ranks, shapes[i].threads);
        training_done(shapes[i].ranks, shapes[i].threads, out_dir,
                      i % 2 == 0 ? BF16 "--max-steps 6" : BF16 "--max-steps 6 --eval-on all");
        same_run("one", out_dir);
    }
}

/* The processor's own products of bfloat16 and every emulation of them give the same weights. */
static void every_set_of_kernels_has_the_same_bits(void **state) {
    (void)state;
    static const char *const sets[] = {"avx512_bf16", "avx512", "avx2", "baseline", "neon"};
    int ran = 0;
    for (size_t i = 0; i < sizeof sets / sizeof *sets; i++) {
        setenv("DTRAIN_ISA", sets[i], 1);
        command_result r = training_run(TRAINING_ALONE, 1, sets[i], BF16 "--max-steps 6");
        unsetenv("DTRAIN_ISA");
        const bool has = strstr(r.err, "DTRAIN_ISA: ") == NULL;
        if (has) {
            assert_int_equal(r.exit_code, 0);
            command_says(&r, strcmp(sets[i], "avx512_bf16") == 0 ? "compute   bf16, by the processor's own"
                                                                 : "compute   bf16, emulated");
            same_run("one", sets[i]);
        }
        ran += has;
        command_free(&r);
    }
    assert_true(ran > 0);
}

/* The opening says by what bf16 is computed, and all that names kernels names the same. */
static void the_opening_says_how(void **state) {
    (void)state;
    char kernels[32], line[64];
    command_result r = training_run(TRAINING_ALONE, 1, "how", BF16 "--max-steps 6");
    assert_int_equal(r.exit_code, 0);
    const char *text = strstr(r.out, ", kernels ") ? r.out : r.err, *said = strstr(text, ", kernels ");
    assert_non_null(said);
    assert_int_equal(sscanf(said, ", kernels %31[a-z0-9_],", kernels), 1);
    const bool own = strcmp(kernels, "avx512_bf16") == 0;
    command_says(&r, own ? "compute   bf16, by the processor's own instruction" : "compute   bf16, emulated");
    const char *rates = strstr(text, "VDPBF16PS runs at ");
    if (rates) { /* else the processor has no choice */
        double dots, floats;
        assert_int_equal(sscanf(rates, "VDPBF16PS runs at %lf GFLOP/s, fused multiply-adds at %lf GFLOP/s",
                                &dots, &floats),
                         2);
        assert_true(own == (floats <= 1.1 * dots));
    }
    snprintf(line, sizeof line, "\"kernels\": \"%s\"", kernels);
    char *metadata = command_read_file("how/checkpoints/latest/metadata.json");
    assert_non_null(strstr(metadata, line));
    free(metadata);
    command_free(&r);
    same_run("one", "how");
}

/* A stop and a resume, on other ranks and threads, change no bit. */
static void a_resume_changes_no_bit(void **state) {
    (void)state;
    training_done(3, 1, "parts", BF16 "--max-steps 3");
    training_done(2, 2, "parts", BF16 "--max-steps 6 --resume latest");
    same_run("one", "parts");
}

/* Checkpoints are in fp32, so a run goes on in either dtype, which is said, and back. */
static void a_run_goes_on_in_the_other_dtype(void **state) {
    (void)state;
    training_done(TRAINING_ALONE, 1, "turns", TRAINING_MODEL "--max-steps 2");
    command_result r = training_goes_on(
        TRAINING_ALONE, "--resume turns/checkpoints/latest --max-steps 4 --compute-dtype bf16");
    command_says(&r, "resume: compute_dtype was fp32 and is bf16 from here on");
    command_free(&r);
    r = training_goes_on(2, "--resume turns/checkpoints/latest --max-steps 5");
    command_says(&r, "compute   bf16");
    assert_null(strstr(r.out, "compute_dtype was"));
    command_free(&r);
    r = training_goes_on(2, "--resume turns/checkpoints/latest --max-steps 6 --compute-dtype fp32");
    command_says(&r, "resume: compute_dtype was bf16 and is fp32 from here on");
    command_free(&r);
    assert_int_equal(training_latest_step("turns"), 6);
    /* The weights of step 2 are fp32's, those of step 4 no longer. */
    training_done(TRAINING_ALONE, 1, "straight", TRAINING_MODEL "--max-steps 4 --checkpoint-cadence 2");
    assert_false(training_files_differ("turns/checkpoints/checkpoint_step_2/model.safetensors",
                                       "straight/checkpoints/checkpoint_step_2/model.safetensors"));
    assert_true(training_files_differ("turns/checkpoints/checkpoint_step_4/model.safetensors",
                                      "straight/checkpoints/checkpoint_step_4/model.safetensors"));
}

static double evaluate(const char *launcher, const char *flags) {
    char line[256];
    double loss = 0.0;
    snprintf(line, sizeof line, "eval one/checkpoints/latest --data text.txt %s", flags);
    char *out = verb_output(launcher, line);
    const char *numbers = strstr(out, "loss ");
    assert_non_null(numbers);
    assert_int_equal(sscanf(numbers, "loss %lf nats", &loss), 1);
    free(out);
    return loss;
}

/* eval takes the dtype of training, in which it repeats the last val_loss, or another. */
static void eval_and_sample_take_the_dtype(void **state) {
    (void)state;
    const double trained = last("one", "val_loss"), exact = evaluate("", "--compute-dtype fp32");
    assert_true(evaluate("", "") == trained);
    assert_true(evaluate(DTRAIN_MPIRUN " -np 3 --oversubscribe", "--compute-dtype bf16") == trained);
    assert_true(exact != trained && fabs(exact / trained - 1.0) < 0.01);
    char *rounded = verb_output("", "sample one/checkpoints/latest --max-length 60");
    char *same = verb_output("OMP_NUM_THREADS=2",
                             "sample one/checkpoints/latest --max-length 60 --compute-dtype bf16");
    char *floats =
        verb_output("", "sample one/checkpoints/latest --max-length 60 --compute-dtype fp32 --top-k 1");
    assert_string_equal(rounded, same);
    assert_true(strlen(floats) > 60);
    free(rounded);
    free(same);
    free(floats);
    verb_refused("eval one/checkpoints/latest --data text.txt --compute-dtype fp16", 2,
                 "dtrain: error: --compute-dtype: compute_dtype must be one of fp32, bf16, but is fp16\n");
}

/* The memory that a run says it takes falls with the activations, though the weights' panels come to it. */
static void activations_take_half(void **state) {
    (void)state;
    static const char model[] =
        TRAINING_MODEL "--max-steps 1 --max-seq-len 256 --micro-batch-size 8 --d-model 64 --d-ff 256 ";
    double megabytes[2];
    for (int i = 0; i < 2; i++) {
        char flags[512];
        snprintf(flags, sizeof flags, "%s --compute-dtype %s", model, i == 0 ? "fp32" : "bf16");
        command_result r = training_run(TRAINING_ALONE, 1, i == 0 ? "whole" : "half", flags);
        const char *line =
            strstr(r.err, "memory    ") ? strstr(r.err, "memory    ") : strstr(r.out, "memory    ");
        assert_non_null(line);
        assert_int_equal(sscanf(line, "memory    %lf MB", &megabytes[i]), 1);
        command_free(&r);
    }
    assert_true(megabytes[1] < 0.8 * megabytes[0]);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(it_is_near_fp32_and_not_the_same),
                                       cmocka_unit_test(ranks_and_threads_change_no_bit),
                                       cmocka_unit_test(every_set_of_kernels_has_the_same_bits),
                                       cmocka_unit_test(the_opening_says_how),
                                       cmocka_unit_test(a_resume_changes_no_bit),
                                       cmocka_unit_test(a_run_goes_on_in_the_other_dtype),
                                       cmocka_unit_test(eval_and_sample_take_the_dtype),
                                       cmocka_unit_test(activations_take_half)};
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
