/* A scaling study and a plan, as a person asks for them: what is printed, what is written, and what is
 * refused. */
#include <jansson.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/command.h"

#define LAUNCH DTRAIN_MPIRUN " --oversubscribe -np"
#define TINY                                                                                                 \
    "--n-layers 1 --d-model 16 --n-heads 2 --d-ff 32 --max-seq-len 16 --batch-size 4 --micro-batch-size 2"

static double number_of(const json_t *object, const char *key) {
    const json_t *value = json_object_get(object, key);
    if (!json_is_number(value))
        fail_msg("%s is no number", key);
    return json_number_value(value);
}

/* Strong scaling of two micro-batches on 1, 2 and 3 ranks, weak scaling of as many: the third strong point
 * cannot run. */
static void test_study(void **state) {
    (void)state;
    char *folder = command_enter_folder();
    command_result r = command_run(LAUNCH " 3 " DTRAIN " bench " TINY " --scaling strong,weak --ranks 1,2,3 "
                                          "--repetitions 2 --json study.json --report study.html");
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    assert_non_null(strstr(r.out, "strong scaling: 4 sequences in all"));
    assert_non_null(strstr(r.out, "weak scaling: 4 sequences per rank"));
    assert_non_null(strstr(r.out, "more ranks than the batch's 2 micro-batches"));
    json_t *study = json_load_file("study.json", 0, NULL);
    assert_non_null(study);
    json_decref(study);
    char *page = command_read_file("study.html");
    assert_non_null(strstr(page, "<svg"));
    assert_non_null(strstr(page, "</html>"));
    assert_null(strstr(page, "<script"));
    assert_null(strstr(page, "src=\"http"));
    assert_null(strstr(page, "nan"));
    free(page);
    command_free(&r);
    command_leave_folder(folder);
}

static void assert_refused(const char *command, const char *sentence) {
    command_result r = command_run("%s", command);
    if (r.exit_code != 2 || strstr(r.err, sentence) == NULL)
        fail_msg("%s: expected 2 and \"%s\", found %d and \"%s\"", command, sentence, r.exit_code, r.err);
    command_free(&r);
}

/* Two allocations, of 1 and of 2 ranks, become one study in the order of ranks, whose speed-up on 2 ranks is
 * that of the two step times; the same point twice is refused, and so is a study of another config. */
static void test_merge(void **state) {
    (void)state;
    char *folder = command_enter_folder();
    static const char *const lines[] = {
        DTRAIN " bench " TINY " --scaling strong,weak --repetitions 2 --json one.json",
        LAUNCH " 2 " DTRAIN " bench " TINY " --scaling strong --ranks 2 --repetitions 2 --json two.json",
        DTRAIN " bench " TINY " --scaling weak --seed 3 --repetitions 2 --json other.json",
        DTRAIN " bench --merge two.json one.json --json both.json --report both.html"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        command_result r = command_run("OMP_NUM_THREADS=1 %s", lines[i]);
        if (r.exit_code != 0)
            fail_msg("%s: exit code %d: %s", lines[i], r.exit_code, r.err);
        command_free(&r);
    }
    json_t *both = json_load_file("both.json", 0, NULL);
    const json_t *points = json_object_get(both, "points"), *one = json_array_get(points, 0),
                 *two = json_array_get(points, 1);
    assert_int_equal(json_array_size(points), 3);
    assert_int_equal(number_of(one, "ranks"), 1);
    assert_int_equal(number_of(two, "ranks"), 2);
    const double expected = number_of(one, "step_ms") / number_of(two, "step_ms");
    assert_true(fabs(number_of(two, "speedup") - expected) <= 1e-9 * expected);
    assert_string_equal(json_string_value(json_object_get(json_array_get(points, 2), "scaling")), "weak");
    json_decref(both);
    /* "-" is standard input and standard output: the same study by a pipe, and behind the lines for people.
     */
    command_result piped =
        command_run("%s bench --merge - one.json --json - <two.json && test ! -e ./-", DTRAIN);
    char *file = command_read_file("both.json");
    assert_int_equal(piped.exit_code, 0);
    assert_non_null(strstr(piped.out, file));
    free(file);
    command_free(&piped);
    assert_refused(DTRAIN " bench --merge one.json two.json one.json",
                   "one.json and one.json both have strong scaling on 1 rank");
    assert_refused(DTRAIN " bench --merge one.json other.json", "studies of one config");
    assert_refused(DTRAIN " bench --merge both.html", "cannot use both.html: line 1 is not JSON");
    assert_refused(
        "sed s/exposed_ms/exposed/ two.json >bad.json; " DTRAIN " bench --merge bad.json one.json",
        "dtrain: error: --merge: bad.json: point 1: expected exposed_ms to be a number, found none; "
        "measure that study again with dtrain bench --scaling");
    assert_refused(DTRAIN " bench --merge one.json two.json --report nope/x.html",
                   "--report: cannot write nope/x.html: No such file or directory");
    assert_refused(DTRAIN " bench --merge", "expected the JSON files of studies, found none");
    command_leave_folder(folder);
}

