/* One thread that copies, and answers one question at a time. */
#include "train/giver.h"

#include <inttypes.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "train/own_moments.h"

/* How often the thread looks for a question: while a checkpoint is written, and otherwise, where it comes
 * from a signal's thread, which has about a second. */
#define BUSY_SECONDS 0.0005
#define IDLE_SECONDS 0.02

struct dt_giver {
    const dt_world *world;
    const dt_channel *channel;
    dt_state *state;
    dt_own_moments own; /* the thread's alone, as are those below */
    dt_giver_request asked;
    bool unanswered; /* there is a question, which waits for the copy that it needs */

    pthread_t thread;
    bool started;
    pthread_mutex_t mutex; /* guards what follows; never held together with the state */
    pthread_cond_t changed;
    int64_t begun, held, released; /* saves of the loop's: asked for, the state held for them, and over */
    bool lent;                     /* the copy is one that rank 0 has asked for by COPY */
    bool leaving;
};

/* ---- copies ---- */

/* Of the state as it is, unless the copy is of that. For `save` of the loop's, 0 for none. */
static void take_copy(dt_giver *g, int64_t save) {
    dt_state_hold(g->state);
    pthread_mutex_lock(&g->mutex);
    if (save > 0)
        g->held = save;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->mutex);
    if (g->own.step != g->state->step)
        dt_own_moments_take(&g->own, g->state);
    dt_state_release(g->state);
}

/* Makes the copy that COPY asks for, of `step` or later. Whether there is one by now. */
static bool take_lent(dt_giver *g, int64_t step) {
    pthread_mutex_lock(&g->mutex);
    const bool due = g->begun > g->held, begun = g->begun > g->released, lent = g->lent;
    g->lent = true;
    pthread_mutex_unlock(&g->mutex);
    if (due)
        return false;
    /* A copy that the loop has begun, rank 0's loop has still to come to; one that is lent stays, although
     * the state may be further. */
    if (!begun && !(lent && g->own.step >= step))
        take_copy(g, 0);
    return g->own.step >= step;
}

/* ---- answers ---- */

static dt_status give_slice(const dt_giver *g) {
    const dt_own_moments_slice slice = dt_own_moments_slice_of(&g->own, g->asked.vector, g->asked.span);
    DT_TRY(dt_channel_send(g->channel, 0, &slice.hash, (int64_t)sizeof slice.hash));
    return dt_channel_send(g->channel, 0, slice.elements, slice.count * (int64_t)sizeof *slice.elements);
}

/* What ends without an answer. */
static void let_go(dt_giver *g, dt_giver_topic topic) {
    pthread_mutex_lock(&g->mutex);
    if (topic == DT_GIVER_RETURN)
        g->lent = false;
    else if (topic == DT_GIVER_RELEASE)
        g->released++;
    else
        g->leaving = true;
    pthread_cond_broadcast(&g->changed);
    pthread_mutex_unlock(&g->mutex);
}

/* Answers the question that there is, or leaves it for later. */
static dt_status answer(dt_giver *g) {
    g->unanswered = false;
    switch ((dt_giver_topic)g->asked.topic) {
    case DT_GIVER_COPY:
        if (take_lent(g, g->asked.step))
            return dt_channel_send(g->channel, 0, &g->own.step, (int64_t)sizeof g->own.step);
        g->unanswered = true;
        break;
    case DT_GIVER_SLICE:
        if (g->own.step == g->asked.step)
            return give_slice(g);
        g->unanswered = true;
        break;
    case DT_GIVER_RETURN:
    case DT_GIVER_RELEASE:
    case DT_GIVER_LEAVE:
        let_go(g, (dt_giver_topic)g->asked.topic);
        break;
    }
    return DT_OK;
}

static dt_status serve(dt_giver *g, bool *served) {
    bool arrived = g->unanswered;
    if (!arrived) {
        DT_TRY(dt_channel_look(g->channel, 0, &arrived));
        if (arrived)
            DT_TRY(dt_channel_receive(g->channel, 0, &g->asked, (int64_t)sizeof g->asked));
    }
    *served = arrived;
    if (!arrived)
        return DT_OK;
    DT_TRY(answer(g));
    *served = !g->unanswered;
    return DT_OK;
}

/* ---- the thread ---- */

static void sleep_a_while(dt_giver *g) {
    const bool busy = g->begun > g->released || g->lent;
    const struct timespec until = dt_clock_after(busy ? BUSY_SECONDS : IDLE_SECONDS);
    (void)pthread_cond_clockwait(&g->changed, &g->mutex, CLOCK_MONOTONIC, &until);
}

static void *run_giver(void *argument) {
    dt_giver *g = argument;
    pthread_mutex_lock(&g->mutex);
    while (!g->leaving) {
        const int64_t save = g->begun > g->held ? g->begun : 0;
        bool served = false;
        pthread_mutex_unlock(&g->mutex);
        if (save > 0)
            take_copy(g, save);
        if (serve(g, &served) != DT_OK) {
            dt_log_error("rank %d on %s cannot give its moments to rank 0, which saves: %s", g->world->rank,
                         g->world->host, dt_error());
            dt_world_abort(g->world, DT_FAILED);
        }
        pthread_mutex_lock(&g->mutex);
        if (!served && !g->leaving && g->begun == g->held)
            sleep_a_while(g);
    }
    pthread_mutex_unlock(&g->mutex);
    return NULL;
}

dt_status dt_giver_create(dt_giver **created, const dt_world *world, const dt_channel *channel,
                          dt_state *state, const dt_moments *moments) {
    dt_giver *g = *created = calloc(1, sizeof *g);
    if (g == NULL)
        return dt_fail("out of memory for what gives moments to checkpoints");
    g->world = world;
    g->channel = channel;
    g->state = state;
    pthread_mutex_init(&g->mutex, NULL);
    pthread_cond_init(&g->changed, NULL);
    DT_TRY(dt_own_moments_create(&g->own, dt_allreduce_pieces(moments->gather), world->rank));
    const int failed = pthread_create(&g->thread, NULL, run_giver, g);
    g->started = failed == 0;
    return g->started
               ? DT_OK
               : dt_fail("cannot start the thread that gives moments to checkpoints: %s", strerror(failed));
}

void dt_giver_free(dt_giver *g) {
    if (g == NULL)
        return;
    if (g->started)
        pthread_join(g->thread, NULL);
    dt_own_moments_free(&g->own);
    pthread_cond_destroy(&g->changed);
    pthread_mutex_destroy(&g->mutex);
    free(g);
}

void dt_giver_begin(dt_giver *g) {
    if (g == NULL)
        return;
    pthread_mutex_lock(&g->mutex);
    while (g->begun > g->released || g->lent)
        pthread_cond_wait(&g->changed, &g->mutex);
    const int64_t mine = ++g->begun;
    pthread_cond_broadcast(&g->changed);
    while (g->held < mine)
        pthread_cond_wait(&g->changed, &g->mutex);
    pthread_mutex_unlock(&g->mutex);
}

dt_status dt_giver_dismiss(const dt_channel *channel, const dt_world *world) {
    const dt_giver_request request = {.topic = DT_GIVER_LEAVE};
    for (int rank = 1; rank < world->size; rank++)
        DT_TRY(dt_channel_send(channel, rank, &request, (int64_t)sizeof request));
    return DT_OK;
}
