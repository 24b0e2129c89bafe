/*
 * Runs in a control group with a memory limit of its own: threads_per_micro_batch: auto takes what fits it, a
 * run that does not fit is refused before it has taken anything, and what the refusal names fits. None is
 * ended by the kernel.
 *
 * Where no such group can be made (it takes root, and version 2 also a group that hands memory on), the tests
 * are skipped.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "support/training.h"

#define THREADS 4
#define SHAPE                                                                                                \
    "--n-layers 4 --d-model 128 --n-heads 4 --d-ff 512 --max-seq-len 256 --micro-batch-size 4 "              \
    "--batch-size 16 --sampling-cadence 1 --sampling-max-length 4 --checkpoint-cadence 1 "
#define MODEL SHAPE "--data text.txt --seed 1 --max-steps 2 "

static char group[128];
static bool second; /* version 2 */

static bool make_group(const char *folder, bool of_second) {
    char file[192];
    second = of_second;
    snprintf(group, sizeof group, "%s/dtrain-test-%d", folder, (int)getpid());
    snprintf(file, sizeof file, "%s/%s", group, second ? "memory.max" : "memory.limit_in_bytes");
    command_result r =
        command_run("mkdir %s && test -w %s && sh -c 'echo $$ >%s/cgroup.procs'", group, file, group);
    const bool made = r.exit_code == 0;
    command_free(&r);
    if (!made) {
        (void)rmdir(group);
        *group = 0;
    }
    return made;
}

static int set_up(void **state) {
    training_set_up(state);
#ifndef DT_SANITIZED
    if (!make_group("/sys/fs/cgroup/memory", false))
        (void)make_group("/sys/fs/cgroup", true);
#endif
    return 0;
}

/* A group goes when the last of its processes is gone, which mpirun's may be a little later. */
static int tear_down(void **state) {
    for (int look = 0; *group && look < 50 && rmdir(group) != 0; look++)
        usleep(100000);
    return command_tear_down(state);
}

static void skip_without_group(void) {
    if (*group)
        return;
#ifdef DT_SANITIZED
    print_message("skipped: sanitizers take memory of their own\n");
#else
    print_message("skipped: no control group with a memory limit can be made here\n");
#endif
    skip();
}

/* Bytes of a run of one rank with teams of `team_threads`, but for the program itself. */
static int64_t planned_bytes(const char *flags, int team_threads) {
    command_result r =
        command_run(DTRAIN " plan " SHAPE "%s --ranks 1 --threads-per-rank %d --core-gflops 10 "
                           "--threads-per-micro-batch %d --json plan.json",
                    flags, THREADS, team_threads);
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
    json_t *plan = json_load_file("plan.json", 0, NULL);
    const json_t *memory = json_object_get(json_array_get(json_object_get(plan, "points"), 0), "memory");
    const int64_t bytes = json_integer_value(json_object_get(memory, "rank_bytes")) -
                          json_integer_value(json_object_get(memory, "program"));
    json_decref(plan);
    assert_true(bytes > 0);
    return bytes;
}

/* Of one rank without mpirun, in the group, which may take `limit` bytes. */
static command_result run_within(int64_t limit, const char *out_dir, const char *flags) {
    return command_run(
        "echo %" PRId64 " >%s/%s && echo $$ >%s/cgroup.procs && OMP_NUM_THREADS=%d exec " DTRAIN
        " train " MODEL "%s --out-dir %s",
        limit, group, second ? "memory.max" : "memory.limit_in_bytes", group, THREADS, flags, out_dir);
}

/* What the run had taken beside this, of which little is dtrain's: MPI and its daemon, libraries, the kernel.
 */
#define PROGRAM_BYTES ((int64_t)14 << 20)

static void teams_are_what_the_limit_allows(void **state) {
    (void)state;
    skip_without_group();
    static const char *const lines[] = {
        "teams     2 threads work on a micro-batch together, 2 at once: memory",
        "teams     4 threads work on a micro-batch together, 1 at once: memory"};
    training_done(TRAINING_ALONE, THREADS, "whole", MODEL);
    for (int i = 0; i < 2; i++) {
        const char *out_dir = i == 0 ? "two" : "one";
        const int64_t limit = planned_bytes("", i == 0 ? 2 : THREADS) + PROGRAM_BYTES;
        assert_true(limit < planned_bytes("", i == 0 ? 1 : 2));
        command_result r = run_within(limit, out_dir, "");
        if (r.exit_code != 0)
            fail_msg("with %" PRId64 " bytes exit code %d: %s", limit, r.exit_code, r.err);
        command_says(&r, lines[i]);
        training_same_weights("whole", out_dir, 2);
        command_free(&r);
    }
}

static void what_a_refusal_names_fits(void **state) {
    (void)state;
    skip_without_group();
    const int64_t limit = planned_bytes("--recompute layer", THREADS) + PROGRAM_BYTES;
    assert_true(limit < planned_bytes("", THREADS));
    command_result r = run_within(limit, "refused", "");
    assert_int_equal(r.exit_code, 2);
    command_says(&r, "memory in MB of rank 0");
    command_says(&r, ", which the memory limit of its control group leaves (a container's, or a job's); with "
                     "recompute: layer it fits, and the bits are the same;");
    assert_int_not_equal(access("refused", F_OK), 0);
    command_free(&r);
    r = run_within(limit, "recomputed", "--recompute layer");
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    command_free(&r);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(teams_are_what_the_limit_allows),
                                       cmocka_unit_test(what_a_refusal_names_fits)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
