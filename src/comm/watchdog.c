/*
 * The roll call of a job that stands still. Messages are small enough for MPI to take them at once, and one
 * to a rank that does not listen is the last to it: memory does not grow.
 */
#include "comm/watchdog.h"

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/watchdog_timer.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/progress.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/mpi_world.h"

enum { TAG_QUESTION, TAG_ANSWER, TAG_REQUEST, TAG_VERDICT };

/* The fractions of the limit after which the others are asked, how often, and how long an answer counts. */
#define ASK_AFTER    0.5
#define ASK_EVERY    0.1
#define ANSWER_LASTS 0.4

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

/* What one rank tells another. All run the same program, so its bytes mean the same everywhere. */
typedef struct note {
    double idle_seconds; /* since its last mark */
    int64_t arrivals, step;
    char phase[48];
} note;

typedef struct peer {
    char host[DT_HOST_BYTES];
    MPI_Request sending; /* of `out`; MPI_REQUEST_NULL when it has left */
    note out, in;
    double heard_at; /* when `in` came; -HUGE_VAL before the first */
} peer;

static struct {
    const dt_world *world; /* NULL: there is no watchdog */
    MPI_Comm comm;         /* the watchdog's own: its messages meet no others */
    peer *peers;           /* [size], with this rank's own last note to itself */
    pthread_t thread;
    bool running; /* the thread */
    dt_watchdog_request request;
    bool passed_on; /* all ranks have been told of the request, or told this one */
    pthread_mutex_t lock;
    pthread_cond_t woken;
    bool ending;              /* guarded by lock, as is the next */
    double limit;             /* seconds, or NaN */
    double now, woken_at;     /* the watchdog's clock, and the machine's when it was advanced last */
    int64_t marks;            /* as last seen */
    double moved_at;          /* when they last moved */
    double asked_at;          /* when the others were asked last */
    double hung_at;           /* when this rank first found that the job hangs; HUGE_VAL: it does not */
    int before;               /* how many lower ranks answered then, and are to speak before this one */
    _Atomic double spoken_at; /* when a rank said that it ends the job; -HUGE_VAL: none has */
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
    watchdog.now += fmin(machine - watchdog.woken_at, 2.0 * look_seconds(limit));
    watchdog.woken_at = machine;
}

/* ---- notes ---- */

static note own_note(void) {
    const dt_progress here = dt_progress_look();
    note mine = {
        .idle_seconds = watchdog.now - watchdog.moved_at, .arrivals = here.arrivals, .step = here.step};
    snprintf(mine.phase, sizeof mine.phase, "%s", here.phase);
    return mine;
}

/* A failure here is nobody's to mend: the rank that hears nothing will say so. */
static void send_note(int rank, int tag) {
    peer *to = &watchdog.peers[rank];
    int gone = 1;
    (void)MPI_Test(&to->sending, &gone, MPI_STATUS_IGNORE);
    if (!gone)
        return;
    to->out = own_note();
    (void)MPI_Isend(&to->out, (int)sizeof to->out, MPI_BYTE, rank, tag, watchdog.comm, &to->sending);
}

/* Takes what has come, and answers questions. */
static void hear(void) {
    int waiting = 1;
    MPI_Status status;
    while (MPI_Iprobe(MPI_ANY_SOURCE, MPI_ANY_TAG, watchdog.comm, &waiting, &status) == MPI_SUCCESS &&
           waiting) {
        peer *from = &watchdog.peers[status.MPI_SOURCE];
        if (MPI_Recv(&from->in, (int)sizeof from->in, MPI_BYTE, status.MPI_SOURCE, status.MPI_TAG,
                     watchdog.comm, MPI_STATUS_IGNORE) != MPI_SUCCESS)
            return;
        from->heard_at = watchdog.now;
        if (status.MPI_TAG == TAG_QUESTION)
            send_note(status.MPI_SOURCE, TAG_ANSWER);
        else if (status.MPI_TAG == TAG_REQUEST && !watchdog.passed_on) {
            watchdog.passed_on = true;
            watchdog.request.ask();
        } else if (status.MPI_TAG == TAG_VERDICT)
            watchdog.spoken_at = watchdog.now;
    }
}

static void tell_all(int tag) {
    for (int r = 0; r < watchdog.world->size; r++)
        if (r != watchdog.world->rank)
            send_note(r, tag);
}

static void pass_request_on(void) {
    if (watchdog.request.asked == NULL || watchdog.passed_on || !watchdog.request.asked())
        return;
    watchdog.passed_on = true;
    tell_all(TAG_REQUEST);
}

