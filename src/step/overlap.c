/* Buckets go from the end of the table to its start, as the backward pass completes them. */
#include "step/overlap.h"

#include <inttypes.h>
#include <math.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>

#include "allreduce/buckets.h"
#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/plural.h"
#include "base/progress.h"
#include "comm/agree.h"
#include "comm/contract.h"

/* One thread's view of its backward pass. */
typedef struct pass {
    dt_overlap *overlap;
    int thread;
    int64_t next; /* the bucket that it has to pass next */
    dt_backward_progress progress;
} pass;

struct dt_overlap {
    const dt_micro_batches *schedule;
    float *const *gradient;
    int ranks;
    dt_dtype dtype;
    dt_spans *spans; /* or NULL */
    dt_allreduce *allreduce;
    int64_t buckets;
    int64_t *bounds; /* [buckets + 1] */
    float *node[DT_TREE_COVER_MAX];
    int threads;                 /* of the last wave: how often a bucket has to be passed */
    atomic_int_fast64_t *passed; /* [buckets] */
    pass *passes;                /* [threads] */
    int64_t next;                /* the bucket to start next; -1 when all are */
    double first_start;          /* when the first was, or 0 */
    double (*now)(void);         /* the clock for calls beside a pass */
    double exposed;              /* seconds so far */
    dt_status status;            /* of the first call that failed */
};

dt_status dt_overlap_workspace_bytes(const dt_cost_job *job, int rank, int64_t elements, int64_t bucket_bytes,
                                     int64_t *bytes) {
    const int64_t floats = dt_buckets_floats(bucket_bytes, job->form, job->ranks);
    const int64_t buckets = dt_buckets_count(elements, floats);
    return dt_cost_workspace_bytes(job, rank, floats < elements ? floats : elements,
                                   elements - (buckets - 1) * floats, buckets, bytes);
}

/* Hands over the next bucket, which all threads have passed, after the additions that are left for
 * it. `now` is the clock for what the reduction takes. */
static void start_next(dt_overlap *o, double (*now)(void)) {
    const dt_micro_batches *schedule = o->schedule;
    const int64_t last = schedule->waves - 1, first = o->bounds[o->next], end = o->bounds[o->next + 1];
    for (int64_t a = last > 0 ? schedule->wave_adds_end[last - 1] : 0; a < schedule->wave_adds_end[last];
         a++) {
        const double begun = dt_spans_begin(o->spans);
        float *into = o->gradient[schedule->add[a].into] + first;
        dt_dtype_add(o->dtype, into, into, o->gradient[schedule->add[a].from] + first, end - first);
        dt_spans_end(o->spans, DT_SPAN_ADDITIONS, begun, (double)(end - first));
    }
    if (o->first_start == 0.0)
        o->first_start = dt_clock_seconds();
    dt_progress_arrive();
    const double span = dt_spans_begin(o->spans), begun = now();
    o->status = dt_allreduce_start(o->allreduce, o->next--, o->node, o->node[0]);
    o->exposed += now() - begun;
    dt_spans_end(o->spans, DT_SPAN_ALLREDUCE, span, 0.0);
}

static bool next_is_complete(const dt_overlap *o) {
    return o->next >= 0 && atomic_load(&o->passed[o->next]) == o->threads;
}

/*
 * For the main thread, between kernels: moves messages, and hands over what has become complete as long as
 * that needs no waiting. On a slow network buckets become complete faster than they leave; then the next ones
 * bide their time while the pass goes on.
 */
static void advance(dt_overlap *o) {
    bool ready = true;
    while (o->status == DT_OK && ready) {
        /* Before the first start nothing is on its way, and looking after it would be no part of the
         * allreduce. */
        if (o->first_start > 0.0) {
            const double span = dt_spans_begin(o->spans), begun = o->now();
            o->status = dt_allreduce_poll(o->allreduce, &ready);
            o->exposed += o->now() - begun;
            dt_spans_end(o->spans, DT_SPAN_ALLREDUCE, span, 0.0);
        }
        ready = ready && next_is_complete(o);
        if (o->status == DT_OK && ready)
            start_next(o, o->now);
    }
}

static void reached(void *context, int64_t offset) {
    pass *p = context;
    dt_overlap *o = p->overlap;
    for (; p->next >= 0 && o->bounds[p->next] >= offset; p->next--)
        atomic_fetch_add(&o->passed[p->next], 1);
    if (p->thread == 0)
        advance(o);
}

/* What this rank needs by itself. */
static dt_status create(dt_overlap *o, int64_t elements, int64_t bucket_bytes, dt_form form) {
    const dt_micro_batches *schedule = o->schedule;
    DT_TRY(dt_buckets_cut(elements, bucket_bytes, form, o->ranks, &o->bounds, &o->buckets));
    o->passed = calloc((size_t)o->buckets + 1, sizeof *o->passed); /* never 0 bytes, which may be NULL */
    o->passes = calloc((size_t)o->threads, sizeof *o->passes);
    if (o->passed == NULL || o->passes == NULL)
        return dt_fail("out of memory for the progress of %d thread%s", o->threads, dt_plural_s(o->threads));
    for (int t = 0; t < o->threads; t++) {
        pass *p = &o->passes[t];
        *p = (pass){.overlap = o, .thread = t, .progress = {reached, p}};
    }
    for (int64_t c = 0; c < schedule->cover_count; c++)
        o->node[c] = o->gradient[schedule->cover_buffer[c]];
    return DT_OK;
}

