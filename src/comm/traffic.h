/**
 * What the sum over ranks (comm/reduce.h) moves, counted without moving it: every rank's program is written
 * for every bucket, and its operations are added up.
 *
 * For p ranks of one node each and buckets of n bytes:
 *
 *     flat, slices     2 (p - 1) messages,  2 (p - 1) / p n bytes
 *     flat, halving    2 log2 p messages,   2 (p - 1) / p n bytes
 *     hierarchical     the same with the hosts for p, and n less as many times as there are lanes
 *
 * A rank that brings k nodes sends k times as much in the first half. Whether slices or halving is the
 * tree's decision: comm/exchange.h.
 */
#ifndef DT_COMM_TRAFFIC_H
#define DT_COMM_TRAFFIC_H

#include <stdint.h>

#include "base/status.h"
#include "comm/reduce.h"

/** A job that there need not be: ranks in their order on hosts of `host_ranks`, the last maybe of fewer. */
typedef struct dt_traffic_job {
    int ranks, host_ranks;
    int64_t leaves; /**< at least as many as ranks */
    dt_reduce_way way;
    dt_number number;
} dt_traffic_job;

/** What one rank does for one bucket. */
typedef struct dt_traffic {
    int64_t messages; /**< sent */
    int64_t sent_bytes, received_bytes;
    int64_t inside_bytes; /**< to ranks of its own host, or from them if they are more */
    int64_t host_sent_bytes, host_received_bytes; /**< by its whole host, to and from others */
    int64_t added_floats;
    int64_t copied_floats; /**< through the host's shared memory */
    int64_t packed_floats; /**< before they are sent and after they have come; 0 for DT_NUMBER_FP32 */
} dt_traffic;

/** The way that such a job takes: what dt_reduce_create makes of DT_REDUCE_AUTO. Local. */
dt_reduce_way dt_traffic_way(const dt_traffic_job *job);

/**
 * Counts buckets b = [bounds[b], bounds[b + 1]) as dt_reduce_create takes them: busiest[b] has, field by
 * field, the most of any rank, and `*room_bytes` (may be NULL) is the most memory that one allocates for
 * what arrives. Of more than 512 ranks, as many, on hosts spread over the job, stand for all.
 * DT_REDUCE_LIBRARY is counted as a flat exchange, which moves as much as the best of the library's
 * algorithms. Local.
 */
dt_status dt_traffic_busiest(const dt_traffic_job *job, const int64_t *bounds, int64_t buckets,
                             dt_traffic *busiest, int64_t *room_bytes);

/**
 * Bytes that rank `rank` allocates for sums of `buckets` buckets of at most `longest` floats: for what
 * arrives, and its part of the host's shared memory. Local.
 */
dt_status dt_traffic_room_bytes(const dt_traffic_job *job, int rank, int64_t longest, int64_t buckets,
                                int64_t *bytes);

/** What rank `rank` does for all buckets together; its host's bytes are not counted. Local. */
dt_status dt_traffic_of_rank(const dt_traffic_job *job, int rank, const int64_t *bounds, int64_t buckets,
                             dt_traffic *total);

#endif
