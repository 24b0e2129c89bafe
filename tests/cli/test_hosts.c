/* Training over emulated hosts: the same weights as on one rank, whichever way the gradients take. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "support/job.h"
#include "support/text.h"
#include "support/training.h"

#define STEPS 3
#define MODEL TRAINING_MODEL "--max-steps 3 "

/* Trains on `hosts` of `ranks` ranks, and skips the test where there can be none. */
static void train_on_hosts(int hosts, int ranks, const char *out_dir, const char *flags) {
    command_result r = command_run(DTRAIN_SOURCE_DIR "/tools/hosts %d full %d " DTRAIN_MPIRUN
                                                     " -np %d " DTRAIN " train --out-dir %s %s",
                                   hosts, ranks, hosts * ranks, out_dir, flags);
    const bool skipped = r.exit_code == 77;
    if (skipped)
        print_message("%s", r.err);
    else if (r.exit_code != 0)
        fail_msg("exit code %d: %s", r.exit_code, r.err);
    command_free(&r);
    if (skipped)
        skip();
}

/* 2 hosts of 2 ranks and 3 of 1: shared memory and messages, messages alone; and bf16. */
static void hosts_change_no_bit(void **state) {
    (void)state;
    training_done(1, 1, "one", MODEL);
    train_on_hosts(2, 2, "two_by_two", MODEL);
    train_on_hosts(3, 1, "three", MODEL);
    training_same_weights("one", "two_by_two", STEPS);
    training_same_weights("one", "three", STEPS);
    training_done(1, 1, "rounded", MODEL "--gradient-dtype bf16");
    train_on_hosts(2, 2, "rounded_two_by_two", MODEL "--gradient-dtype bf16");
    training_same_weights("rounded", "rounded_two_by_two", STEPS);
}

/* A signal to the script ends all that it started, at once: here what would take ten minutes. */
static void a_signal_ends_all_hosts(void **state) {
    (void)state;
    command_result r = command_run("timeout --foreground --kill-after 20 3 " DTRAIN_SOURCE_DIR
                                   "/tools/hosts 2 full 1 sleep 600");
    const int code = r.exit_code;
    command_free(&r);
    if (code == 77)
        skip();
    assert_int_equal(code, 124); /* timeout's own; 137 when the signal did not help */
    assert_int_equal(job_await_end(2.0), 0);
}

static int set_up(void **state) {
    *state = command_enter_folder();
    job_mark();
    text_write("text.txt", 30000, 1);
    return 0;
}

static int tear_down(void **state) {
    command_leave_folder(*state);
    return 0;
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(hosts_change_no_bit),
                                       cmocka_unit_test(a_signal_ends_all_hosts)};
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
