/* Ranks that are not alike are named with their host before step 1, and nothing is written where that
 * matters. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/file.h"
#include "support/text.h"
#include "support/training.h"

#define TRAIN " train " TRAINING_MODEL "--max-steps 2 --out-dir out "

/* The last of `ranks` ranks is started by other words than the rest. */
static void refused(int ranks, const char *first, const char *last, const char *start, const char *end) {
    command_result r =
        command_run("%s --oversubscribe --bind-to none -np %d %s/tests/support/mismatch %s :: %s",
                    DTRAIN_MPIRUN, ranks, DTRAIN_SOURCE_DIR, first, last);
    const char *found = strstr(r.err, start);
    if (r.exit_code != 1 || found == NULL || strstr(found, end) == NULL || strstr(found + 1, start) != NULL)
        fail_msg("expected exit code 1 and once \"%s..%s\", found %d and \"%s\"", start, end, r.exit_code,
                 r.err);
    command_free(&r);
    assert_false(dt_file_exists("out"));
}

static int set_up(void **state) {
    *state = command_enter_folder();
    /* A program file with one byte more runs as before, but is another build as far as anyone can tell. */
    command_result r = command_run("cp '%s' other && printf x >> other", DTRAIN);
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    text_write("text.txt", 30000, 1);
    return 0;
}

static void another_program_is_named(void **state) {
    (void)state;
    refused(3, DTRAIN TRAIN, "./other" TRAIN,
            "dtrain: error: expected one program on all ranks, found that rank 2 on ",
            "; the other 2 ranks have dtrain ");
    refused(2, DTRAIN TRAIN, "./other" TRAIN,
            "dtrain: error: expected one program on all ranks, found that rank 0 on ",
            "; no majority says which is right");
}

/* One rank alone, so that its results would be others than the rest's. */
static void flush_to_zero_is_refused(void **state) {
    (void)state;
    refused(2, DTRAIN TRAIN, "env LD_PRELOAD=" FLUSH_TO_ZERO " " DTRAIN TRAIN,
            "dtrain: error: expected arithmetic as IEEE 754 has it, found that denormal numbers become 0 "
            "(flush-to-zero) on ",
            "; look for a library in LD_PRELOAD that is linked with -ffast-math");
}

/* Sets give the same bits (tests/sums), so a job of unlike hosts runs; the opening names who computes by
 * what. */
static void other_kernels_are_named(void **state) {
    (void)state;
    command_result r =
        command_run("%s --oversubscribe --bind-to none -np 3 %s/tests/support/mismatch %s :: %s",
                    DTRAIN_MPIRUN, DTRAIN_SOURCE_DIR, DTRAIN TRAIN, "env DTRAIN_ISA=baseline " DTRAIN TRAIN);
    const char *found = strstr(r.out, "\nkernels   rank 2 on ");
    if (r.exit_code != 0 || found == NULL ||
        strstr(found, " has baseline; the other 2 ranks have ") == NULL ||
        strstr(found, "; the results are the same, at the pace of the slowest\n") == NULL)
        fail_msg("expected a run and a line on its kernels, found exit code %d, \"%s\" and \"%s\"",
                 r.exit_code, r.out, r.err);
    command_free(&r);
    r = command_run("rm -r out");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
}

/* What slows one rank down slows all: threads that its host was not told of, and cores that it lacks. */
static void slow_ranks_are_named(void **state) {
    (void)state;
    static const char *const rows[][3] = {{"OMP_NUM_THREADS=2", "OMP_NUM_THREADS=1",
                                           " has 1 thread; the other 2 ranks have 2 threads; a step takes "},
                                          {"OMP_NUM_THREADS=2 HWLOC_SYNTHETIC='core:16 pu:1'",
                                           "OMP_NUM_THREADS=2 HWLOC_SYNTHETIC='core:1 pu:1'",
                                           ": a rank with 2 threads is bound to 1 core, "}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        command_result r = command_run(
            "%s --oversubscribe --bind-to none -np 3 %s/tests/support/mismatch env %s %s :: env %s %s",
            DTRAIN_MPIRUN, DTRAIN_SOURCE_DIR, rows[i][0], DTRAIN TRAIN, rows[i][1], DTRAIN TRAIN);
        const char *found = strstr(r.err, "dtrain: warning: rank 2 on ");
        if (r.exit_code != 0 || found == NULL || strstr(found, rows[i][2]) == NULL)
            fail_msg("expected a run and \"%s\", found exit code %d, \"%s\" and \"%s\"", rows[i][2],
                     r.exit_code, r.out, r.err);
        command_free(&r);
        r = command_run("rm -r out");
        assert_int_equal(r.exit_code, 0);
        command_free(&r);
    }
}

