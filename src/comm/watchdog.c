/* When a job counts as one that hangs, and which of its ranks says so. What ranks tell one another is
 * roll_call.c's. */
#include "comm/watchdog.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/plural.h"
#include "base/progress.h"
#include "base/watchdog_timer.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/mpi_world.h"
#include "comm/roll_call.h"

/* The fractions of the limit after which the others are asked, and how often. */
#define ASK_AFTER 0.5
#define ASK_EVERY 0.1

/* How often the thread looks: a fortieth of the limit, but neither busily nor too late to answer. */
#define LOOK_FRACTION    0.025
#define LOOK_MIN_SECONDS 0.01
#define LOOK_MAX_SECONDS 1.0

/* How much later than the rank that has to speak the next one does. */
#define YIELD_SECONDS 2.0

/* How long after another rank has said that it speaks this one leaves too, without a word: under srun the end
 * of one does not end the others at once. */
#define FOLLOW_SECONDS 0.5

/* A look that takes longer than this, or than the limit, is caught in MPI. */
#define CAUGHT_SECONDS 10.0

static struct {
    dt_roll_call roll; /* its world is NULL where there is no watchdog */
    pthread_t thread;
    bool running; /* the thread */
    dt_watchdog_request request;
    bool passed_on; /* all ranks have been told of the request, or told this one */
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool ending;     /* guarded by lock, as is the next */
    double limit;    /* seconds, or NaN */
    bool limited;    /* the limit was set since the last look; guarded too */
    double woken_at; /* by the machine's clock, when the roll call's was advanced last */
    int64_t marks;   /* as last seen */
    double asked_at; /* when the others were asked last */
    double hung_at;  /* when this rank first found that the job hangs; HUGE_VAL: it does not */
    int before;      /* how many lower ranks answered then, and are to speak before this one */
} watchdog = {.lock = PTHREAD_MUTEX_INITIALIZER, .woken = PTHREAD_COND_INITIALIZER, .limit = NAN};

/* ---- time ---- */

static double look_seconds(double limit) {
    return isnan(limit) ? LOOK_MAX_SECONDS
                        : fmax(LOOK_MIN_SECONDS, fmin(LOOK_FRACTION * limit, LOOK_MAX_SECONDS));
}

/*
 * A process that was stopped for a while, alone or with its whole host, must not think on waking that nobody
 * has moved: its clock goes on by no more than it meant to sleep, and a little.
 */
static void advance_clock(double limit) {
    const double machine = dt_clock_seconds();
    watchdog.roll.now += fmin(machine - watchdog.woken_at, 2.0 * look_seconds(limit));
    watchdog.woken_at = machine;
}

/* ---- the request ---- */

static void pass_request_on(void) {
    if (watchdog.passed_on)
        return;
    if (watchdog.roll.requested) {
        watchdog.passed_on = true;
        watchdog.request.ask();
    } else if (watchdog.request.asked != NULL && watchdog.request.asked()) {
        watchdog.passed_on = true;
        dt_roll_call_tell_all(&watchdog.roll, DT_ROLL_CALL_REQUEST);
    }
}

/* ---- the verdict ---- */

/* Prints the sentence and ends the job. */
static _Noreturn void end_job(double limit) {
    const dt_world *world = watchdog.roll.world;
    const dt_roll_call_note *furthest = dt_roll_call_furthest(&watchdog.roll, limit);
    char *names = NULL;
    size_t length = 0;
    FILE *text = open_memstream(&names, &length);
    const int missing = text ? dt_roll_call_name_missing(&watchdog.roll, limit, text) : 0;
    if (text == NULL || fclose(text) != 0)
        names = NULL;
    dt_roll_call_tell_all(&watchdog.roll, DT_ROLL_CALL_VERDICT);
    dt_log_settle();
    dt_log_error(
        "no progress for %g s (hang_timeout_seconds), %s at step %" PRId64 ": %d of %d rank%s %s not "
        "arrived%s%s; the job ends here; check the hosts and the links between them, then go on from the "
        "newest whole checkpoint with --resume auto",
        limit, furthest->phase, furthest->step, missing, world->size, dt_plural_s(world->size),
        dt_plural(missing, "has", "have"), missing ? ": " : ", all wait", missing && names ? names : "");
    watchdog.roll.spoken_at = watchdog.roll.now;
    dt_world_abort(world, DT_FAILED);
}

/* The order of speaking is that of the moment at which the job was found to hang: a rank that ends it answers
 * nobody any more, and is not missing for that. */
static void find_order(double limit) {
    watchdog.hung_at = watchdog.roll.now;
    watchdog.before = 0;
    for (int r = 0; r < watchdog.roll.world->rank; r++)
        watchdog.before += dt_roll_call_answers(&watchdog.roll, r, limit);
}

/* The lowest rank that answers speaks; the next ones leave it the time for that, and follow. */
static void judge(double limit) {
    if (!dt_roll_call_hangs(&watchdog.roll, limit)) {
        watchdog.hung_at = HUGE_VAL;
        return;
    }
    const double now = watchdog.roll.now, spoken_at = watchdog.roll.spoken_at;
    if (watchdog.hung_at == HUGE_VAL)
        find_order(limit);
    if (spoken_at >= 0.0) {
        if (now - spoken_at >= FOLLOW_SECONDS)
            dt_world_abort(watchdog.roll.world, DT_FAILED);
    } else if (now - watchdog.hung_at >= watchdog.before * YIELD_SECONDS)
        end_job(limit);
}

/* ---- the thread ---- */