/* ---- the verdict ---- */

static bool answers(int rank, double limit) {
    return watchdog.now - watchdog.peers[rank].heard_at < ANSWER_LASTS * limit;
}

static double idle_seconds(int rank) {
    return watchdog.now - watchdog.peers[rank].heard_at + watchdog.peers[rank].in.idle_seconds;
}

/* Whether no rank that answers has made progress within the limit. */
static bool job_hangs(double limit) {
    for (int r = 0; r < watchdog.world->size; r++)
        if (answers(r, limit) && idle_seconds(r) < limit)
            return false;
    return true;
}

/*
 * Whom the others wait for. Of ranks that do not answer nothing else needs to be known; where all answer it
 * is those that have arrived the fewest times, unless all have arrived as often.
 */
static bool is_missing(int rank, double limit) {
    int64_t min = INT64_MAX, max = INT64_MIN;
    bool all_answer = true;
    for (int r = 0; r < watchdog.world->size; r++) {
        const int64_t arrivals = watchdog.peers[r].in.arrivals;
        all_answer = all_answer && answers(r, limit);
        min = arrivals < min ? arrivals : min;
        max = arrivals > max ? arrivals : max;
    }
    return all_answer ? min < max && watchdog.peers[rank].in.arrivals == min : !answers(rank, limit);
}

/* The ranks that are missing, their hosts and what is known of them, into `text`; how many they are. */
static int name_missing(double limit, FILE *text) {
    int missing = 0;
    for (int r = 0; r < watchdog.world->size; r++) {
        const peer *p = &watchdog.peers[r];
        if (!is_missing(r, limit))
            continue;
        fprintf(text, "%srank %d on %s, which ", missing++ ? "; " : "", r, p->host);
        if (answers(r, limit))
            fprintf(text, "answers, but is %s at step %" PRId64 " since %.0f s", p->in.phase, p->in.step,
                    idle_seconds(r));
        else
            fputs("does not answer", text);
    }
    return missing;
}

/* Prints the sentence and ends the job. */
static _Noreturn void end_job(double limit) {
    const note *furthest = &watchdog.peers[watchdog.world->rank].in;
    char *names = NULL;
    size_t length = 0;
    for (int r = 0; r < watchdog.world->size; r++)
        if (answers(r, limit) && watchdog.peers[r].in.arrivals > furthest->arrivals)
            furthest = &watchdog.peers[r].in;
    FILE *text = open_memstream(&names, &length);
    const int missing = text ? name_missing(limit, text) : 0;
    if (text == NULL || fclose(text) != 0)
        names = NULL;
    tell_all(TAG_VERDICT);
    dt_log_settle();
    dt_log_error(
        "no progress for %g s (hang_timeout_seconds), %s at step %" PRId64 ": %d of %d ranks have not "
        "arrived%s%s; the job ends here; check the hosts and the links between them, then go on from the "
        "newest whole checkpoint with --resume auto",
        limit, furthest->phase, furthest->step, missing, watchdog.world->size, missing ? ": " : ", all wait",
        missing && names ? names : "");
    watchdog.spoken_at = watchdog.now;
    dt_world_abort(watchdog.world, DT_FAILED);
}

/* The order of speaking is that of the moment at which the job was found to hang: a rank that ends it answers
 * nobody any more, and is not missing for that. */
static void find_order(double limit) {
    watchdog.hung_at = watchdog.now;
    watchdog.before = 0;
    for (int r = 0; r < watchdog.world->rank; r++)
        watchdog.before += answers(r, limit);
}

/* The lowest rank that answers speaks; the next ones leave it the time for that, and follow. */
static void judge(double limit) {
    if (!job_hangs(limit)) {
        watchdog.hung_at = HUGE_VAL;
        return;
    }
    if (watchdog.hung_at == HUGE_VAL)
        find_order(limit);
    if (watchdog.spoken_at >= 0.0) {
        if (watchdog.now - watchdog.spoken_at >= FOLLOW_SECONDS)
            dt_world_abort(watchdog.world, DT_FAILED);
    } else if (watchdog.now - watchdog.hung_at >= watchdog.before * YIELD_SECONDS)
        end_job(limit);
}

/* ---- the thread ---- */

/* MPI has not come back from a look, so that nothing can be asked, nor the job be aborted. This process ends
 * by itself, and its launcher ends the others. */