/* Without MPI peers: every predicted time is a finite positive number, and one rank alone sends nothing. */
static void test_plan(void **state) {
    (void)state;
    char *folder = command_enter_folder();
    command_result r = command_run(DTRAIN " plan " TINY " --batch-size 64 --ranks 1,8,32 --latency-us 2 "
                                          "--bandwidth-gbps 10 --max-steps 3600 --json plan.json");
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    json_t *plan = json_load_file("plan.json", 0, NULL), *row;
    assert_non_null(plan);
    const json_t *points = json_object_get(plan, "points");
    assert_int_equal(json_array_size(points), 6); /* strong and weak */
    size_t i;
    json_array_foreach(points, i, row) {
        assert_true(number_of(row, "ranks") > 0);
        assert_true(isfinite(number_of(row, "step_ms")) && number_of(row, "step_ms") > 0);
        assert_true(number_of(row, "memory_bytes") > 0);
        assert_true((number_of(row, "sent_bytes") > 0) == (number_of(row, "ranks") > 1));
        assert_true(fabs(number_of(row, "run_s") - 3.6 * number_of(row, "step_ms")) <
                    1e-9 * number_of(row, "run_s")); /* 3600 steps */
    }
    json_decref(plan);
    command_says(&r, " (h:m:s)\n");
    command_free(&r);
    /* So many tokens are fewer steps of a larger batch; how many epochs are is not known without the text. */
    r = command_run(DTRAIN " plan " TINY " --ranks 2 --max-tokens 6400 --json plan.json && " DTRAIN
                           " plan " TINY " --ranks 1 --max-epochs 2 --json epochs.json");
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    plan = json_load_file("plan.json", 0, NULL);
    json_array_foreach(json_object_get(plan, "points"), i, row) {
        const double steps = 6400.0 / 16.0 / number_of(row, "batch");
        assert_true(fabs(number_of(row, "run_s") - 1e-3 * steps * number_of(row, "step_ms")) <
                    1e-9 * number_of(row, "run_s"));
    }
    json_decref(plan);
    plan = json_load_file("epochs.json", 0, NULL);
    row = json_array_get(json_object_get(plan, "points"), 0);
    assert_true(json_is_null(json_object_get(row, "run_s")));
    json_decref(plan);
    command_says(&r, " -:--:--\n");
    command_free(&r);
    command_leave_folder(folder);
}

/* Where a config does not fit the hosts, what would is named: what keeps the bits first, with its step time,
 * and smaller micro-batches, which do not, only where that is not enough. */
