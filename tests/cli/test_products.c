/*
 * products: blas trains with OpenBLAS's products, with the same bits on any number of ranks and threads, says
 * so, and is refused where it cannot be; and nothing else of the program loads that library but bench.
 */
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
#define OWN   TRAINING_MODEL "--eval-cadence 3 --max-steps 6 "
#define BLAS  OWN "--products blas "

/* The run that the tests compare with, and the same with dtrain's own products. */
static int set_up(void **state) {
    training_set_up(state);
    command_result r = training_run(TRAINING_ALONE, 1, "one", BLAS);
    if (r.exit_code != 0 && strstr(r.err, "cannot load OpenBLAS"))
        print_message("skipped: %s\n", r.err);
    else if (r.exit_code != 0)
        fail_msg("products: blas ended with %d: %s", r.exit_code, r.err);
    else {
        command_says(&r, "products  by OpenBLAS ");
        training_done(TRAINING_ALONE, 1, "own", OWN);
    }
    command_free(&r);
    return 0;
}

/* Skips a test where OpenBLAS is not installed. */
static void need_blas(void) {
    if (training_latest_step("one") != STEPS)
        skip();
}

static double last(const char *out_dir, const char *key) {
    char *text = training_last_metric(out_dir, key);
    const double value = strtod(text, NULL);
    free(text);
    return value;
}

/* On some processors OpenBLAS adds in our order, and all bits are the same. */
static void it_is_near_our_own(void **state) {
    (void)state;
    need_blas();
    assert_true(fabs(last("one", "loss") / last("own", "loss") - 1.0) < 1e-4);
}

static void ranks_and_threads_change_no_bit(void **state) {
    (void)state;
    need_blas();
    const struct {
        int ranks, threads;
    } shapes[] = {{TRAINING_ALONE, 2}, {1, 1}, {2, 1}, {3, 2}, {5, 1}, {5, 2}};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char out_dir[32];
        snprintf(out_dir, sizeof out_dir, "r%d_t%d", shapes[i].ranks, shapes[i].threads);
        training_done(shapes[i].ranks, shapes[i].threads, out_dir, i % 2 == 0 ? BLAS : BLAS "--eval-on all");
        training_same_weights("one", out_dir, STEPS);
        training_same_metric("one", out_dir, "loss");
        training_same_metric("one", out_dir, "val_loss");
    }
}

/* A run goes on with either products, which is said, and back; what it records is whose they were. */
static void a_run_goes_on_with_the_other_products(void **state) {
    (void)state;
    need_blas();
    training_done(3, 1, "turns", TRAINING_MODEL "--max-steps 3 --products blas");
    training_done(2, 2, "turns",
                  TRAINING_MODEL "--max-steps 6 --eval-cadence 3 --products blas --resume latest");
    training_same_weights("one", "turns", STEPS);
    char *metadata = command_read_file("turns/checkpoints/latest/metadata.json");
    assert_non_null(strstr(metadata, "\"products\": \"OpenBLAS 0."));
    free(metadata);
    command_result r = training_goes_on(2, "--resume turns/checkpoints/latest --max-steps 7 --products own");
    command_says(&r, "resume: products was blas and is own from here on");
    assert_null(strstr(r.out, "products  by"));
    command_free(&r);
    metadata = command_read_file("turns/checkpoints/latest/metadata.json");
    assert_non_null(strstr(metadata, "\"products\": \"own\""));
    free(metadata);
}

/* Another kind of kernels adds in another order: between runs that is said, and within one it is refused. The
 * environment names others than those of the run "old". */
static void tell_other_kernels(void) {
    /* It has no fused multiply-add, so these are not our own products. */
    training_done(TRAINING_ALONE, 1, "two", TRAINING_MODEL "--max-steps 2");
    assert_true(training_files_differ("old/checkpoints/latest/model.safetensors",
                                      "two/checkpoints/latest/model.safetensors"));
    command_result r = training_goes_on(TRAINING_ALONE, "--resume old/checkpoints/latest --max-steps 3");
    command_says(&r, "resume: products were computed by OpenBLAS ");
    command_says(&r, "Prescott and are by OpenBLAS ");
    command_free(&r);
    /* Each rank has its own environment, and one command line. */
    r = command_run("%s -np 2 --oversubscribe sh -c 'test $OMPI_COMM_WORLD_RANK = 1 && export "
                    "OPENBLAS_CORETYPE=Prescott; exec %s %s --out-dir mixed --max-steps 2 --products blas'",
                    DTRAIN_MPIRUN, DTRAIN, TRAINING_MODEL);
    assert_int_equal(r.exit_code, 1);
    assert_non_null(
        strstr(r.err, "products: blas: expected one version of OpenBLAS and one kind of kernels on all"));
    assert_non_null(strstr(r.err, "Prescott"));
    command_free(&r);
}

