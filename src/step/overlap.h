/**
 * The allreduce of the gradient, or its reduce-scatter (allreduce/form.h), beside the backward pass: each
 * bucket leaves as soon as it is complete.
 *
 * A bucket of this rank's nodes is complete when every thread has passed it in the backward pass of its
 * micro-batch of the last wave (step/micro_batches.h). Then the last additions are carried out for that
 * bucket alone, and it is handed to the reduction, as soon as that can take it. Passes report from all
 * threads; only the main thread acts on it, and gives MPI a chance to move messages at every report, since
 * MPI moves them at no other time.
 */
#ifndef DT_STEP_OVERLAP_H
#define DT_STEP_OVERLAP_H

#include <stdint.h>

#include "base/status.h"
#include "allreduce/allreduce.h"
#include "allreduce/cost.h"
#include "comm/world.h"
#include "model/backward.h"
#include "step/micro_batches.h"
#include "step/spans.h"

typedef struct dt_overlap dt_overlap;

/** What one step's allreduce took, in seconds. */
typedef struct dt_overlap_times {
    double total;   /**< from the first bucket's start to the last one's end */
    double exposed; /**< of these, never more, not hidden: what the allreduce took of the core beside the
                       passes, and how long it was waited for after them, for late ranks too */
} dt_overlap_times;

/**
 * Bytes that an overlap takes on rank `rank` of `job`, beside the gradients' own buffers: what arrives from
 * other ranks, and its part of what the host shares. Local.
 */
dt_status dt_overlap_workspace_bytes(const dt_cost_job *job, int rank, int64_t elements, int64_t bucket_bytes,
                                     int64_t *bytes);

/**
 * Prepares allreduces of `elements` floats over `micro_batches` micro-batches in buckets of about
 * `bucket_bytes`, which travel as `options` say. `schedule` is this rank's, `threads` the threads that all
 * work on its last wave, and gradient[schedule->buffers] its buffers; schedule and buffers must outlive the
 * overlap, as must `spans`, which measures it and may be NULL. All but these must agree. On failure all ranks
 * fail. The caller frees it. Collective.
 */
dt_status dt_overlap_create(dt_overlap **overlap, const dt_world *world, const dt_micro_batches *schedule,
                            int threads, float *const *gradient, int64_t micro_batches, int64_t elements,
                            int64_t bucket_bytes, const dt_allreduce_options *options, dt_spans *spans);

/** Frees; NULL is allowed. Collective, unless NULL. */
void dt_overlap_free(dt_overlap *overlap);

/** Whether the last wave should report its progress: with one rank there is nothing to exchange. Local. */
bool dt_overlap_wanted(const dt_overlap *overlap);

/** The algorithm of the allreduce, which is never DT_ALGORITHM_AUTO. Local. */
dt_algorithm dt_overlap_algorithm(const dt_overlap *overlap);

/** Forgets the step before. Before the last wave of a step, by the main thread. Local. */
void dt_overlap_begin(dt_overlap *overlap);

/** What thread `thread` tells its backward pass of the last wave; owned by the overlap. Thread 0 is the main
 * one. Local. */
const dt_backward_progress *dt_overlap_progress(dt_overlap *overlap, int thread);

/**
 * After the last wave: starts what has not been started, waits, and leaves the sum over all ranks in `*sum`,
 * a vector of `elements` that belongs to the overlap's first buffer of the cover; in the form of a
 * reduce-scatter, this rank's own part of it. Collective.
 */
dt_status dt_overlap_finish(dt_overlap *overlap, float **sum, dt_overlap_times *times);

/**
 * An allreduce of whatever the buffers hold, with nothing beside it: for measurements. `*seconds` is what
 * went to the allreduce, and not to the additions of the last wave. Collective.
 */
dt_status dt_overlap_alone(dt_overlap *overlap, double *seconds);

#endif
