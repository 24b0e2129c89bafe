/*
 * A signal that comes while rank 0 has been long at something for which the other ranks wait: evaluating or
 * sampling. What is under way is given up, nobody is taken for missing, and the last step is saved.
 */
#include <inttypes.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/training.h"

#define MODEL TRAINING_MODEL "--checkpoint-cadence null --log-cadence 1000 "

/* Longer than ranks wait for each other once they are told to leave, after steps as short as these. */
static const struct timespec wait = {.tv_sec = 7};

/* The run has ended well, with a checkpoint of `step` and with `sentence` in what it printed. */
static void check_end(pid_t job, const char *out_dir, int64_t step, const char *sentence) {
    char path[64];
    const int code = training_end(job);
    snprintf(path, sizeof path, "%s.err", out_dir);
    char *errors = command_read_file(path);
    if (code != 0)
        fail_msg("%s ended with exit code %d: %s", out_dir, code, errors);
    assert_int_equal(training_latest_step(out_dir), step);
    snprintf(path, sizeof path, "%s.out", out_dir);
    char *text = command_read_file(path);
    if (strstr(text, sentence) == NULL)
        fail_msg("%s: expected \"%s\" in \"%s\"", out_dir, sentence, text);
    free(text);
    free(errors);
}

/* SIGTERM, to all ranks as srun's scancel sends it, or to the one that waits. */
static void nobody_is_missing_after_a_long_wait(void **state) {
    (void)state;
    for (int all = 0; all < 2; all++) {
        const char *out_dir = all ? "all" : "one";
        const pid_t job = training_start(
            2, out_dir, MODEL "--max-steps 100000 --sampling-cadence 3 --sampling-max-length 1000000000");
        training_await_step(job, out_dir, 3);
        nanosleep(&wait, NULL);
        const pid_t ranks[] = {training_rank_process(job, 0), training_rank_process(job, 1)};
        kill(ranks[1], SIGTERM);
        if (all)
            kill(ranks[0], SIGTERM);
        check_end(job, out_dir, 3, " after step 3: ");
    }
}

/* 14 windows to train on, and thousands to evaluate on. */
#define LAST_EVALUATION                                                                                      \
    MODEL "--max-steps 3 --eval-cadence 100 --max-seq-len 2048 --batch-size 2 --micro-batch-size 1 "         \
          "--validation-data long.txt"

/* `text.txt` holds 30,000 characters. */
static void write_long_text(void) {
    command_result r = command_run("for i in $(seq 400); do cat text.txt; done > long.txt");
    assert_int_equal(r.exit_code, 0);
    command_free(&r);
}

/* The evaluation that ends a run is given up for any signal that asks for a stop: a job whose time is nearly
 * over sends SIGUSR1, and later kills. */
static void the_last_evaluation_is_given_up(void **state) {
    (void)state;
    static const struct {
        int ranks, signal;
    } cases[] = {{TRAINING_ALONE, SIGUSR1}, {2, SIGUSR1}, {2, SIGTERM}};
    const struct timespec moment = {.tv_sec = 1};
    write_long_text();
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char out_dir[32];
        snprintf(out_dir, sizeof out_dir, "last_%zu", i);
        const pid_t job = training_start(cases[i].ranks, out_dir, LAST_EVALUATION);
        training_await_step(job, out_dir, 3);
        nanosleep(&moment, NULL);
        kill(cases[i].ranks == TRAINING_ALONE ? job : training_rank_process(job, 0), cases[i].signal);
        check_end(job, out_dir, 3, "done after step 3: ");
        training_expect_steps(out_dir, "val_loss", "");
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(nobody_is_missing_after_a_long_wait),
                                       cmocka_unit_test(the_last_evaluation_is_given_up)};
    return cmocka_run_group_tests(tests, training_set_up, command_tear_down);
}