/* MPI has not come back from a look, so that nothing can be asked, nor the job be aborted. This process ends
 * by itself, and its launcher ends the others. */
static _Noreturn void end_caught(void) {
    const dt_world *world = watchdog.roll.world;
    const dt_progress here = dt_progress_look();
    dt_log_settle();
    if (watchdog.roll.spoken_at < 0.0)
        dt_log_error(
            "rank %d on %s cannot ask where the other ranks are, since a call of MPI does not return; it "
            "is %s at step %" PRId64 "; the job ends here; check the hosts and the links between them, "
            "then go on from the newest whole checkpoint with --resume auto",
            world->rank, world->host, here.phase, here.step);
    _exit(DT_FAILED);
}

/* Rank 0 is caught first, so that where all are it speaks for them. */
static double caught_seconds(double limit) {
    return fmax(CAUGHT_SECONDS, limit) + (watchdog.roll.world->rank > 0 ? YIELD_SECONDS : 0.0);
}

/* A limit counts from when it is set (`anew`): under a shorter one than before the others may have been
 * silent for long only because nobody has asked them. */
static void look(double limit, bool anew) {
    dt_roll_call *roll = &watchdog.roll;
    const int64_t marks = dt_progress_look().marks;
    advance_clock(limit);
    if (marks != watchdog.marks || isnan(limit) || anew) {
        watchdog.marks = marks;
        roll->moved_at = roll->now;
        watchdog.hung_at = HUGE_VAL;
    }
    dt_roll_call_hear(roll);
    pass_request_on();
    if (isnan(limit) || roll->now - roll->moved_at < ASK_AFTER * limit)
        return;
    if (roll->now - watchdog.asked_at >= ASK_EVERY * limit) {
        watchdog.asked_at = roll->now;
        dt_roll_call_tell_all(roll, DT_ROLL_CALL_QUESTION);
    }
    judge(limit);
}

/* Sleeps until it is time to look, or the watchdog ends or its limit changes. The caller holds the lock. */
static void sleep_a_while(void) {
    const struct timespec until = dt_clock_after(look_seconds(watchdog.limit));
    (void)pthread_cond_clockwait(&watchdog.woken, &watchdog.lock, CLOCK_MONOTONIC, &until);
}

static void *run_watchdog(void *unused) {
    pthread_mutex_lock(&watchdog.lock);
    while (!watchdog.ending) {
        const double limit = watchdog.limit;
        const bool anew = watchdog.limited;
        watchdog.limited = false;
        pthread_mutex_unlock(&watchdog.lock);
        if (!isnan(limit))
            dt_watchdog_timer_set(caught_seconds(limit));
        look(limit, anew);
        dt_watchdog_timer_clear();
        pthread_mutex_lock(&watchdog.lock);
        if (!watchdog.ending)
            sleep_a_while();
    }
    pthread_mutex_unlock(&watchdog.lock);
    return unused;
}

/* ---- start and stop ---- */

static dt_status start_thread(void) {
    watchdog.ending = false;
    watchdog.passed_on = false;
    watchdog.woken_at = dt_clock_seconds();
    watchdog.asked_at = -HUGE_VAL;
    watchdog.hung_at = HUGE_VAL;
    DT_TRY(dt_watchdog_timer_start(end_caught));
    const int failed = pthread_create(&watchdog.thread, NULL, run_watchdog, NULL);
    watchdog.running = failed == 0;
    return failed
               ? dt_fail("cannot start the watchdog, which looks for ranks that hang: %s", strerror(failed))
               : DT_OK;
}

dt_status dt_watchdog_start(const dt_world *world, double limit_seconds, dt_watchdog_request request) {
    DT_COLLECTIVE(world, DT_SAME_REAL(limit_seconds));
    int granted = MPI_THREAD_SINGLE;
    if (world->size == 1)
        return DT_OK;
    DT_TRY(dt_mpi_world_check(MPI_Query_thread(&granted), "MPI_Query_thread"));
    if (granted < MPI_THREAD_MULTIPLE) {
        dt_log_warn(
            "this MPI allows calls from one thread only, so a rank that hangs is not noticed; use one "
            "with MPI_THREAD_MULTIPLE");
        return DT_OK;
    }
    watchdog.limit = limit_seconds;
    watchdog.request = request;
    DT_TRY(dt_roll_call_create(&watchdog.roll, world));
    return dt_agree(world, start_thread());
}

void dt_watchdog_limit(double limit_seconds) {
    pthread_mutex_lock(&watchdog.lock);
    watchdog.limit = limit_seconds;
    watchdog.limited = true;
    if (watchdog.running)
        pthread_cond_signal(&watchdog.woken);
    pthread_mutex_unlock(&watchdog.lock);
}

static void stop_thread(void) {
    pthread_mutex_lock(&watchdog.lock);
    watchdog.ending = true;
    pthread_cond_signal(&watchdog.woken);
    pthread_mutex_unlock(&watchdog.lock);
    pthread_join(watchdog.thread, NULL);
    watchdog.running = false;
}

void dt_watchdog_stop(void) {
    if (watchdog.roll.world == NULL)
        return;
    dt_progress_enter(dt_progress_look().step, "leaving the job");
    /* The work is done: ranks that cannot wait for each other leave one by one. */
    if (dt_world_barrier(watchdog.roll.world) != DT_OK)
        dt_log_warn("cannot wait for the other ranks at the end: %s", dt_error());
    if (watchdog.running)
        stop_thread();
    dt_watchdog_timer_stop();
    dt_roll_call_free(&watchdog.roll);
}
