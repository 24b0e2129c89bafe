/*
 * A rank dies or hangs: the whole job ends soon, with a code that is not 0, and leaves no process
 * behind. The faults are a plug-in's (tests/support/hook_fault.c), so that they strike where they are meant
 * to.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>

#include <cmocka.h>

#include "support/job.h"
#include "support/training.h"

#define MODEL                                                                                                \
    TRAINING_MODEL "--checkpoint-cadence null --log-cadence 1000000 --batch-size 8 --micro-batch-size 1 "
#define FAULT "{name: fault, library: " HOOK_FAULT ", mark: struck, "

/* The longest time between the fault and the end of the job. */
#define END_SECONDS 5.0

static int set_up(void **state) {
    training_set_up(state);
    job_mark();
    return 0;
}

/* Seconds since the plug-in struck, by the clock that files are stamped with. */
static double since_struck(const char *name) {
    struct stat info;
    struct timespec now;
    if (stat("struck", &info) != 0) {
        char path[64];
        snprintf(path, sizeof path, "%s.err", name);
        fail_msg("%s: the fault has not struck:\n%s", name, command_read_file(path));
    }
    clock_gettime(CLOCK_REALTIME, &now);
    return (double)(now.tv_sec - info.st_mtim.tv_sec) + 1e-9 * (double)(now.tv_nsec - info.st_mtim.tv_nsec);
}

/* Runs `ranks` with `hooks` (the inside of the map) and `flags`; the exit code, after a look at time and
 * processes. */
static int run_ranks_with_fault(int ranks, const char *name, const char *hooks, const char *flags,
                                double allowed_seconds) {
    char line[2048];
    remove("struck");
    snprintf(line, sizeof line, MODEL "%s --hooks '{%s}'", flags, hooks);
    const int code = training_end(training_start(ranks, name, line));
    const double seconds = since_struck(name);
    if (seconds > allowed_seconds)
        fail_msg("%s: the job ended %.1f s after the fault, expected at most %.1f s", name, seconds,
                 allowed_seconds);
    if (job_await_end(5.0) != 0)
        fail_msg("%s: %d processes of the job have outlived it", name, job_count());
    return code;
}

static int run_with_fault(const char *name, const char *hooks, const char *flags, double allowed_seconds) {
    return run_ranks_with_fault(4, name, hooks, flags, allowed_seconds);
}

static void check_error(const char *name, const char *sentence, bool expected) {
    char path[64];
    snprintf(path, sizeof path, "%s.err", name);
    char *text = command_read_file(path);
    const char *found = strstr(text, sentence);
    if ((found != NULL) != expected)
        fail_msg("%s: expected %s\"%s\" in:\n%s", name, expected ? "" : "no ", sentence, text);
    if (found && strstr(found + 1, sentence) != NULL)
        fail_msg("%s: expected \"%s\" once in:\n%s", name, sentence, text);
    free(text);
}

/* Before the allreduce of step 3, in it while rank 0 is late, and after it. Each way to die and each place
 * once; every pair of them when DTRAIN_TEST_LONG is set. */
static void a_rank_that_dies_ends_the_job(void **state) {
    static const char *const ways[] = {"kill", "segv", "abort", "exit"};
    static const char *const faults[] = {
        "forward: [" FAULT "rank: 2, step: 3, place: micro_batch, how: %s}]",
        "forward: [" FAULT "rank: 2, step: 3, place: thread, ms: 100, how: %s}, "
        "{name: fault, library: " HOOK_FAULT ", rank: 0, step: 3, place: micro_batch, how: sleep, ms: 400}]",
        "update: [" FAULT "rank: 2, step: 3, place: update, how: %s}]"};
    (void)state;
    for (size_t w = 0; w < sizeof ways / sizeof *ways; w++)
        for (size_t p = 0; p < sizeof faults / sizeof *faults; p++) {
            if (p != w % 3 && getenv("DTRAIN_TEST_LONG") == NULL)
                continue;
            char name[64], hooks[1024];
            snprintf(name, sizeof name, "%s_%zu", ways[w], p);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
            snprintf(hooks, sizeof hooks, faults[p], ways[w]);
#pragma GCC diagnostic pop
            if (run_with_fault(name, hooks, "--max-steps 100000000", END_SECONDS) == 0)
                fail_msg("%s: expected a code other than 0", name);
        }
}

/* A stopped rank answers nobody: the others name it, with host, step and what they wait for. */
static void a_rank_that_stops_is_named(void **state) {
    static const char flags[] = "--max-steps 100000000 --hang-timeout-seconds 1.5";
    (void)state;
    assert_int_equal(run_with_fault("stopped",
                                    "forward: [" FAULT "rank: 2, step: 3, place: micro_batch, how: stop}]",
                                    flags, 1.5 + END_SECONDS),
                     1);
    check_error("stopped", "dtrain: error: no progress for 1.5 s (hang_timeout_seconds), summing gradients ",
                true);
    check_error("stopped", " at step 3: 1 of 4 ranks has not arrived: rank 2 on ", true);
    check_error("stopped", ", which does not answer; the job ends here", true);
    assert_int_equal(run_with_fault("stopped_0",
                                    "update: [" FAULT "rank: 0, step: 3, place: update, how: stop}]", flags,
                                    1.5 + END_SECONDS),
                     1);
    check_error("stopped_0", ": 1 of 4 ranks has not arrived: rank 0 on ", true);
}

