/**
 * Who brings what to one sum: which nodes of the tree each member has, and the additions that they take.
 *
 * A member is a rank, or all ranks of a host: whoever brings the nodes of one contiguous run of
 * micro-batches. Private to allreduce/. Pure arithmetic on what is known at creation: all functions are
 * local.
 */
#ifndef DT_ALLREDUCE_PARTITION_H
#define DT_ALLREDUCE_PARTITION_H

#include <stdbool.h>
#include <stdint.h>

#include "allreduce/tree.h"
#include "base/status.h"

typedef struct dt_partition {
    int members;
    dt_tree_node *nodes;  /**< the covers of all members, one after another, so from left to right */
    int64_t *node_starts; /**< [members + 1]: member m's cover is nodes[node_starts[m]] and what follows */
    dt_tree_add *adds; /**< [add_count]: what makes the cover of all members' micro-batches of these nodes */
    int64_t add_count;
} dt_partition;

/** Floats [first, first + count) of a vector. */
typedef struct dt_slice {
    int64_t first, count;
} dt_slice;

/**
 * Divides the sum of `micro_batches`, of which `size` ranks have a run each (dt_tree_run, size <=
 * micro_batches), among `members`: member m is the ranks [first_rank + starts[m], first_rank + starts[m +
 * 1]), or the one rank first_rank + m where `starts` is NULL. The caller frees it, after a failure too.
 */
dt_status dt_partition_create(dt_partition *partition, int64_t micro_batches, int size, int first_rank,
                              const int *starts, int members);

/** Frees what a partition holds; one that is all zero is fine. */
void dt_partition_free(dt_partition *partition);

/** How many nodes member `member` brings. */
int64_t dt_partition_nodes(const dt_partition *partition, int member);

/** How many nodes all members bring. */
int64_t dt_partition_all_nodes(const dt_partition *partition);

/** Whether the members' nodes are the bottom row of a perfect binary tree: one each, of equal length, and a
 * power of two of them. */
bool dt_partition_is_perfect(const dt_partition *partition);

/** Slice `index` of `slices` of `count` floats: an equal number of its units of `unit` floats, none where
 * they are fewer; the last unit may be shorter. */
dt_slice dt_partition_slice(int64_t count, int64_t unit, int index, int slices);

#endif
