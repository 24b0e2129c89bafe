/**
 * The sum of all ranks' gradients along the canonical tree (comm/tree.h), the same bits for any number of
 * ranks and whichever way the nodes travel.
 *
 * A rank brings the sums of its cover's nodes. The vector of `elements` floats is cut into buckets, which are
 * summed one by one: by messages among all ranks (comm/exchange.h), or first through the memory that the
 * ranks of a host share (comm/hierarchy.h).
 *
 * Buckets are started as soon as their part of the nodes is complete, and progress whenever dt_reduce_poll is
 * called; the sum is complete after dt_reduce_finish.
 *
 *     for each bucket, in the same order on all ranks:
 *         ... compute; the nodes are now complete between the bucket's ends ...
 *         DT_TRY(dt_reduce_start(reduce, bucket, nodes, sum));
 *         DT_TRY(dt_reduce_poll(reduce, &ready));
 *     DT_TRY(dt_reduce_finish(reduce));
 */
#ifndef DT_COMM_REDUCE_H
#define DT_COMM_REDUCE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/number.h"
#include "comm/tree.h"
#include "comm/world.h"

typedef struct dt_reduce dt_reduce;

/** How nodes travel. */
typedef enum dt_reduce_way {
    DT_REDUCE_AUTO,         /**< hierarchical on several hosts of which one has several ranks, else flat */
    DT_REDUCE_FLAT,         /**< by messages among all ranks */
    DT_REDUCE_HIERARCHICAL, /**< through shared memory inside hosts, by messages between them */
    DT_REDUCE_LIBRARY       /**< MPI_Allreduce, to compare with: its bits depend on the ranks */
} dt_reduce_way;

typedef struct dt_reduce_options {
    dt_reduce_way way;
    dt_number number; /**< DT_NUMBER_FP32 with DT_REDUCE_LIBRARY: MPI knows no bfloat16 */
    int host_ranks;   /**< above 0: as if hosts had no more ranks than this, for tests and studies */
} dt_reduce_options;

/**
 * Prepares sums of vectors of `elements` floats over `leaves` leaves, dealt out by dt_tree_share. Bucket b is
 * the elements [bounds[b], bounds[b + 1]), bounds[0] = 0 and bounds[buckets] = elements, every bound a
 * multiple of DT_MEMORY_ALIGN_FLOATS. All arguments must agree. Allocates all that the sums will need, so
 * that a step allocates nothing. Fails with DT_USAGE when there are more ranks than leaves, or when the
 * hierarchical way is asked for and the ranks of a host do not follow each other; on failure all ranks fail.
 * The caller frees it. A job may hold several, but buckets of only one may be under way at a time.
 * Collective.
 */
dt_status dt_reduce_create(dt_reduce **reduce, const dt_world *world, int64_t leaves, int64_t elements,
                           const int64_t *bounds, int64_t buckets, const dt_reduce_options *options);

/** Frees; NULL is allowed. No bucket may be under way. Collective, unless NULL. */
void dt_reduce_free(dt_reduce *reduce);

/** The way that was taken, which is never DT_REDUCE_AUTO. Local. */
dt_reduce_way dt_reduce_taken(const dt_reduce *reduce);

/** This rank's cover, of `*count` nodes, owned by `reduce`. Local. */
const dt_tree_node *dt_reduce_cover(const dt_reduce *reduce, int *count);

/**
 * Starts one bucket. nodes[i] is the whole vector (`elements` floats) of the i-th node of this rank's cover,
 * `sum` the whole vector of results; both must stay until dt_reduce_finish, and the nodes' contents in this
 * bucket are used up. `sum` may be nodes[0]. With one rank the bucket is complete on return. Collective in
 * the order of buckets; does not wait for other ranks unless too many buckets are under way.
 */
dt_status dt_reduce_start(dt_reduce *reduce, int64_t bucket, float *const *nodes, float *sum);

/** Lets buckets under way progress, and tells whether one more could start now without waiting for others;
 * never waits. Local. */
dt_status dt_reduce_poll(dt_reduce *reduce, bool *ready);

/** Waits until every started bucket's sum is complete on this rank. Collective. */
dt_status dt_reduce_finish(dt_reduce *reduce);

/** Bytes that this rank has sent since the last call. Local. */
int64_t dt_reduce_take_sent_bytes(dt_reduce *reduce);

#endif