/* A run of two steps into `out_dir` by OpenBLAS's kernels of that name; whether it has them. The name stays
 * in the environment. */
static bool run_by_kernels(const char *name, const char *out_dir) {
    setenv("OPENBLAS_CORETYPE", name, 1);
    command_result r =
        training_run(TRAINING_ALONE, 1, out_dir, TRAINING_MODEL "--max-steps 2 --products blas");
    const bool has = r.exit_code == 0 && strstr(r.out, name) != NULL;
    command_free(&r);
    return has;
}

/* Both kernels are asked for by name: what OpenBLAS takes for a processor that it does not know may be one of
 * them. */
static void other_kernels_are_told(void **state) {
    (void)state;
    need_blas();
    const char *set = getenv("OPENBLAS_CORETYPE");
    char *before = set ? strdup(set) : NULL;
    const bool has = run_by_kernels("Prescott", "old") && run_by_kernels("Haswell", "new");
    if (has)
        tell_other_kernels();
    if (before)
        setenv("OPENBLAS_CORETYPE", before, 1);
    else
        unsetenv("OPENBLAS_CORETYPE");
    free(before);
    if (!has) {
        print_message("skipped: this OpenBLAS has no kernels named Prescott and Haswell\n");
        skip();
    }
}

static void bf16_has_no_such_products(void **state) {
    (void)state;
    training_refused(TRAINING_ALONE, "none", TRAINING_MODEL "--products blas --compute-dtype bf16", 2,
                     "products: blas needs compute_dtype: fp32, because OpenBLAS's products are of floats");
}

/* A file of the library's name that is none is found before the real one. */
static void a_missing_library_is_told(void **state) {
    (void)state;
    command_result r = command_run(
        "mkdir -p empty && : >empty/libopenblas.so.0 && LD_LIBRARY_PATH=empty %s %s --out-dir none", DTRAIN,
        BLAS);
    assert_int_equal(r.exit_code, 1);
    assert_non_null(strstr(r.err, "cannot load OpenBLAS: "));
    assert_non_null(strstr(r.err, "; install Debian's libopenblas0"));
    assert_int_equal(training_latest_step("none"), -1);
    command_free(&r);
}

/* Whether a command loads a file whose name has "openblas" in it, as the dynamic linker tells. */
static bool loads_openblas(const char *words) {
    command_result r = command_run("LD_DEBUG=files %s %s", DTRAIN, words);
    if (r.exit_code != 0)
        fail_msg("dtrain %s ended with %d: %s", words, r.exit_code, r.err);
    assert_non_null(strstr(r.err, "libjansson")); /* it does tell */
    const bool loads = strstr(r.err, "openblas") != NULL;
    command_free(&r);
    return loads;
}

static void nothing_else_loads_the_library(void **state) {
    (void)state;
    static const char *const lines[] = {
        OWN "--out-dir plain",
        "sample own/checkpoints/latest --max-length 5",
        "eval own/checkpoints/latest --data text.txt",
        "verify own/checkpoints/latest",
        "progress --out-dir own",
        "data --seed 1 --data text.txt --max-seq-len 32",
        "plan --ranks 1,2 --n-layers 1 --d-model 32 --n-heads 2 --d-ff 64 --max-seq-len 32",
        "help",
    };
    need_blas();
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++)
        if (loads_openblas(lines[i]))
            fail_msg("dtrain %s loads OpenBLAS", lines[i]);
    /* What a run was trained with is of no concern to who reads its checkpoint. */
    assert_false(loads_openblas("sample one/checkpoints/latest --max-length 5"));
    assert_false(loads_openblas("eval one/checkpoints/latest --data text.txt"));
    assert_true(loads_openblas(BLAS "--out-dir again"));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(it_is_near_our_own),
        cmocka_unit_test(ranks_and_threads_change_no_bit),
        cmocka_unit_test(a_run_goes_on_with_the_other_products),
        cmocka_unit_test(other_kernels_are_told),
        cmocka_unit_test(bf16_has_no_such_products),
        cmocka_unit_test(a_missing_library_is_told),
        cmocka_unit_test(nothing_else_loads_the_library),
    };
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
