/*
 * Killed at any moment, a run goes on from its last checkpoint and ends with the bits of one that was left in
 * peace; nothing that was written before is damaged, and each step stands in metrics.jsonl once.
 *
 * The moments are drawn from a seeded generator: while the program starts, while it trains, and at what it
 * does in the folder of checkpoints (temporary names made, files written, folders and links renamed, old ones
 * removed), which the test watches. Whole jobs are killed, and single ranks; every other job shares the
 * optimizer out among its ranks. DTRAIN_TEST_KILLS is how many
 * times (24 when it is not set), DTRAIN_TEST_SEED draws other moments.
 */
#include <inttypes.h>
#include <poll.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "support/chance.h"
#include "support/job.h"
#include "support/training.h"

#define CADENCE 2
#define MODEL                                                                                                \
    TRAINING_MODEL "--batch-size 4 --micro-batch-size 1 --checkpoint-cadence 2 --eval-cadence 3 "            \
                   "--eval-max-windows 2 --sampling-cadence 5 --sampling-max-length 8 --log-cadence 1000 "   \
                   "--keep-last 2 --keep-every 10 "
#define ENDLESS MODEL "--max-steps 100000000 --resume auto"

/* Steps that the last run takes after the last kill. */
#define MORE_STEPS 3

typedef enum aim { AIM_START, AIM_STEP, AIM_FOLDER, AIMS } aim;

static chance generator;
static int64_t seed;

static int64_t draw(int64_t end) {
    return chance_draw(&generator, end);
}

static int set_up(void **state) {
    training_set_up(state);
    job_mark();
    seed = chance_from_environment("DTRAIN_TEST_SEED", 1);
    generator = chance_of(seed);
    return 0;
}

static void sleep_us(int64_t us) {
    const struct timespec pause = {.tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000};
    nanosleep(&pause, NULL);
}

/* ---- the moments ---- */

/* Waits for `count` changes below the folder, at most a few seconds: a run that has ended makes none. */
static void await_changes(int inotify, int64_t count) {
    char events[4096];
    while (count > 0) {
        struct pollfd ready = {.fd = inotify, .events = POLLIN};
        if (poll(&ready, 1, 5000) <= 0)
            return;
        const ssize_t length = read(inotify, events, sizeof events);
        for (ssize_t at = 0; at < length && count > 0; count--)
            at +=
                (ssize_t)(sizeof(struct inotify_event) + ((struct inotify_event *)(void *)&events[at])->len);
    }
}

static void await_moment(pid_t job, aim at, int inotify, int64_t last_step) {
    switch (at) {
    case AIM_START:
        sleep_us(draw(400000));
        break;
    case AIM_STEP:
        training_await_step(job, "killed", last_step + 1 + draw(2 * CADENCE));
        sleep_us(draw(3000));
        break;
    default:
        await_changes(inotify, 1 + draw(24));
        sleep_us(draw(3) == 0 ? draw(1000) : 0);
    }
}

/* ---- the kills ---- */

/* The whole job at once, or now and then one rank of several, after which mpirun ends the others. */
static void kill_job(pid_t job, int ranks, bool one) {
    if (one && ranks != TRAINING_ALONE && job_count() == ranks + 1)
        kill(training_rank_process(job, (int)draw(ranks)), SIGKILL);
    else {
        kill(job, SIGKILL); /* it may not have become the program yet that carries the mark */
        job_signal(SIGKILL);
    }
    if (training_end(job) == 0)
        fail_msg("a killed job ended with exit code 0");
    if (job_await_end(10.0) != 0)
        fail_msg("%d processes of a killed job live on", job_count());
}

static int64_t last_step_logged(void) {
    char *value = training_metric("killed", "loss"), *line = value, *next;
    while ((next = strchr(line, '\n')) != NULL && next[1] != 0)
        line = next + 1;
    const int64_t step = strtoll(line, NULL, 10);
    free(value);
    return step;
}

/* What a kill may cost, and what it may not: the step that `latest` is of, after a look at every byte of it.
 */
static int64_t check_survivor(void) {
    const int64_t logged = last_step_logged(), saved = training_latest_step("killed");
    /* A save may be under way while the next steps are taken, until the one after it is due. */
    if (saved < logged - 2 * CADENCE)
        fail_msg("step %" PRId64 " was logged, but the last checkpoint is of step %" PRId64, logged, saved);
    command_result r = command_run("%s verify killed/checkpoints/latest", DTRAIN);
    if (r.exit_code != 0)
        fail_msg("after a kill: %s", r.err);
    command_free(&r);
    return saved;
}

static void kill_once(int64_t round, int inotify) {
    static const int sizes[] = {TRAINING_ALONE, 2, TRAINING_ALONE, 3};
    const int ranks = sizes[draw(4)];
    const aim at = (aim)(round % AIMS);
    const int64_t before = check_survivor();
    char unread[4096];
    while (read(inotify, unread, sizeof unread) > 0) /* what the run before has done */
        ;
    const pid_t job =
        training_start(ranks, "killed", round % 2 == 0 ? ENDLESS : ENDLESS " --shard-optimizer");
    await_moment(job, at, inotify, before);
    kill_job(job, ranks, draw(4) == 0);
    if (check_survivor() < before)
        fail_msg("a kill has cost a checkpoint that was there before");
}

static void a_killed_run_ends_with_the_same_bits(void **state) {
    const int64_t kills = chance_from_environment("DTRAIN_TEST_KILLS", 24);
    char flags[512];
    (void)state;
    training_done(TRAINING_ALONE, 1, "killed", MODEL "--max-steps 3");
    const int inotify = inotify_init1(IN_NONBLOCK);
    assert_true(inotify >= 0);
    assert_true(inotify_add_watch(inotify, "killed/checkpoints",
                                  IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB) >= 0);
    for (int64_t round = 0; round < kills; round++)
        kill_once(round, inotify);
    close(inotify);
    const int64_t end = check_survivor() + MORE_STEPS;
    snprintf(flags, sizeof flags, MODEL "--max-steps %" PRId64, end);
    training_done(TRAINING_ALONE, 1, "whole", flags);
    strcat(flags, " --resume auto");
    training_done(2, 1, "killed", flags);
    training_same_weights("whole", "killed", end);
    training_same_metric("whole", "killed", "loss");
    training_same_metric("whole", "killed", "val_loss");
    training_same_metric("whole", "killed", "sample");
    training_no_leftovers("killed");
    print_message("%" PRId64 " kills of seed %" PRId64 " survived, %" PRId64 " steps\n", kills, seed, end);
}

int main(void) {
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_killed_run_ends_with_the_same_bits)};
    return cmocka_run_group_tests(tests, set_up, job_tear_down);
}
