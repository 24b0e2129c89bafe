/**
 * The canonical tree: in which order leaves are summed, whoever sums them.
 *
 * Leaves 0..L-1 stand below one binary tree. A range of n > 1 leaves is split at the largest power of two
 * below n: the left child holds that many leaves, the right child the rest, and a parent is left + right. The
 * shape depends on L alone, so sums along it are the same bit for bit however the leaves are dealt out.
 *
 *     L = 6:      [0,6)
 *             [0,4)     [4,6)
 *          [0,2) [2,4)   4  5
 *           0 1   2 3
 *
 * A rank that owns the leaves [first, end) adds up the tree nodes that lie wholly inside its run; the largest
 * of them are its *cover*. Pure arithmetic: nothing here communicates, all functions are local.
 */
#ifndef DT_COMM_TREE_H
#define DT_COMM_TREE_H

#include <stdint.h>

#include "base/status.h"

/** A node of the tree: the leaves [first, end). */
typedef struct dt_tree_node {
    int64_t first, end;
} dt_tree_node;

/** The most nodes that a cover can have: two a level. */
#define DT_TREE_COVER_MAX 128

/**
 * Fails with DT_USAGE where there are more ranks than leaves, so that some rank would have none. Every way
 * into a step asks this first.
 */
dt_status dt_tree_expect_ranks(int size, int64_t leaves);

/** The largest power of two below `count`, for count >= 2: where a range of that length is split. */
int64_t dt_tree_split(int64_t count);

/**
 * The leaves of rank `rank` of `size`: a contiguous run [*first, *end), never empty while size <= leaves;
 * runs of neighbouring ranks follow each other and differ in length by one at most.
 */
void dt_tree_share(int64_t leaves, int rank, int size, int64_t *first, int64_t *end);

/**
 * The largest nodes that lie wholly inside [first, end), from left to right, into `cover`. Returns how many.
 * For [0, leaves) that is the root alone.
 */
int dt_tree_cover(int64_t leaves, int64_t first, int64_t end, dt_tree_node cover[DT_TREE_COVER_MAX]);

/** One addition: operand `into` += operand `from`. Operands are numbered by the caller's list of nodes. */
typedef struct dt_tree_add {
    int64_t into, from;
} dt_tree_add;

/**
 * The additions that sum `count` neighbouring nodes, given from left to right and each a node of the tree
 * over `leaves`, into larger nodes, in the order in which a depth-first walk finishes them. An addition's
 * result stands in the operand of its leftmost node. Stops at nodes whose siblings are not all in the list:
 * given the leaves of a run, what remains is the run's cover; given the covers of all ranks, it is the root,
 * in operand 0. `adds` has room for count - 1. Returns how many additions there are.
 */
int64_t dt_tree_adds(int64_t leaves, const dt_tree_node *nodes, int64_t count, dt_tree_add *adds);

/** The sum of values[0..leaves) along the tree. Losses are summed so. Does not change `values`. */
double dt_tree_sum(const double *values, int64_t leaves);

#endif
