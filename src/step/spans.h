/**
 * Where the time of a step goes, measured in the step itself: seconds, calls and work, row by row.
 *
 * A span is a stretch of time that one thread spends on one thing. No span of a thread lies within another,
 * so the spans of a step add up to its time less what has no span. Training measures none: where `spans` is
 * NULL or switched off, a span costs a comparison.
 *
 *     const double begun = dt_spans_begin(spans);
 *     ... the work ...
 *     dt_spans_end(spans, DT_SPAN_NORM, begun, elements);
 *
 * Rows below DT_SPANS are those that the step measures itself. Whoever creates the spans may have rows of its
 * own behind them (plan/timed_kernels.h). All functions are local.
 */
#ifndef DT_STEP_SPANS_H
#define DT_STEP_SPANS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/status.h"

/** The rows of the step; `elements` of a span are the floats of the vector that it worked on. */
typedef enum dt_span {
    DT_SPAN_BATCH,     /**< the batch is drawn */
    DT_SPAN_THREADS,   /**< a thread waits for others, of its team or with micro-batches of their own */
    DT_SPAN_ADDITIONS, /**< micro-batches are added up along the canonical tree */
    DT_SPAN_ROUNDING,  /**< with one rank: the sum is rounded to the gradient's dtype */
    DT_SPAN_ALLREDUCE, /**< buckets are sent, added up and waited for */
    DT_SPAN_LOSSES,    /**< the micro-batches' losses are gathered from all ranks */
    DT_SPAN_NORM,      /**< the gradient's norm, for clipping */
    DT_SPAN_CONSENT,   /**< ranks compare what they found before they change the weights */
    DT_SPAN_ADAMW,
    DT_SPAN_WEIGHTS, /**< with shard_optimizer: each rank's new weights are sent to all */
    DT_SPAN_PACKING, /**< with compute dtype bf16: the new weights are packed for products */
    DT_SPANS
} dt_span;

/** What a row has come to. */
typedef struct dt_span_total {
    /** Of the step: a span in a parallel region of t threads counts 1/t of its time, since a step lasts as
     * long as each of its threads. */
    double seconds;
    double flop, bytes; /**< floating-point operations, and bytes that had to be read or written */
    int64_t calls;      /**< spans of all threads */
} dt_span_total;

typedef struct dt_spans {
    bool on;
    int threads;
    int64_t rows, stride;
    dt_span_total *total; /**< [threads, stride], each thread's on cache lines of its own */
} dt_spans;

/** Makes `rows` rows, at least DT_SPANS, for regions of up to `threads` threads; switched off. The caller
 * frees it, also on failure. */
dt_status dt_spans_create(dt_spans *spans, int64_t rows, int threads);

/** Frees; all zero is fine. */
void dt_spans_free(dt_spans *spans);

/** Forgets what was measured, and measures from now on; outside parallel regions. */
void dt_spans_start(dt_spans *spans);

/** Measures no longer; what was measured stays. Outside parallel regions. */
void dt_spans_stop(dt_spans *spans);

/** The time, for dt_spans_end; 0 where nothing is measured. */
static inline double dt_spans_begin(const dt_spans *spans) {
    return spans && spans->on ? dt_clock_seconds() : 0.0;
}

/** Counts a span of the step's own row `span`, from `begun` to now, that worked on `elements` floats of a
 * vector. Any thread of the innermost parallel region. */
void dt_spans_end(dt_spans *spans, dt_span span, double begun, double elements);

/** The same for any row, with the work said by the caller. */
void dt_spans_count(dt_spans *spans, int64_t row, double begun, double flop, double bytes);

/** What a row has come to over all threads. */
dt_span_total dt_spans_read(const dt_spans *spans, int64_t row);

#endif
