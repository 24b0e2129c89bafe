/**
 * The hierarchical algorithm, for hosts of several ranks: sums inside a host go through shared memory, and
 * what is left of them crosses the network once per host.
 *
 *     every rank of the host copies its nodes into shared memory               COPY, HOST_BARRIER
 *     rank s of the host adds them along the tree, in section s of the bucket  ADD
 *     rank s of all hosts sum the hosts' nodes of section s (flat.h)           SEND .. WAIT
 *     every rank copies the finished bucket out of the shared memory           HOST_BARRIER, COPY
 *
 * A host's ranks follow each other, so its micro-batches are a contiguous run, and the largest nodes of the
 * tree inside it are the host's cover. There are as many sections as the smallest host has ranks.
 *
 * A reduce-scatter ends with the third stage: a rank's own part is its host's, of its section, and the sum
 * goes there from the last addition. An allgather begins with it: every rank copies its own part into the
 * shared memory, the sections' ranks exchange what hosts have, and every rank copies all out. Where hosts are
 * of different sizes, ranks without a section have no part.
 *
 * Private to allreduce/. All functions are local.
 */
#ifndef DT_ALLREDUCE_HIERARCHICAL_H
#define DT_ALLREDUCE_HIERARCHICAL_H

#include <stdint.h>

#include "allreduce/form.h"
#include "allreduce/partition.h"
#include "allreduce/schedule.h"
#include "base/status.h"

typedef struct dt_hierarchical {
    int hosts, host;  /**< how many, and which is this rank's */
    int ranks, local; /**< of this host, and which of them this one is */
    int sections;
    dt_partition inside;  /**< this host's ranks as members */
    dt_partition between; /**< the hosts as members */
    int *section_ranks;   /**< [hosts]: the ranks of this rank's section; of use to a rank that has one */
    dt_operand nodes[DT_TREE_COVER_MAX]; /**< where the nodes of the host's cover stand, once added up */
} dt_hierarchical;

/**
 * Prepares rank `rank` of `size`, where host h has the ranks [starts[h], starts[h + 1]), none of them empty.
 * The caller frees it, after a failure too.
 */
dt_status dt_hierarchical_create(dt_hierarchical *hierarchical, int64_t micro_batches, int size, int rank,
                                 const int *starts, int hosts);

/** Frees what it holds; one that is all zero is fine. */
void dt_hierarchical_free(dt_hierarchical *hierarchical);

/** Appends what this rank does for a bucket of `count` floats. */
void dt_hierarchical_write(dt_schedule *schedule, const dt_hierarchical *hierarchical, dt_form form,
                           int64_t count);

/** This rank's own part of a bucket of `count` floats; 0 floats where it has none. */
dt_slice dt_hierarchical_piece(const dt_hierarchical *hierarchical, dt_form form, int64_t count);

#endif
