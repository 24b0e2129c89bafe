/* A table of sums for each thread, which it alone writes. */
#include "step/spans.h"

#include <omp.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"

/* Bytes that a span must move for each element of its vector. */
static const double element_bytes[DT_SPANS] = {
    [DT_SPAN_ADDITIONS] = 12.0, /* both summands are read, the sum is written */
    [DT_SPAN_ROUNDING] = 8.0,   /* read and written */
    [DT_SPAN_NORM] = 4.0,       /* read */
    [DT_SPAN_ADAMW] = 28.0,     /* gradient, parameter and moments are read; the last three written */
    [DT_SPAN_PACKING] = 6.0,    /* a float is read, half of one written */
};

dt_status dt_spans_create(dt_spans *spans, int64_t rows, int threads) {
    DT_ASSERT(rows >= DT_SPANS && threads > 0);
    const int64_t line = DT_MEMORY_ALIGN / (int64_t)sizeof(dt_span_total);
    const int64_t stride = (rows + line - 1) / line * line;
    _Static_assert(DT_MEMORY_ALIGN % sizeof(dt_span_total) == 0, "whole totals fill a cache line");
    *spans = (dt_spans){.threads = threads, .rows = rows, .stride = stride};
    spans->total = dt_memory_alloc(stride * threads, sizeof *spans->total, "the spans of a step");
    return spans->total ? DT_OK : DT_FAILED;
}

void dt_spans_free(dt_spans *spans) {
    dt_memory_free(spans->total);
    *spans = (dt_spans){0};
}

void dt_spans_start(dt_spans *spans) {
    memset(spans->total, 0, (size_t)(spans->stride * spans->threads) * sizeof *spans->total);
    spans->on = true;
}

void dt_spans_stop(dt_spans *spans) {
    spans->on = false;
}

void dt_spans_count(dt_spans *spans, int64_t row, double begun, double flop, double bytes) {
    if (spans == NULL || !spans->on)
        return;
    DT_ASSERT(row >= 0 && row < spans->rows && omp_get_thread_num() < spans->threads);
    dt_span_total *total = &spans->total[omp_get_thread_num() * spans->stride + row];
    total->seconds += (dt_clock_seconds() - begun) / (double)omp_get_num_threads();
    total->flop += flop;
    total->bytes += bytes;
    total->calls++;
}

void dt_spans_end(dt_spans *spans, dt_span span, double begun, double elements) {
    dt_spans_count(spans, (int64_t)span, begun, 0.0, element_bytes[span] * elements);
}

dt_span_total dt_spans_read(const dt_spans *spans, int64_t row) {
    DT_ASSERT(row >= 0 && row < spans->rows);
    dt_span_total sum = {0};
    for (int64_t t = 0; t < spans->threads; t++) {
        const dt_span_total *total = &spans->total[t * spans->stride + row];
        sum.seconds += total->seconds;
        sum.flop += total->flop;
        sum.bytes += total->bytes;
        sum.calls += total->calls;
    }
    return sum;
}