/* As run_with_fault, of a rank that stops in step 3, with `library` loaded before Open MPI. */
static int run_stopped_with(const char *library, const char *name, double allowed_seconds) {
    setenv("LD_PRELOAD", library, 1);
    const int code =
        run_with_fault(name, "forward: [" FAULT "rank: 2, step: 3, place: micro_batch, how: stop}]",
                       "--max-steps 100000000 --hang-timeout-seconds 1.5", allowed_seconds);
    unsetenv("LD_PRELOAD");
    return code;
}

/* A launcher on a busy host may take seconds to end a job. The rank that ends it answers nobody meanwhile,
 * and the others must not say the same again. */
static void the_sentence_stands_once_however_long_the_end_takes(void **state) {
    (void)state;
    assert_int_equal(run_stopped_with(SLOW_ABORT, "late", 1.5 + END_SECONDS + 5.0), 1);
    check_error("late", "dtrain: error: no progress for 1.5 s", true);
}

/* Where the watchdog itself is caught in MPI on all ranks, the first of them ends the job, after ten seconds.
 */
static void a_watchdog_that_is_caught_ends_the_job(void **state) {
    (void)state;
    assert_int_equal(run_stopped_with(STUCK_WATCHDOG, "caught_watchdog", 1.5 + END_SECONDS + 10.0), 1);
    check_error("caught_watchdog", "dtrain: error: rank 0 on ", true);
}

/* One that stops before there is a first step is named too. */
static void a_rank_that_stops_at_the_start_is_named(void **state) {
    (void)state;
    assert_int_equal(run_with_fault("start",
                                    "forward: [" FAULT "rank: 1, step: 0, place: create, how: stop}]",
                                    "--max-steps 9 --hang-timeout-seconds 1.5", 1.5 + END_SECONDS),
                     1);
    check_error("start", "making the model at step 0: 1 of 4 ranks has not arrived: rank 1 on ", true);
}

/* One that lives but is caught in code of its own answers, and says where. */
static void a_rank_that_is_caught_is_named(void **state) {
    (void)state;
    assert_int_equal(run_with_fault("caught",
                                    "forward: [" FAULT
                                    "rank: 3, step: 2, place: micro_batch, how: sleep, ms: 100000}]",
                                    "--max-steps 100000000 --hang-timeout-seconds 1.5", 1.5 + END_SECONDS),
                     1);
    check_error("caught", ": 1 of 4 ranks has not arrived: rank 3 on ", true);
    check_error("caught", ", which answers, but is computing gradients at step 2 since ", true);
}

/* Where the optimizer is shared out as well: whether a rank had to wait for new weights in earlier steps is
 * chance, and which rank is behind must not depend on it. */
static void a_rank_that_is_caught_is_named_where_the_optimizer_is_shared(void **state) {
    static const char *const hooks[] = {
        "update: [" FAULT "rank: 1, step: 25, place: update, how: sleep, ms: 100000}]",
        "forward: [" FAULT "rank: 1, step: 25, place: micro_batch, how: sleep, ms: 100000}]"};
    (void)state;
    for (int i = 0; i < 4; i++) {
        char name[32];
        snprintf(name, sizeof name, "shared_%d", i);
        assert_int_equal(run_ranks_with_fault(2, name, hooks[i % 2],
                                              "--max-steps 100000000 --hang-timeout-seconds 1.5 "
                                              "--shard-optimizer --allreduce hierarchical",
                                              1.5 + END_SECONDS),
                         1);
        check_error(name, ": 1 of 2 ranks has not arrived: rank 1 on ", true);
    }
}

/* Work that takes longer than the limit is no hang as long as there are signs of it: here four micro-batches,
 * of 0.7 s each, for which all others wait. */
static void a_rank_that_is_slow_is_waited_for(void **state) {
    (void)state;
    assert_int_equal(run_with_fault("slow",
                                    "forward: [" FAULT
                                    "rank: 1, step: 2, place: micro_batch, how: sleep, ms: 700}]",
                                    "--max-steps 3 --batch-size 16 --hang-timeout-seconds 2", 60.0),
                     0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_rank_that_dies_ends_the_job),
        cmocka_unit_test(a_rank_that_stops_is_named),
        cmocka_unit_test(the_sentence_stands_once_however_long_the_end_takes),
        cmocka_unit_test(a_watchdog_that_is_caught_ends_the_job),
        cmocka_unit_test(a_rank_that_stops_at_the_start_is_named),
        cmocka_unit_test(a_rank_that_is_caught_is_named),
        cmocka_unit_test(a_rank_that_is_caught_is_named_where_the_optimizer_is_shared),
        cmocka_unit_test(a_rank_that_is_slow_is_waited_for)};
    return cmocka_run_group_tests(tests, set_up, job_tear_down);
}
