/**
 * What the sum over ranks (comm/reduce.h) moves, counted without moving it.
 *
 * For a bucket of n bytes on p ranks, of which rank r brings k_r nodes of K and finishes a slice of s_r
 * bytes:
 *
 *     messages sent      (k_r + 1) (p - 1)              less those of empty slices
 *     bytes sent         k_r (n - s_r) + (p - 1) s_r
 *     bytes received     (K - k_r) s_r + (n - s_r)
 *     floats added       (K - 1) s_r / 4
 *
 * With a power of two of ranks and leaves k_r = 1, K = p and s_r = n / p: 2 (p - 1) messages and 2 (p - 1) /
 * p n bytes, what a reduce-scatter and an all-gather by pairwise exchange take (R. Thakur, R. Rabenseifner,
 * W. Gropp, "Optimization of Collective Communication Operations in MPICH", IJHPCA 19(1), 2005).
 */
#ifndef DT_COMM_TRAFFIC_H
#define DT_COMM_TRAFFIC_H

#include <stdint.h>

#include "base/status.h"

/** What one rank does for one bucket. */
typedef struct dt_traffic {
    int64_t messages; /**< sent */
    int64_t sent_bytes, received_bytes;
    int64_t added_floats;
} dt_traffic;

/**
 * Counts the buckets of dt_reduce_create's arguments on `size` ranks, size <= leaves: busiest[b] has, field
 * by field, the most of any rank, and `*room_bytes` (may be NULL) is the most memory that dt_reduce_create
 * allocates on one for what arrives. Fails as dt_reduce_create would. Local.
 */
dt_status dt_traffic_busiest(int size, int64_t leaves, int64_t elements, const int64_t *bounds,
                             int64_t buckets, dt_traffic *busiest, int64_t *room_bytes);

/** The same for all buckets of rank `rank` together. Local. */
dt_status dt_traffic_of_rank(int size, int rank, int64_t leaves, int64_t elements, const int64_t *bounds,
                             int64_t buckets, dt_traffic *total);

#endif
