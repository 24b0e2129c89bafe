/**
 * How a vector is cut into the buckets that travel one by one. All functions are local.
 */
#ifndef DT_ALLREDUCE_BUCKETS_H
#define DT_ALLREDUCE_BUCKETS_H

#include <stdint.h>

#include "allreduce/form.h"
#include "base/status.h"

/**
 * Floats of a bucket of about `bucket_bytes`, for `size` ranks: a multiple of the form's unit, and in a
 * reduce-scatter or an allgather at least a chunk for each rank.
 */
int64_t dt_buckets_floats(int64_t bucket_bytes, dt_form form, int size);

/** How many buckets of `floats` hold `elements`. */
int64_t dt_buckets_count(int64_t elements, int64_t floats);

/**
 * Cuts `elements` floats into such buckets: bucket b is the floats [(*bounds)[b], (*bounds)[b + 1]). The
 * caller frees the bounds with free().
 */
dt_status dt_buckets_cut(int64_t elements, int64_t bucket_bytes, dt_form form, int size, int64_t **bounds,
                         int64_t *buckets);

#endif
