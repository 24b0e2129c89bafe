/**
 * What the allreduce (allreduce/allreduce.h) moves and takes, without moving it: every rank's schedules are
 * written for every bucket, their operations are added up, and a model makes times of the counts.
 *
 * For p ranks of one node each and buckets of n bytes:
 *
 *     flat, slices     2 (p - 1) messages,  2 (p - 1) / p n bytes
 *     flat, halving    2 log2 p messages,   2 (p - 1) / p n bytes
 *     hierarchical     the same with the hosts for p, and n less as many times as there are sections
 *
 * A rank that brings k nodes sends k times as much in the first half. A reduce-scatter is the first half
 * alone, an allgather the second. Whether slices or halving is the tree's decision: allreduce/flat.h.
 *
 * Bucket b takes
 *
 *     allreduce_b = travel_b + core_b
 *     travel_b    = messages_b x latency + max(sent_b, received_b) of a host / bandwidth
 *     core_b      = additions_b + copies_b + packing_b + inside_b / bandwidth inside
 *
 * which is Hockney's model (comm/link.h). Bucket b, of those that are cut from the vector's start to its end,
 * is ready when the last wave's backward pass has come down to its first element; the pass is taken to go
 * down evenly. Buckets travel one after another:
 *
 *     ready_b  = backward x (1 - first element of b / elements)
 *     done_b   = max(ready_b, done_(b+1)) + travel_b - cpu_b
 *     exposed  = done_0 - backward + sum of cpu_b + core_b
 *
 * An allgather beside a forward pass is the same in a mirror: bucket b is needed when the pass has come to
 * its first element, and what is exposed is how long the pass waits.
 *
 * What the rank's own core does is never hidden: core_b, and cpu_b, its part in sending and receiving over
 * the network. So no schedule hides more than that, and exposed is also the measure of how good one is. Where
 * s threads take turns on a core, a rank sees its own core's work once, but the step loses it s times.
 *
 * All functions are local.
 */
#ifndef DT_ALLREDUCE_COST_H
#define DT_ALLREDUCE_COST_H

#include <stdint.h>

#include "allreduce/form.h"
#include "base/dtype.h"
#include "base/status.h"
#include "comm/link.h"
#include "config/choices.h"

/** A job that there need not be: ranks in their order on hosts of `host_ranks`, the last maybe of fewer. */
typedef struct dt_cost_job {
    int ranks, host_ranks;
    int64_t micro_batches; /**< of a step, at least as many as ranks */
    dt_algorithm algorithm;
    dt_dtype dtype;
    dt_form form;
} dt_cost_job;

/** What one rank does for one bucket. */
typedef struct dt_cost_traffic {
    int64_t messages; /**< sent */
    int64_t sent_bytes, received_bytes;
    int64_t inside_bytes; /**< to ranks of its own host, or from them if they are more */
    int64_t host_sent_bytes, host_received_bytes; /**< by its whole host, to and from others */
    int64_t added_floats;
    int64_t copied_floats; /**< through the host's shared memory */
    int64_t packed_floats; /**< before they are sent and after they have come; 0 for DT_DTYPE_FP32 */
} dt_cost_traffic;

/** What is known or assumed of links and cores. */
typedef struct dt_cost_machine {
    dt_link link;            /**< between hosts: what a host's ranks share */
    dt_link inside;          /**< between ranks of a host, whose cores move the messages */
    double add_seconds;      /**< of one float added, copied or packed by one thread */
    double threads_per_core; /**< how many threads take turns on a core, 1 where each has its own: it slows
                     all that a core does, but not the network */
} dt_cost_machine;

/** What one step's allreduce takes. */
typedef struct dt_cost_time {
    double total_seconds;   /**< with nothing beside it */
    double exposed_seconds; /**< after the backward pass, or taken from it */
    double seen_seconds;    /**< the same with the rank's own share of its core alone */
} dt_cost_time;

/** The algorithm that such a job takes: what dt_allreduce_create makes of DT_ALGORITHM_AUTO. */
dt_algorithm dt_cost_algorithm(const dt_cost_job *job);

/**
 * Counts buckets b = [bounds[b], bounds[b + 1]) as dt_allreduce_create takes them: busiest[b] has, field by
 * field, the most of any rank, and `*workspace_bytes` (may be NULL) is the most memory that one allocates for
 * what arrives. Of more than 512 ranks, as many, on hosts spread over the job, stand for all.
 * DT_ALGORITHM_LIBRARY is counted as a flat allreduce, which moves as much as the best of the library's
 * algorithms.
 */
dt_status dt_cost_busiest(const dt_cost_job *job, const int64_t *bounds, int64_t buckets,
                          dt_cost_traffic *busiest, int64_t *workspace_bytes);

/**
 * Bytes that rank `rank` allocates for sums of `buckets` buckets, all of `longest` floats but the last, of
 * `last`: for what arrives, and its section of the host's shared memory.
 */
dt_status dt_cost_workspace_bytes(const dt_cost_job *job, int rank, int64_t longest, int64_t last,
                                  int64_t buckets, int64_t *bytes);

/** Floats of a vector of `elements`, in buckets of `bucket_floats`, that are rank `rank`'s own in the job's
 * reduce-scatter and allgather (allreduce/pieces.h). */
dt_status dt_cost_own_floats(const dt_cost_job *job, int rank, int64_t elements, int64_t bucket_floats,
                             int64_t *floats);

/** What rank `rank` does for all buckets together; its host's bytes are not counted. */
dt_status dt_cost_of_rank(const dt_cost_job *job, int rank, const int64_t *bounds, int64_t buckets,
                          dt_cost_traffic *total);

/** The time of the `buckets` buckets of bounds[buckets + 1], whose traffic is busiest[buckets], beside a
 * backward pass of `backward_seconds`, by the formulas above. */
dt_cost_time dt_cost_time_of(const dt_cost_machine *machine, double backward_seconds, const int64_t *bounds,
                             int64_t buckets, const dt_cost_traffic *busiest);

#endif
