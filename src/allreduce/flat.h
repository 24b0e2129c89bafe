/**
 * The flat algorithm: members exchange messages until the root of the tree stands on all of them.
 *
 * Two forms, with the same sums bit for bit. *Slices*, for any number of members and nodes: the vector is cut
 * into one slice per member; every member sends slice s of each of its nodes to member s, which adds them
 * along the tree and sends the finished slice to all. 2 (p - 1) messages for p members of one node each.
 *
 * *Halving*, where the members' nodes are the bottom row of a perfect binary tree: in step k a member trades
 * halves of what it still holds with the member 2^k away, and adds; that is level k of the tree, counted from
 * the bottom. After log2 p steps each has a finished piece, and the same steps backwards gather them. 2 log2
 * p messages, and the same 2 (p - 1) / p of the vector in bytes (vector halving, distance doubling: R.
 * Thakur, R. Rabenseifner, W. Gropp, "Optimization of Collective Communication Operations in MPICH", IJHPCA
 * 19(1), 2005). Neighbours trade the long halves, so where they share a host, few bytes leave it.
 *
 * The first half of either form is a reduce-scatter, the second an allgather (allreduce/form.h), and what a
 * member has between them is its own part. Members of an allgather need no nodes.
 *
 * Private to allreduce/. All functions are local.
 */
#ifndef DT_ALLREDUCE_FLAT_H
#define DT_ALLREDUCE_FLAT_H

#include <stdint.h>

#include "allreduce/form.h"
#include "allreduce/partition.h"
#include "allreduce/schedule.h"

/** One member's side of the sum of `count` floats. */
typedef struct dt_flat {
    const dt_partition *partition; /**< of the members; their nodes' sum is the root */
    int self;                      /**< which member this is */
    const int *ranks;              /**< [members]: the rank that speaks for each; NULL: member m is rank m */
    const dt_operand *nodes;       /**< where this member's nodes stand; their contents are used up */
    dt_operand sum; /**< where the result goes, and the own part is; may be where nodes[0] is */
    int64_t count;  /**< a multiple of DT_MEMORY_ALIGN_FLOATS */
    dt_form form;   /**< which halves */
} dt_flat;

/** Appends what this member does: by halving where that is possible, otherwise by slices. */
void dt_flat_write(dt_schedule *schedule, const dt_flat *flat);

/** The same by slices, whatever would be possible. */
void dt_flat_write_slices(dt_schedule *schedule, const dt_flat *flat);

/** This member's own part of the `count` floats, as dt_flat_write has it. */
dt_slice dt_flat_piece(const dt_flat *flat);

#endif
