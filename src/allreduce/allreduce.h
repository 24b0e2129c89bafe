/**
 * The sum of all ranks' gradients along the canonical tree (allreduce/tree.h), the same bits for any number
 * of ranks and by whichever algorithm the nodes travel.
 *
 * This room turns gradients of ranks into their sum, and spreads what each rank has made of its part of it.
 * From a job (ranks, hosts, micro-batches, algorithm) generator.h makes schedules, plain data of sends,
 * receives and additions; allreduce.h, this file, has them executed, and cost.h predicts them. Only
 * executor.c and the creation here know MPI.
 *
 * A rank brings the sums of its cover's nodes. The vector of `elements` floats is cut into buckets, which are
 * summed one by one. Buckets are started as soon as their section of the nodes is complete, and progress
 * whenever dt_allreduce_poll is called; the sum is complete after dt_allreduce_finish.
 *
 *     for each bucket, in the same order on all ranks:
 *         ... compute; the nodes are now complete between the bucket's ends ...
 *         DT_TRY(dt_allreduce_start(allreduce, bucket, nodes, sum));
 *         DT_TRY(dt_allreduce_poll(allreduce, &ready));
 *     DT_TRY(dt_allreduce_finish(allreduce));
 */
#ifndef DT_ALLREDUCE_ALLREDUCE_H
#define DT_ALLREDUCE_ALLREDUCE_H

#include <stdbool.h>
#include <stdint.h>

#include "allreduce/form.h"
#include "allreduce/pieces.h"
#include "allreduce/tree.h"
#include "base/dtype.h"
#include "base/status.h"
#include "comm/world.h"
#include "config/choices.h"

typedef struct dt_allreduce dt_allreduce;

typedef struct dt_allreduce_options {
    dt_algorithm algorithm;
    dt_dtype dtype; /**< DT_DTYPE_FP32 with DT_ALGORITHM_LIBRARY: MPI knows no bfloat16 */
    int host_ranks; /**< above 0: as if hosts had no more ranks than this, for tests and studies */
    dt_form form;   /**< of an allgather the dtype is that of what is gathered */
} dt_allreduce_options;

/**
 * Prepares sums of vectors of `elements` floats over `micro_batches` micro-batches, of which each rank has a
 * run (dt_tree_run). Bucket b is the elements [bounds[b], bounds[b + 1]), bounds[0] = 0 and bounds[buckets] =
 * elements, every bound a multiple of DT_MEMORY_ALIGN_FLOATS; where ranks have parts of their own
 * (allreduce/form.h), all buckets but the last are of one length, a multiple of DT_FORM_CHUNK_FLOATS. All
 * arguments must agree. Allocates all that the sums will need, so that a step allocates nothing. Fails with
 * DT_USAGE when there are more ranks than micro-batches, or when the hierarchical algorithm is asked for and
 * the ranks of a host do not follow each other; on failure all ranks fail. The caller frees it, and may
 * create another over other ranks at any time between steps. A job may hold several, but buckets of only one
 * may be under way at a time. Collective.
 */
dt_status dt_allreduce_create(dt_allreduce **allreduce, const dt_world *world, int64_t micro_batches,
                              int64_t elements, const int64_t *bounds, int64_t buckets,
                              const dt_allreduce_options *options);

/** Frees; NULL is allowed. No bucket may be under way: where MPI has failed one is, its messages may still
 * come, and the job is to be ended instead (dt_world_abort). Collective, unless NULL. */
void dt_allreduce_free(dt_allreduce *allreduce);

/** The algorithm that was taken, which is never DT_ALGORITHM_AUTO. Local. */
dt_algorithm dt_allreduce_algorithm(const dt_allreduce *allreduce);

/** Whose which part of the vector is, owned by `allreduce`; all zero in the form of an allreduce. Local. */
const dt_pieces *dt_allreduce_pieces(const dt_allreduce *allreduce);

/** This rank's cover, of `*count` nodes, owned by `allreduce`. Local. */
const dt_tree_node *dt_allreduce_cover(const dt_allreduce *allreduce, int *count);

/**
 * Starts one bucket. nodes[i] is the whole vector (`elements` floats) of the i-th node of this rank's cover,
 * `sum` the whole vector of results; both must stay until dt_allreduce_finish, and the nodes' contents in
 * this bucket are used up. `sum` may be nodes[0]. In an allgather `nodes` is NULL, and `sum` has this rank's
 * own part. With one rank the bucket is complete on return. Collective in the order of buckets; does not wait
 * for other ranks unless too many buckets are under way.
 */
dt_status dt_allreduce_start(dt_allreduce *allreduce, int64_t bucket, float *const *nodes, float *sum);

/** Lets buckets under way progress, and tells whether one more could start now without waiting for others;
 * never waits. Local. */
dt_status dt_allreduce_poll(dt_allreduce *allreduce, bool *ready);

/** How many buckets, of all that were started since creation and in their order, are complete on this rank,
 * as the last poll has found. Local. */
int64_t dt_allreduce_completed(const dt_allreduce *allreduce);

/** Lets time pass until a bucket under way may have got further. Local. */
dt_status dt_allreduce_wait(dt_allreduce *allreduce);

/** Waits until every started bucket's sum is complete on this rank. Collective. */
dt_status dt_allreduce_finish(dt_allreduce *allreduce);

/** Bytes that this rank has sent since the last call. Local. */
int64_t dt_allreduce_take_sent_bytes(dt_allreduce *allreduce);

#endif