static _Noreturn void end_caught(void) {
    const dt_progress here = dt_progress_look();
    dt_log_settle();
    if (watchdog.spoken_at < 0.0)
        dt_log_error(
            "rank %d on %s cannot ask where the other ranks are, since a call of MPI does not return; it "
            "is %s at step %" PRId64 "; the job ends here; check the hosts and the links between them, "
            "then go on from the newest whole checkpoint with --resume auto",
            watchdog.world->rank, watchdog.world->host, here.phase, here.step);
    _exit(DT_FAILED);
}

/* Rank 0 is caught first, so that where all are it speaks for them. */
static double caught_seconds(double limit) {
    return fmax(CAUGHT_SECONDS, limit) + (watchdog.world->rank > 0 ? YIELD_SECONDS : 0.0);
}

static void look(double limit) {
    const int64_t marks = dt_progress_look().marks;
    peer *self = &watchdog.peers[watchdog.world->rank];
    advance_clock(limit);
    if (marks != watchdog.marks || isnan(limit)) {
        watchdog.marks = marks;
        watchdog.moved_at = watchdog.now;
        watchdog.hung_at = HUGE_VAL;
    }
    self->in = own_note();
    self->heard_at = watchdog.now;
    hear();
    pass_request_on();
    if (isnan(limit) || self->in.idle_seconds < ASK_AFTER * limit)
        return;
    if (watchdog.now - watchdog.asked_at >= ASK_EVERY * limit) {
        watchdog.asked_at = watchdog.now;
        tell_all(TAG_QUESTION);
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
        pthread_mutex_unlock(&watchdog.lock);
        if (!isnan(limit))
            dt_watchdog_timer_set(caught_seconds(limit));
        look(limit);
        dt_watchdog_timer_clear();
        pthread_mutex_lock(&watchdog.lock);
        if (!watchdog.ending)
            sleep_a_while();
    }
    pthread_mutex_unlock(&watchdog.lock);
    return unused;
}

/* ---- start and stop ---- */

/* Makes the peers, and gives each the name of its host. */
static dt_status learn_hosts(const dt_world *world) {
    char(*hosts)[DT_HOST_BYTES] = NULL;
    watchdog.peers = dt_memory_alloc(world->size, sizeof *watchdog.peers, "what is known of other ranks");
    dt_status status = dt_agree(world, watchdog.peers ? DT_OK : DT_FAILED);
    if (status == DT_OK)
        status = dt_world_host_names(world, &hosts);
    for (int r = 0; status == DT_OK && r < world->size; r++) {
        watchdog.peers[r] = (peer){.sending = MPI_REQUEST_NULL, .heard_at = -HUGE_VAL};
        memcpy(watchdog.peers[r].host, hosts[r], DT_HOST_BYTES);
    }
    dt_memory_free(hosts);
    return status;
}

static dt_status start_thread(void) {
    watchdog.ending = false;
    watchdog.woken_at = dt_clock_seconds();
    watchdog.now = watchdog.moved_at = 0.0;
    watchdog.asked_at = -HUGE_VAL;
    watchdog.hung_at = HUGE_VAL;
    watchdog.spoken_at = -HUGE_VAL;
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
    DT_TRY(learn_hosts(world));
    DT_TRY(dt_mpi_world_check(MPI_Comm_dup(world->mpi->comm, &watchdog.comm), "MPI_Comm_dup"));
    watchdog.world = world;
    watchdog.limit = limit_seconds;
    watchdog.request = request;
    watchdog.passed_on = false;
    return dt_agree(world, start_thread());
}

void dt_watchdog_limit(double limit_seconds) {
    pthread_mutex_lock(&watchdog.lock);
    watchdog.limit = limit_seconds;
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
    if (watchdog.world == NULL)
        return;
    dt_progress_enter(dt_progress_look().step, "leaving the job");
    /* The work is done: ranks that cannot wait for each other leave one by one. */
    if (dt_world_barrier(watchdog.world) != DT_OK)
        dt_log_warn("cannot wait for the other ranks at the end: %s", dt_error());
    if (watchdog.running)
        stop_thread();
    dt_watchdog_timer_stop();
    /* A note that is still on its way has left its buffer soon: MPI takes so few bytes without a receiver. */
    for (int r = 0; r < watchdog.world->size; r++)
        (void)MPI_Wait(&watchdog.peers[r].sending, MPI_STATUS_IGNORE);
    (void)MPI_Comm_free(&watchdog.comm);
    dt_memory_free(watchdog.peers);
    watchdog.peers = NULL;
    watchdog.world = NULL;
}
