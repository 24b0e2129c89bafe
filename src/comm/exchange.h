/**
 * The exchange among members by messages: how their nodes become the root, and the root reaches them all.
 *
 * Two ways, with the same sums bit for bit. *Slices*, for any number of members and nodes: the vector is cut
 * into one slice a member; every member sends slice s of each of its nodes to member s, which adds them along
 * the tree and sends the finished slice to all. 2 (p - 1) messages for p members of one node each.
 *
 * *Halving*, where the members' nodes are the leaves of a perfect binary tree: in step k a member trades
 * halves of what it still holds with the member 2^k away, and adds; that is level k of the tree, counted from
 * the leaves. After log2 p steps each has a finished part, and the same steps backwards gather them. 2 log2 p
 * messages, and the same 2 (p - 1) / p of the vector in bytes (vector halving, distance doubling: R. Thakur,
 * R. Rabenseifner, W. Gropp, "Optimization of Collective Communication Operations in MPICH", IJHPCA 19(1),
 * 2005). Neighbours trade the long halves, so where they share a host, few bytes leave it.
 *
 * Private to comm/. All functions are local.
 */
#ifndef DT_COMM_EXCHANGE_H
#define DT_COMM_EXCHANGE_H

#include <stdint.h>

#include "comm/deal.h"
#include "comm/program.h"

/** One member's side of an exchange of `count` floats. */
typedef struct dt_exchange {
    const dt_deal *deal;     /**< of the members; their nodes' sum is the root */
    int self;                /**< which member this is */
    const int *ranks;        /**< [members]: the rank that speaks for each; NULL: member m is rank m */
    const dt_operand *nodes; /**< where this member's nodes stand; their contents are used up */
    dt_operand sum;          /**< where the result goes; may be where nodes[0] is */
    int64_t count;           /**< a multiple of DT_MEMORY_ALIGN_FLOATS */
} dt_exchange;

/** Appends what this member does: by halving where that is possible, otherwise by slices. */
void dt_exchange_write(dt_program *program, const dt_exchange *exchange);

/** The same by slices, whatever would be possible. */
void dt_exchange_write_slices(dt_program *program, const dt_exchange *exchange);

#endif
