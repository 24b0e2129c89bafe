/**
 * The exchange where ranks share hosts: sums inside a host go through shared memory, and what is left of them
 * crosses the network once a host.
 *
 *     every rank of the host copies its nodes into shared memory                              COPY, MEET
 *     lane l of the host adds them along the tree, in part l of the bucket, as far as it goes  ADD
 *     lane l of all hosts exchange the hosts' nodes of that part (exchange.h)                  SEND .. WAIT
 *     every rank copies the finished bucket out of the shared memory                          MEET, COPY
 *
 * A host's ranks follow each other, so its leaves are a contiguous run, and the largest nodes of the tree
 * inside it are the host's cover. There are as many lanes as the smallest host has ranks.
 *
 * Private to comm/. All functions are local.
 */
#ifndef DT_COMM_HIERARCHY_H
#define DT_COMM_HIERARCHY_H

#include <stdint.h>

#include "base/status.h"
#include "comm/deal.h"
#include "comm/program.h"

typedef struct dt_hierarchy {
    int hosts, host;  /**< how many, and which is this rank's */
    int ranks, local; /**< of this host, and which of them this one is */
    int lanes;
    dt_deal inside;  /**< this host's ranks as members */
    dt_deal between; /**< the hosts as members */
    int *lane_ranks; /**< [hosts]: the ranks of this rank's lane; of use to a rank that has one */
    dt_operand nodes[DT_TREE_COVER_MAX]; /**< where the nodes of the host's cover stand, once added up */
} dt_hierarchy;

/**
 * Plans for rank `rank` of `size`, where host h has the ranks [starts[h], starts[h + 1]), none of them empty.
 * dt_hierarchy_drop gives back what it holds, after a failure too.
 */
dt_status dt_hierarchy_make(dt_hierarchy *hierarchy, int64_t leaves, int size, int rank, const int *starts,
                            int hosts);

/** Frees what it holds; one that is all zero is fine. */
void dt_hierarchy_drop(dt_hierarchy *hierarchy);

/** Appends what this rank does for a bucket of `count` floats. */
void dt_hierarchy_write(dt_program *program, const dt_hierarchy *hierarchy, int64_t count);

#endif
