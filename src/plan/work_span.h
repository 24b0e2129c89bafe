/**
 * Work and span of a micro-batch on a team of any size: what each kernel has to do in all, and what of it the
 * team's busiest thread does.
 *
 * Nothing is computed and nothing is typed in by hand: the passes themselves (model/forward.c, backward.c)
 * are run for one thread of the team after another, by kernels that only count what they are given
 * (plan/timed_kernels.h). So whatever shares out the work in training shares it out here. Layers are alike:
 * one and two of them are counted, and the others follow.
 *
 * A kernel's cost is its FLOP, or its bytes at DT_WORK_SPAN_FLOP_PER_BYTES FLOP each, whichever is more: what
 * both would take on a core (Williams et al., "Roofline", 2009). Attention's FLOP are those that sections of
 * heads really take (model/heads.h), what they compute twice included. Tokens are taken to be spread evenly
 * over the vocabulary. All functions are local.
 */
#ifndef DT_PLAN_WORK_SPAN_H
#define DT_PLAN_WORK_SPAN_H

#include <stdint.h>

#include "base/status.h"
#include "config/choices.h"
#include "math/kernels.h"
#include "model/layout.h"

/** FLOP that a core computes while it reads or writes a byte of memory. */
#define DT_WORK_SPAN_FLOP_PER_BYTE 10.0

/** Room for the kernels of a step. */
#define DT_WORK_SPAN_ROWS 32

/** The two passes of a micro-batch. */
enum { DT_WORK_SPAN_FORWARD, DT_WORK_SPAN_BACKWARD, DT_WORK_SPAN_PASSES };

/** One kernel in one pass. */
typedef struct dt_work_span_row {
    double work_flop, work_bytes; /**< of all its calls, made by one thread */
    double span_flop, span_bytes; /**< of the thread of the team to whom it costs most */
} dt_work_span_row;

typedef struct dt_work_span {
    int threads;
    int64_t rows;
    dt_work_span_row row[DT_WORK_SPAN_PASSES][DT_WORK_SPAN_ROWS]; /**< as dt_timed_kernels_name names them */
    int64_t barriers[DT_WORK_SPAN_PASSES];                        /**< that the team meets at */
} dt_work_span;

/**
 * Counts a micro-batch of `sequences` sequences of a model of `shape` on a team of `threads`. Takes memory
 * for a micro-batch's activations of two layers. Fails where there is none.
 */
dt_status dt_work_span_count(dt_work_span *counts, const dt_kernels *kernels, const dt_shape *shape,
                             int64_t sequences, dt_recompute recompute, int threads);

/** What a kernel costs, in FLOP. */
double dt_work_span_cost(double flop, double bytes);

/** The span of a pass over its work: the part of one thread's time that a team takes, its barriers left out.
 */
double dt_work_span_ratio(const dt_work_span *counts, int pass);

#endif