/* Text of another length, and text of the same length with one letter changed, where one rank looks. */
static void another_text_is_named(void **state) {
    (void)state;
    command_result r = command_run("mkdir here && cp text.txt here");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    training_damage("here/text.txt", 12345);
    refused(3, DTRAIN TRAIN, "env -C here " DTRAIN TRAIN,
            "dtrain: error: expected one text under the name text.txt on all hosts, found that rank 2 on ",
            "; the other 2 ranks have 30");
    text_write("here/text.txt", 20000, 1);
    refused(3, DTRAIN TRAIN, "env -C here " DTRAIN TRAIN,
            "dtrain: error: expected one text under the name text.txt on all hosts, found that rank 2 on ",
            " bytes with content hash ");
}

/*
 * A text larger than the sample, with one letter changed in a block outside of it: rank 0 has indexed that
 * block, and rank 1, which trains on it, finds another one.
 */
static void a_letter_outside_the_sample_is_noticed_where_it_is_trained_on(void **state) {
    (void)state;
    text_write("text.txt", 40 << 20, 1);
    command_result r = command_run("mkdir far && cp text.txt far");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    training_damage("far/text.txt", (30 << 20) + 4711);
    refused(
        2, DTRAIN TRAIN, "env -C far " DTRAIN TRAIN,
        "dtrain: error: text.txt changed while in use: the block at byte 31457280 is not the one that was "
        "indexed, perhaps on another host",
        " (rank 1 on ");
    text_write("text.txt", 30000, 1);
}

/* A mask that comes after mpirun, which therefore does not know of it. */
static void ranks_on_one_core_by_a_mask_are_warned_of(void **state) {
    (void)state;
    cpu_set_t allowed;
    size_t first = 0;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    while (!CPU_ISSET(first, &allowed))
        first++;
    command_result r = command_run("%s -np 2 --oversubscribe --bind-to none taskset -c %zu %s", DTRAIN_MPIRUN,
                                   first, DTRAIN TRAIN);
    assert_int_equal(r.exit_code, 0);
    const char *found = strstr(r.out, "2 ranks share 1 core on this host");
    if (found == NULL)
        found = strstr(r.err, "2 ranks share 1 core on this host");
    if (found == NULL)
        fail_msg("expected a warning of 2 ranks on 1 core, found \"%s\" and \"%s\"", r.out, r.err);
    if (CPU_COUNT(&allowed) > 1)
        assert_non_null(strstr(found, ", where an affinity mask leaves them 1 of "));
    command_free(&r);
    r = command_run("rm -r out");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
}

/* OpenMP's own binding gives each thread a core, and the first one's is not all that the rank has. */
static void threads_that_openmp_binds_are_not_taken_for_bound_to_one_core(void **state) {
    (void)state;
    static const char *const ways[] = {"OMP_PROC_BIND=true", "OMP_PLACES=threads", "OMP_PROC_BIND=spread"};
    cpu_set_t allowed;
    assert_int_equal(sched_getaffinity(0, sizeof allowed, &allowed), 0);
    if (CPU_COUNT(&allowed) < 2)
        skip();
    for (size_t i = 0; i < sizeof ways / sizeof *ways; i++) {
        command_result r = command_run("env OMP_NUM_THREADS=2 %s %s && rm -r out", ways[i], DTRAIN TRAIN);
        assert_int_equal(r.exit_code, 0);
        if (strstr(r.err, "a rank with 2 threads is bound to 1 core,") != NULL)
            fail_msg("%s: %s", ways[i], r.err);
        command_free(&r);
    }
}

