/* The mirror of overlap.c: buckets go from the start of the table to its end, and are waited for there. */
#include "step/arrival.h"

#include <math.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/progress.h"

struct dt_arrival {
    const dt_moments *moments;
    float *weights;
    dt_repack *repack; /* or NULL */
    dt_spans *spans;   /* or NULL */
    dt_weights_arrival await;
    pthread_t main;
    bool under_way;
    int64_t next;       /* the bucket to start next */
    int64_t before;     /* buckets of earlier arrivals */
    int64_t counted;    /* buckets that the main thread has come to need, each an arrival for the watchdog */
    double start, done; /* when the first bucket left, and when the last had come, or 0 */
    double exposed;     /* seconds so far */
    dt_status status;   /* of the first call that failed */

    atomic_int_fast64_t arrived; /* the weights before this element are there */
    pthread_mutex_t mutex;       /* for those who wait until it has risen */
    pthread_cond_t risen;
};

/* How far weights are there; on a failure, all the way, so that nobody waits: dt_arrival_finish tells. */
static void note_arrived(dt_arrival *a) {
    const dt_moments *m = a->moments;
    const int64_t complete = a->status == DT_OK ? dt_allreduce_completed(m->gather) - a->before : m->buckets;
    if (m->bounds[complete] <= atomic_load(&a->arrived))
        return;
    if (complete == m->buckets)
        a->done = dt_clock_seconds();
    pthread_mutex_lock(&a->mutex);
    atomic_store(&a->arrived, m->bounds[complete]);
    pthread_cond_broadcast(&a->risen);
    pthread_mutex_unlock(&a->mutex);
}

/* Moves messages, and starts buckets as long as that needs no waiting. */
static void advance(dt_arrival *a) {
    const dt_moments *m = a->moments;
    bool ready = true;
    while (a->status == DT_OK && ready) {
        a->status = dt_allreduce_poll(m->gather, &ready);
        ready = ready && a->next < m->buckets;
        if (a->status == DT_OK && ready)
            a->status = dt_allreduce_start(m->gather, a->next++, NULL, a->weights);
    }
    note_arrived(a);
}

/* Also where the weights are there already: all ranks must count alike, whether they wait or not. */
static void count_needed(dt_arrival *a, int64_t offset) {
    const dt_moments *m = a->moments;
    for (; a->counted < m->buckets && m->bounds[a->counted] < offset; a->counted++)
        dt_progress_arrive();
}

static void await_as_main(dt_arrival *a, int64_t offset) {
    count_needed(a, offset);
    if (atomic_load(&a->arrived) >= a->moments->bounds[a->moments->buckets])
        return;
    /* Beside a pass a call takes the core's time; once the pass must wait, all time. */
    const double span = dt_spans_begin(a->spans), begun = dt_clock_core_seconds();
    advance(a);
    a->exposed += dt_clock_core_seconds() - begun;
    if (atomic_load(&a->arrived) < offset) {
        const double waited = dt_clock_seconds();
        while (atomic_load(&a->arrived) < offset) {
            if (a->status == DT_OK)
                a->status = dt_allreduce_wait(a->moments->gather);
            advance(a);
        }
        a->exposed += dt_clock_seconds() - waited;
    }
    dt_spans_end(a->spans, DT_SPAN_WEIGHTS, span, 0.0);
}

static void await_as_other(dt_arrival *a, int64_t offset) {
    if (atomic_load(&a->arrived) >= offset)
        return;
    pthread_mutex_lock(&a->mutex);
    while (atomic_load(&a->arrived) < offset)
        pthread_cond_wait(&a->risen, &a->mutex);
    pthread_mutex_unlock(&a->mutex);
}

static void await(void *context, int64_t offset) {
    dt_arrival *a = context;
    if (pthread_equal(pthread_self(), a->main))
        await_as_main(a, offset);
    else
        await_as_other(a, offset);
    if (a->repack)
        dt_repack_until(a->repack, offset);
}

dt_status dt_arrival_create(dt_arrival **created, const dt_moments *moments, float *weights,
                            dt_repack *repack, dt_spans *spans) {
    dt_arrival *a = *created = calloc(1, sizeof *a);
    if (a == NULL)
        return dt_fail("out of memory for the arrival of new weights");
    a->moments = moments;
    a->weights = weights;
    a->repack = repack;
    a->spans = spans;
    a->await = (dt_weights_arrival){await, a};
    a->main = pthread_self();
    pthread_mutex_init(&a->mutex, NULL);
    pthread_cond_init(&a->risen, NULL);
    return DT_OK;
}

void dt_arrival_free(dt_arrival *a) {
    if (a == NULL)
        return;
    pthread_mutex_destroy(&a->mutex);
    pthread_cond_destroy(&a->risen);
    free(a);
}

dt_status dt_arrival_start(dt_arrival *a) {
    DT_ASSERT(!a->under_way && pthread_equal(pthread_self(), a->main));
    a->under_way = true;
    a->before = dt_allreduce_completed(a->moments->gather);
    a->next = a->counted = 0;
    a->start = dt_clock_seconds();
    a->done = a->exposed = 0.0;
    a->status = DT_OK;
    atomic_store(&a->arrived, 0);
    if (a->repack)
        dt_repack_start(a->repack);
    dt_progress_arrive();
    advance(a);
    return a->status;
}

bool dt_arrival_is_under_way(const dt_arrival *a) {
    return a != NULL && a->under_way;
}

const dt_weights_arrival *dt_arrival_await(const dt_arrival *a) {
    return dt_arrival_is_under_way(a) ? &a->await : NULL;
}

dt_status dt_arrival_finish(dt_arrival *a, dt_overlap_times *times) {
    DT_ASSERT(a->under_way);
    await_as_main(a, a->moments->bounds[a->moments->buckets]);
    a->under_way = false;
    DT_TRY(a->status);
    /* A bucket is complete when it has come here; it may have yet to leave for others. */
    DT_TRY(dt_allreduce_finish(a->moments->gather));
    times->total += a->done - a->start;
    times->exposed += fmin(a->exposed, a->done - a->start);
    return DT_OK;
}
