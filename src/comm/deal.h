/**
 * How one sum is dealt out: which nodes of the tree each rank brings, which slice of each bucket it finishes,
 * and which additions make the root of all ranks' nodes.
 *
 * Private to comm/. Pure arithmetic on what is known at creation: nothing here communicates, all functions
 * are local.
 */
#ifndef DT_COMM_DEAL_H
#define DT_COMM_DEAL_H

#include <stdint.h>

#include "base/status.h"
#include "comm/tree.h"

/** Buckets under way at once: enough to keep the network busy while sums are made; each has its scratch. */
#define DT_DEAL_PLACES 4

typedef struct dt_deal {
    int size;            /**< ranks */
    int64_t buckets;     /**< parts that the vector is cut into */
    int64_t *bounds;     /**< [buckets + 1]: bucket b is the elements [bounds[b], bounds[b + 1]) */
    dt_tree_node *nodes; /**< the covers of all ranks, one after another, so from left to right in the tree */
    int64_t *node_starts; /**< [size + 1]: rank r's cover is nodes[node_starts[r]] up to nodes[node_starts[r +
                             1]] */
    dt_tree_add *adds;    /**< [add_count]: what makes the root of all nodes, in operand 0 */
    int64_t add_count;
} dt_deal;

/** Floats [first, first + count) of the vector. */
typedef struct dt_deal_slice {
    int64_t first, count;
} dt_deal_slice;

/**
 * Deals the sum of `leaves` leaves of `elements` floats out to `size` ranks, size <= leaves. Fails when the
 * `bounds` (copied) are not as reduce.h asks, or when a slice is longer than one message can be. dt_deal_drop
 * gives back what it holds, after a failure too.
 */
dt_status dt_deal_make(dt_deal *deal, int size, int64_t leaves, int64_t elements, const int64_t *bounds,
                       int64_t buckets);

/** Frees what a deal holds; one that is all zero is fine. */
void dt_deal_drop(dt_deal *deal);

/** How many nodes rank `rank` brings. */
int64_t dt_deal_nodes(const dt_deal *deal, int rank);

/** How many nodes all ranks bring. */
int64_t dt_deal_all_nodes(const dt_deal *deal);

/** Rank `rank`'s slice of a bucket: an equal share of its aligned units, empty where there are fewer than
 * ranks. */
dt_deal_slice dt_deal_slice_of(const dt_deal *deal, int64_t bucket, int rank);

#endif