/* On a machine that hwloc is told of: the opening, the run's line in metrics.jsonl and a plan show it. */
static void the_host_is_shown(void **state) {
    (void)state;
    command_result r = command_run("env HWLOC_SYNTHETIC='pack:2 numa:2 core:4 pu:2' %s", DTRAIN TRAIN);
    assert_int_equal(r.exit_code, 0);
    const char *line = "\nplacement 16 cores with 32 hardware threads in 2 packages and 4 NUMA nodes; ";
    if (strstr(r.out, line) == NULL)
        fail_msg("expected \"%s\", found \"%s\" and \"%s\"", line, r.out, r.err);
    command_free(&r);
    char *metrics = command_read_file("out/metrics.jsonl");
    assert_non_null(strstr(metrics, ",\"placement\":{\"cores\":16,\"hardware_threads\":32,\"packages\":2,"
                                    "\"numa_nodes\":4,\"usable_cores\":"));
    free(metrics);
    r = command_run("env HWLOC_SYNTHETIC='pack:1 numa:2 core:1 pu:1' %s plan " TRAINING_MODEL
                    "--ranks 1 --json plan.json",
                    DTRAIN);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "\nplacement 2 cores in 1 package and 2 NUMA nodes; "));
    command_free(&r);
    char *plan = command_read_file("plan.json");
    assert_non_null(strstr(plan, "\"numa_nodes\": 2"));
    free(plan);
    r = command_run("rm -r out plan.json");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
}

/* Where hwloc fails on a host, the run goes on with what the kernel says, and one warning tells it; on one of
 * two ranks too. */
static void a_host_that_hwloc_does_not_tell_is_trained_on(void **state) {
    (void)state;
    static const char *const launchers[] = {"env LD_PRELOAD=" HWLOC_FAULT " " DTRAIN TRAIN,
                                            DTRAIN_MPIRUN " -np 2 --oversubscribe --bind-to none "
                                                          "env LD_PRELOAD=" HWLOC_FAULT " " DTRAIN TRAIN,
                                            DTRAIN_MPIRUN
                                            " -np 2 --oversubscribe --bind-to none " DTRAIN_SOURCE_DIR
                                            "/tests/support/mismatch " DTRAIN TRAIN
                                            " :: env LD_PRELOAD=" HWLOC_FAULT " " DTRAIN TRAIN};
    for (size_t i = 0; i < sizeof launchers / sizeof *launchers; i++) {
        command_result r = command_run("%s && rm -r out", launchers[i]);
        static const char sentence[] =
            "expected hwloc to tell the cores of this host, found \"Input/output error\"; "
            "each hardware thread that the affinity mask of a rank allows counts as a core";
        const char *found = strstr(r.err, sentence);
        if (r.exit_code != 0 || found == NULL || strstr(found + 1, sentence) != NULL)
            fail_msg("%s: expected exit code 0 and once \"%s\", found %d, \"%s\" and \"%s\"", launchers[i],
                     sentence, r.exit_code, r.out, r.err);
        assert_true((strstr(r.out, ", of cores unknown; rank 0 is ") != NULL) == (i < 2));
        command_free(&r);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(threads_that_openmp_binds_are_not_taken_for_bound_to_one_core),
        cmocka_unit_test(the_host_is_shown),
        cmocka_unit_test(a_host_that_hwloc_does_not_tell_is_trained_on),
        cmocka_unit_test(ranks_on_one_core_by_a_mask_are_warned_of),
        cmocka_unit_test(another_program_is_named),
        cmocka_unit_test(flush_to_zero_is_refused),
        cmocka_unit_test(other_kernels_are_named),
        cmocka_unit_test(slow_ranks_are_named),
        cmocka_unit_test(another_text_is_named),
        cmocka_unit_test(a_letter_outside_the_sample_is_noticed_where_it_is_trained_on)};
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
