/**
 * The canonical tree: in which order micro-batches are summed, whoever sums them.
 *
 * The micro-batches 0..L-1 of a step stand below one binary tree. A range of n > 1 of them is split at the
 * largest power of two below n: the left child holds that many, the right child the rest, and a parent is
 * left + right. The shape depends on L alone, so sums along it are the same bit for bit however the
 * micro-batches are shared out.
 *
 *     L = 6:      [0,6)
 *             [0,4)     [4,6)
 *          [0,2) [2,4)   4  5
 *           0 1   2 3
 *
 * A rank that owns the run of micro-batches [first, end) adds up the tree nodes that lie wholly inside it;
 * the largest of them are its *cover*. Pure arithmetic: nothing here communicates, all functions are local.
 */
#ifndef DT_ALLREDUCE_TREE_H
#define DT_ALLREDUCE_TREE_H

#include <stdint.h>

#include "base/status.h"

/** A node of the tree: the micro-batches [first, end). */
typedef struct dt_tree_node {
    int64_t first, end;
} dt_tree_node;

/** The most nodes that a cover can have: two per level. */
#define DT_TREE_COVER_MAX 128

/**
 * Fails with DT_USAGE where there are more ranks than micro-batches, so that some rank would have none. Every
 * way into a step asks this first.
 */
dt_status dt_tree_expect_ranks(int size, int64_t micro_batches);

/** The largest power of two below `count`, for count >= 2: where a range of that length is split. */
int64_t dt_tree_split(int64_t count);

/**
 * The micro-batches of rank `rank` of `size`: a contiguous run [*first, *end), never empty while size <=
 * micro_batches; runs of neighbouring ranks follow each other and differ in length by one at most.
 */
void dt_tree_run(int64_t micro_batches, int rank, int size, int64_t *first, int64_t *end);

/**
 * The largest nodes that lie wholly inside [first, end), from left to right, into `cover`. Returns how many.
 * For [0, micro_batches) that is the root alone.
 */
int dt_tree_cover(int64_t micro_batches, int64_t first, int64_t end, dt_tree_node cover[DT_TREE_COVER_MAX]);

/** One addition: operand `into` += operand `from`. Operands are numbered by the caller's list of nodes. */
typedef struct dt_tree_add {
    int64_t into, from;
} dt_tree_add;

/**
 * The additions that sum `count` neighbouring nodes, given from left to right and each a node of the tree
 * over `micro_batches`, into larger nodes, in the order in which a depth-first walk finishes them. An
 * addition's result stands in the operand of its leftmost node. Stops at nodes whose siblings are not all in
 * the list: given the micro-batches of a run, what remains is the run's cover; given the covers of all ranks,
 * it is the root, in operand 0. `adds` has room for count - 1. Returns how many additions there are.
 */
int64_t dt_tree_adds(int64_t micro_batches, const dt_tree_node *nodes, int64_t count, dt_tree_add *adds);

/** The sum of values[0..micro_batches) along the tree. Losses are summed so. Does not change `values`. */
double dt_tree_sum(const double *values, int64_t micro_batches);

#endif
