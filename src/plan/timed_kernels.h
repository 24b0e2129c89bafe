/**
 * A set of kernels in which every call that a training step makes is timed, and otherwise is the plain set's.
 *
 * A step that is given this set instead of the plain one runs as it always does: the same kernels, with its
 * own arguments, in the caches that the kernel before left. Where the plain set does nothing, passes are
 * counted without being computed (plan/work_span.c). Each call is a span (step/spans.h) in the row of
 * its kernel, with the FLOP and bytes that follow from its arguments; docs/benchmarks.md has them as a table.
 * Which of the model's products a call is, is told by the tensor whose weights it reads or whose gradient it
 * writes, so that the passes of model/ need not say it.
 *
 * Kernels know of no context, so a process has one such set at a time. All functions are local.
 */
#ifndef DT_PLAN_TIMED_KERNELS_H
#define DT_PLAN_TIMED_KERNELS_H

#include "base/status.h"
#include "math/kernels.h"
#include "model/layout.h"
#include "step/spans.h"

/** How many rows the kernels have. Row k of them is row DT_SPANS + k of the spans. */
int64_t dt_timed_kernels_rows(void);

/** The name of row `row` from 0, "c_fc dW". */
const char *dt_timed_kernels_name(int64_t row);

/** Tells which tensor the element `at` of the weights or of a gradient belongs to; NULL: none. */
typedef struct dt_timed_finder {
    const dt_tensor *(*find)(const void *context, const float *at);
    const void *context;
} dt_timed_finder;

/**
 * The timed twin of `plain`, which counts in `spans`, of DT_SPANS + dt_timed_kernels_rows() rows, the calls
 * that are made with what `finder` knows. All must outlive its use. Valid until the next call of this
 * function.
 */
const dt_kernels *dt_timed_kernels_of(const dt_kernels *plain, dt_spans *spans, dt_timed_finder finder);

#endif