static void test_plan_of_memory(void **state) {
    (void)state;
    char *folder = command_enter_folder();
    static const char deep[] = " plan --n-layers 6 --d-model 64 --n-heads 2 --d-ff 256 --max-seq-len 64 "
                               "--micro-batch-size 8 --batch-size 64 --ranks 1,8 --json plan.json";
    command_result r = command_run(DTRAIN "%s", deep);
    assert_int_equal(r.exit_code, 0);
    assert_null(strstr(r.out, "does not fit"));
    json_t *plan = json_load_file("plan.json", 0, NULL);
    const json_t *kept = json_object_get(json_array_get(json_object_get(plan, "points"), 1), "memory");
    const double whole = number_of(kept, "node_bytes");
    double together = 0.0;
    static const char *const names[] = {"weights",   "packed", "gradients", "moments", "activations",
                                        "allreduce", "saver",  "sampler",   "corpus",  "program"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        together += number_of(kept, names[i]);
    assert_true(together == number_of(kept, "rank_bytes") && together == whole);
    assert_int_equal(json_array_size(json_object_get(plan, "proposals")), 0);
    json_decref(plan);
    command_free(&r);

    r = command_run(DTRAIN "%s --memory-gb %.6f", deep, 0.9e-9 * whole);
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "does not fit"));
    plan = json_load_file("plan.json", 0, NULL);
    const json_t *proposals = json_object_get(plan, "proposals"), *row = json_array_get(proposals, 0);
    assert_int_equal(json_array_size(proposals), 3);
    assert_string_equal(json_string_value(json_object_get(row, "set")), "recompute: layer");
    assert_true(json_is_true(json_object_get(row, "fits")) &&
                json_is_true(json_object_get(row, "same_bits")));
    assert_true(number_of(row, "step_ms") > 0.0);
    const double recomputed = number_of(json_object_get(row, "memory"), "node_bytes");
    assert_true(recomputed < 0.9 * whole);
    row = json_array_get(proposals, 2);
    assert_string_equal(json_string_value(json_object_get(row, "set")),
                        "recompute: layer, shard_optimizer: true");
    const double both = number_of(json_object_get(row, "memory"), "node_bytes");
    assert_true(both < recomputed && json_is_true(json_object_get(row, "same_bits")));
    json_decref(plan);
    command_free(&r);

    r = command_run(DTRAIN "%s --memory-gb %.6f", deep, 0.99e-9 * both);
    assert_int_equal(r.exit_code, 0);
    plan = json_load_file("plan.json", 0, NULL);
    proposals = json_object_get(plan, "proposals");
    assert_true(json_array_size(proposals) > 3);
    row = json_array_get(proposals, json_array_size(proposals) - 1);
    assert_true(json_is_true(json_object_get(row, "fits")) &&
                json_is_false(json_object_get(row, "same_bits")));
    assert_non_null(strstr(json_string_value(json_object_get(row, "set")), "micro_batch_size: "));
    json_decref(plan);
    command_free(&r);

    /* Larger than this machine, but not than the hosts that are planned: no times, but the memory. */
    r = command_run(DTRAIN " plan --n-layers 1000 --d-model 65536 --n-heads 1 --d-ff 262144 --ranks 1,8 "
                           "--memory-gb 1e9 --json plan.json");
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "memory in MB"));
    assert_null(strstr(r.out, "strong scaling"));
    assert_null(strstr(r.out, "does not fit"));
    command_free(&r);
    command_leave_folder(folder);
}

/* The algorithms side by side: a row each, those that this job cannot take left out, and the numbers in JSON.
 * The threads are more than any host's cores, which is warned of. */
static void test_algorithms(void **state) {
    (void)state;
    char *folder = command_enter_folder();
    command_result r = command_run("OMP_NUM_THREADS=%ld " LAUNCH " 2 " DTRAIN " bench " TINY
                                   " --algorithms --repetitions 2 --json algorithms.json",
                                   sysconf(_SC_NPROCESSORS_CONF));
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    assert_non_null(strstr(r.err, "dtrain: warning: "));
    static const char *const names[] = {"flat", "hierarchical", "bf16", "library"};
    json_t *all = json_load_file("algorithms.json", 0, NULL), *row;
    assert_non_null(all);
    const json_t *algorithms = json_object_get(all, "algorithms");
    assert_int_equal(json_array_size(algorithms), 4);
    size_t i;
    json_array_foreach(algorithms, i, row) {
        assert_string_equal(json_string_value(json_object_get(row, "algorithm")), names[i]);
        assert_non_null(strstr(r.out, names[i]));
        assert_true(number_of(row, "step_ms") > 0 && number_of(row, "predicted_step_ms") > 0);
    }
    /* The names that these fields had before stay for one version. */
    assert_true(json_equal(json_object_get(all, "ways"), algorithms));
    assert_true(number_of(all, "share") == number_of(all, "threads_per_core"));
    assert_true(number_of(all, "touch_ns_a_byte") == number_of(all, "cpu_ns_per_byte"));
    row = json_array_get(algorithms, 0);
    assert_string_equal(json_string_value(json_object_get(row, "way")), "flat");
    assert_true(number_of(row, "late_ms") == number_of(row, "skew_ms"));
    assert_true(number_of(row, "least_exposed_ms") == number_of(row, "min_exposed_ms"));
    json_decref(all);
    command_free(&r);
    command_leave_folder(folder);
}

