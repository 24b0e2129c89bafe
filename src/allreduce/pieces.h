/**
 * Which part of a vector is whose between the two halves of an allreduce (allreduce/form.h).
 *
 * A vector is cut into buckets, all of one length but the last, and each rank has one piece of each bucket,
 * which may be empty. The algorithm decides which: the pieces are where its schedules leave the sums. Every
 * piece is whole chunks of DT_FORM_CHUNK_FLOATS, but for the vector's last one, and together they are the
 * vector. Plain data; all functions are local.
 */
#ifndef DT_ALLREDUCE_PIECES_H
#define DT_ALLREDUCE_PIECES_H

#include <stdint.h>

#include "allreduce/partition.h"
#include "base/status.h"
#include "config/choices.h"

/** All zero where there is none. */
typedef struct dt_pieces {
    int size; /**< ranks */
    int64_t elements, bucket_floats, buckets;
    dt_slice *full; /**< [size]: of a bucket of bucket_floats, counted from its first float */
    dt_slice *last; /**< [size]: of the last bucket */
} dt_pieces;

/** A job, which there need not be: as in allreduce/generator.h. */
typedef struct dt_pieces_job {
    int size, hosts;
    const int *starts;
    int64_t micro_batches;
    dt_algorithm algorithm; /**< not AUTO */
} dt_pieces_job;

/** Finds the pieces of a vector of `elements` floats in buckets of `bucket_floats`. The caller frees them,
 * after a failure too. */
dt_status dt_pieces_create(dt_pieces *pieces, const dt_pieces_job *job, int64_t elements,
                           int64_t bucket_floats);

/** Frees; one that is all zero is fine. */
void dt_pieces_free(dt_pieces *pieces);

/** The floats of the vector that are rank `rank`'s in bucket `bucket`. */
dt_slice dt_pieces_of(const dt_pieces *pieces, int rank, int64_t bucket);

/** How many of the floats before `element`, 0 to elements, are rank `rank`'s: where those from there on begin
 * in a vector of its pieces alone, one after another. */
int64_t dt_pieces_before(const dt_pieces *pieces, int rank, int64_t element);

/** How many floats are rank `rank`'s, in all buckets together. */
int64_t dt_pieces_floats(const dt_pieces *pieces, int rank);

#endif