dt_status dt_overlap_create(dt_overlap **created, const dt_world *world, const dt_micro_batches *schedule,
                            int threads, float *const *gradient, int64_t micro_batches, int64_t elements,
                            int64_t bucket_bytes, const dt_allreduce_options *options, dt_spans *spans) {
    DT_COLLECTIVE(world, DT_SAME_INT(micro_batches), DT_SAME_INT(elements), DT_SAME_INT(bucket_bytes),
                  DT_SAME_INT(options->algorithm), DT_SAME_INT(options->dtype),
                  DT_SAME_INT(options->host_ranks));
    dt_overlap *o = calloc(1, sizeof *o);
    dt_status status = o ? DT_OK : dt_fail("out of memory for the allreduce of gradients");
    *created = o;
    if (o != NULL) {
        o->schedule = schedule;
        o->threads = threads;
        o->gradient = gradient;
        o->ranks = world->size;
        o->dtype = options->dtype;
        o->spans = spans;
        status = create(o, elements, bucket_bytes, options->form);
    }
    DT_TRY(dt_agree(world, status));
    DT_TRY(
        dt_allreduce_create(&o->allreduce, world, micro_batches, elements, o->bounds, o->buckets, options));
    /*
     * Calls beside a pass do not wait, so what they take from it is their core's time. A clock on the wall
     * may show more: where ranks share cores MPI gives the core to another rank, which computes. The
     * library's sums do wait.
     */
    o->now = options->algorithm == DT_ALGORITHM_LIBRARY ? dt_clock_seconds : dt_clock_core_seconds;
    return DT_OK;
}

void dt_overlap_free(dt_overlap *o) {
    if (o == NULL)
        return;
    dt_allreduce_free(o->allreduce);
    free(o->bounds);
    free(o->passed);
    free(o->passes);
    free(o);
}

dt_algorithm dt_overlap_algorithm(const dt_overlap *o) {
    return dt_allreduce_algorithm(o->allreduce);
}

bool dt_overlap_wanted(const dt_overlap *o) {
    return o->ranks > 1;
}

void dt_overlap_begin(dt_overlap *o) {
    for (int64_t b = 0; b < o->buckets; b++)
        atomic_store(&o->passed[b], 0);
    for (int t = 0; t < o->threads; t++)
        o->passes[t].next = o->buckets - 1;
    o->next = o->buckets - 1;
    o->first_start = o->exposed = 0.0;
    o->status = DT_OK;
}

const dt_backward_progress *dt_overlap_progress(dt_overlap *o, int thread) {
    return &o->passes[thread].progress;
}

dt_status dt_overlap_finish(dt_overlap *o, float **sum, dt_overlap_times *times) {
    *sum = o->node[0];
    *times = (dt_overlap_times){0};
    if (!dt_overlap_wanted(o)) {
        const double begun = dt_spans_begin(o->spans);
        dt_dtype_round(o->dtype, o->node[0], o->bounds[o->buckets]);
        if (o->dtype != DT_DTYPE_FP32)
            dt_spans_end(o->spans, DT_SPAN_ROUNDING, begun, (double)o->bounds[o->buckets]);
        return DT_OK;
    }
    while (o->status == DT_OK && next_is_complete(o))
        start_next(o, dt_clock_seconds);
    DT_TRY(o->status);
    /* Without this check the bucket's sum would be this rank's alone, and nobody would know. */
    if (o->next >= 0)
        return dt_fail("fault in the program: bucket %" PRId64 " of the gradient was passed by %" PRId64
                       " of %d threads",
                       o->next, (int64_t)atomic_load(&o->passed[o->next]), o->threads);
    dt_progress_arrive();
    const double begun = dt_clock_seconds();
    DT_TRY(dt_allreduce_finish(o->allreduce));
    const double end = dt_clock_seconds();
    dt_spans_end(o->spans, DT_SPAN_ALLREDUCE, begun, 0.0);
    times->total = end - o->first_start;
    /* All of it lies inside the total, but the core's clock is not the one on the wall. */
    times->exposed = fmin(o->exposed + end - begun, times->total);
    return DT_OK;
}

dt_status dt_overlap_alone(dt_overlap *o, double *seconds) {
    float *sum;
    dt_overlap_times times;
    dt_overlap_begin(o);
    /* Every thread says at once that its pass is done; the main one last, since it acts on it. */
    for (int thread = o->threads - 1; thread >= 0; thread--)
        reached(&o->passes[thread], 0);
    DT_TRY(dt_overlap_finish(o, &sum, &times));
    *seconds = times.exposed;
    return DT_OK;
}
