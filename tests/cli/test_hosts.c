/* Training over emulated hosts: the same weights as on one rank, whichever algorithm the gradients are summed
 * by. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/job.h"
#include "support/training.h"

#define STEPS 3
#define MODEL TRAINING_MODEL "--max-steps 3 "

/* Runs a command on `hosts` of `ranks` ranks, and skips the test where there can be none. The caller frees
 * the result. */
static command_result run_on_hosts(int hosts, int ranks, const char *words, const char *flags) {
    command_result r = command_run(DTRAIN_SOURCE_DIR "/tools/hosts %d full %d " DTRAIN_MPIRUN " -np %d %s %s",
                                   hosts, ranks, hosts * ranks, words, flags);
    if (r.exit_code != 77)
        return r;
    print_message("%s", r.err);
    command_free(&r);
    skip();
    return r;
}

static void train_on_hosts(int hosts, int ranks, const char *flags) {
    command_result r = run_on_hosts(hosts, ranks, DTRAIN " train " MODEL, flags);
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    command_free(&r);
}

/* 2 hosts of 2 ranks and 3 of 1: shared memory and messages, messages alone; and bf16. */
static void hosts_change_no_bit(void **state) {
    (void)state;
    training_done(1, 1, "one", MODEL);
    train_on_hosts(2, 2, "--out-dir two_by_two");
    train_on_hosts(3, 1, "--out-dir three");
    training_same_weights("one", "two_by_two", STEPS);
    training_same_weights("one", "three", STEPS);
    training_done(1, 1, "rounded", MODEL "--gradient-dtype bf16");
    train_on_hosts(2, 2, "--out-dir rounded_two_by_two --gradient-dtype bf16");
    training_same_weights("rounded", "rounded_two_by_two", STEPS);
}

/* Hosts with 12 MB of shared memory, of which MPI itself takes a part, where the sums of 4 MB buckets want
 * 48: auto says so and does without, and hierarchical is refused. (Open MPI itself would wait for ever.) */
static void shared_memory_that_is_short_is_told(void **state) {
    (void)state;
    const char *words =
        "sh -c 'mount -o remount,size=12m /dev/shm; exec \"$@\"' sh " DTRAIN
        " train --n-layers 4 --d-model 256 --d-ff 1024 --max-seq-len 32 --batch-size 4 --micro-batch-size 1 "
        "--bucket-bytes 4194304 --data text.txt --max-steps 2 --checkpoint-cadence null --seed 3";
    command_result r = run_on_hosts(2, 2, words, "--out-dir short");
    assert_int_equal(r.exit_code, 0);
    assert_non_null(
        strstr(r.err, "warning: allreduce: auto takes flat here: allreduce: hierarchical needs memory"));
    command_free(&r);
    r = run_on_hosts(2, 2, words, "--out-dir refused --allreduce hierarchical");
    assert_int_equal(r.exit_code, 2);
    assert_non_null(strstr(r.err, "MB free in /dev/shm for 2 ranks"));
    command_free(&r);
}

/* Ranks that are dealt out to hosts in turns cannot sum inside them first: the comparison leaves that
 * algorithm out. */
static void algorithms_that_cannot_run_are_left_out(void **state) {
    (void)state;
    command_result r =
        run_on_hosts(2, 2, "--map-by node " DTRAIN " bench --algorithms " MODEL, "--repetitions 2");
    if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    assert_non_null(
        strstr(r.out, "hierarchical is left out: allreduce: hierarchical needs the ranks of each host"));
    assert_non_null(strstr(r.out, "\nlibrary "));
    command_free(&r);
}

/* Ranks that have never spoken to each other still can when the launcher tells no addresses any more: only
 * the rank that is stopped is taken for missing. */
static void a_silent_launcher_does_not_silence_the_ranks(void **state) {
    (void)state;
    command_result r = run_on_hosts(
        4, 1, "-x LD_PRELOAD=" SILENT_LAUNCHER " " DTRAIN " train " TRAINING_MODEL,
        "--max-steps 100000000 --checkpoint-cadence null --out-dir silent --batch-size 8 --micro-batch-size 1 "
        "--hang-timeout-seconds 1.5 --hooks '{forward: [{name: fault, library: " HOOK_FAULT
        ", mark: struck, rank: 2, step: 3, place: micro_batch, how: stop}]}'");
    assert_int_equal(r.exit_code, 1);
    if (strstr(r.err, " at step 3: 1 of 4 ranks has not arrived: rank 2 on n3, which does not answer") ==
        NULL)
        fail_msg("expected rank 2 alone to be missing in:\n%s", r.err);
    command_free(&r);
}

/* A signal to the script ends all that it started, at once: here what would take ten minutes. */
static void a_signal_ends_all_hosts(void **state) {
    (void)state;
    command_result r = command_run("timeout --foreground --kill-after 20 3 " DTRAIN_SOURCE_DIR
                                   "/tools/hosts 2 full 1 sleep 600");
    const int code = r.exit_code;
    if (code == 77)
        print_message("%s", r.err);
    command_free(&r);
    if (code == 77)
        skip();
    assert_int_equal(code, 124); /* timeout's own; 137 when the signal did not help */
    assert_int_equal(job_await_end(2.0), 0);
}

static int set_up(void **state) {
    training_set_up(state);
    job_mark();
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(hosts_change_no_bit),
                                       cmocka_unit_test(shared_memory_that_is_short_is_told),
                                       cmocka_unit_test(algorithms_that_cannot_run_are_left_out),
                                       cmocka_unit_test(a_silent_launcher_does_not_silence_the_ranks),
                                       cmocka_unit_test(a_signal_ends_all_hosts)};
    return cmocka_run_group_tests(tests, set_up, command_tear_down);
}