/* Messages grow as log2 where ranks and micro-batches are powers of two, and one host of 4 ranks sends as one
 * rank.
 */
static void test_plan_of_hosts(void **state) {
    (void)state;
    char *folder = command_enter_folder();
    command_result r = command_run(DTRAIN " plan " TINY " --batch-size 64 --ranks 8,32 --ranks-per-host 4 "
                                          "--allreduce flat --json plan.json");
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    json_t *plan = json_load_file("plan.json", 0, NULL);
    assert_non_null(plan);
    const json_t *points = json_object_get(plan, "points");
    assert_int_equal((int)number_of(json_array_get(points, 0), "sent_messages"), 2 * 3);
    assert_int_equal((int)number_of(json_array_get(points, 1), "sent_messages"), 2 * 5);
    json_decref(plan);
    command_free(&r);
    /* A file that is standard output too keeps both. */
    r = command_run(DTRAIN " plan " TINY " --ranks 1 --json /dev/stdout > both.txt");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    char *both = command_read_file("both.txt");
    assert_non_null(strstr(both, "a plan, not a measurement"));
    assert_non_null(strstr(both, "\"points\""));
    free(both);
    /* What two ranks of one host measure between them is no network. */
    r = command_run(DTRAIN_MPIRUN " -np 2 " DTRAIN " plan " TINY " --ranks 2 --ranks-per-host 1");
    assert_int_equal(r.exit_code, 0);
    assert_non_null(strstr(r.out, "1.5 us and 100 Gbit/s per host each way"));
    assert_non_null(strstr(r.out, "assumed; --latency-us and --bandwidth-gbps set it"));
    command_free(&r);
    command_leave_folder(folder);
}

static void test_refusals(void **state) {
    (void)state;
    assert_refused(DTRAIN " bench --scaling fast", "fast");
    assert_refused(DTRAIN " bench --scaling strong --ranks 1,x", "x");
    assert_refused(DTRAIN " bench --scaling strong --ranks 2", "2");
    assert_refused(DTRAIN " bench --scaling strong --report /nowhere/x.html", "/nowhere");
    assert_refused(DTRAIN " bench --scaling strong --json x --report x",
                   "--json and --report: expected two files, found x for both");
    assert_refused(DTRAIN " bench --ranks 1",
                   "--ranks: expected --scaling strong, weak or strong,weak with it");
    assert_refused(DTRAIN " bench --report x.html",
                   "--report: expected FILE.svg, the picture of a step's kernels, found x.html");
    assert_refused(DTRAIN " bench --algorithms", "--algorithms: expected two ranks or more");
    assert_refused(DTRAIN " bench --ways",
                   "dtrain: warning: --ways is now called --algorithms; the old name is "
                   "still taken\n");
    assert_refused(DTRAIN " bench --ways", "--algorithms: expected two ranks or more");
    assert_refused(DTRAIN " bench --share 2",
                   "dtrain: warning: --share is now called --threads-per-core; the old name is "
                   "still taken\n");
    assert_refused(DTRAIN " bench --threads-per-core 2", "--threads-per-core: expected --algorithms with it");
    assert_refused(DTRAIN " bench --algorithms --threads-per-core 0.5",
                   "--threads-per-core: expected the threads");
    assert_refused(DTRAIN " bench --algorithms --scaling weak", "two studies");
    assert_refused(DTRAIN " bench --allreduce library --gradient-dtype bf16",
                   "allreduce: library needs gradient_dtype: fp32");
    assert_refused(DTRAIN " plan --ranks-per-host 0", "0");
    assert_refused(DTRAIN " plan --ranks 0", "0");
    assert_refused(DTRAIN " plan --latency-us -1", "-1");
    assert_refused(DTRAIN " plan --bandwidth-gbps fast", "fast");
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_study),      cmocka_unit_test(test_merge),
        cmocka_unit_test(test_plan),       cmocka_unit_test(test_plan_of_memory),
        cmocka_unit_test(test_algorithms), cmocka_unit_test(test_plan_of_hosts),
        cmocka_unit_test(test_refusals),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
