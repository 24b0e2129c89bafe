/**
 * How one sum is dealt out: which nodes of the tree each member brings, and which additions they take.
 *
 * A member is a rank, or all ranks of a host: whoever brings the nodes of one contiguous run of leaves.
 * Private to comm/. Pure arithmetic on what is known at creation: nothing here communicates, all functions
 * are local.
 */
#ifndef DT_COMM_DEAL_H
#define DT_COMM_DEAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/tree.h"

typedef struct dt_deal {
    int members;
    dt_tree_node *nodes;  /**< the covers of all members, one after another, so from left to right */
    int64_t *node_starts; /**< [members + 1]: member m's cover is nodes[node_starts[m]] and what follows */
    dt_tree_add *adds;    /**< [add_count]: what makes the cover of all members' leaves of these nodes */
    int64_t add_count;
} dt_deal;

/** Floats [first, first + count) of a vector. */
typedef struct dt_deal_slice {
    int64_t first, count;
} dt_deal_slice;

/**
 * Deals the sum of `leaves` leaves, which `size` ranks share (dt_tree_share, size <= leaves), out to
 * `members`: member m is the ranks [first_rank + starts[m], first_rank + starts[m + 1]), or the one rank
 * first_rank + m where `starts` is NULL. dt_deal_drop gives back what it holds, after a failure too.
 */
dt_status dt_deal_make(dt_deal *deal, int64_t leaves, int size, int first_rank, const int *starts,
                       int members);

/** Frees what a deal holds; one that is all zero is fine. */
void dt_deal_drop(dt_deal *deal);

/** How many nodes member `member` brings. */
int64_t dt_deal_nodes(const dt_deal *deal, int member);

/** How many nodes all members bring. */
int64_t dt_deal_all_nodes(const dt_deal *deal);

/** Whether the members' nodes are the leaves of a perfect binary tree: one each, of equal length, and a power
 * of two of them. */
bool dt_deal_is_perfect(const dt_deal *deal);

/** Part `part` of `parts` of `count` floats: an equal share of its aligned units, empty where they are fewer.
 */
dt_deal_slice dt_deal_slice_of(int64_t count, int part, int parts);

#endif
