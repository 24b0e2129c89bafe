/**
 * A copy of the moments that one rank has, where the ranks share them out (optim/moments.h): what each brings
 * to a checkpoint, so that none copies more than its own.
 *
 * A vector travels span by span. What a rank has of a span lies in one piece in its copy, and is hashed as it
 * is copied, in the state and not in the copy, so that what flips on its way to the disk is noticed. All
 * functions are local.
 */
#ifndef DT_TRAIN_OWN_MOMENTS_H
#define DT_TRAIN_OWN_MOMENTS_H

#include <stdint.h>

#include "allreduce/pieces.h"
#include "base/status.h"
#include "optim/state.h"

/** Floats of a span, 4 MiB: whole slices of the state, and what rank 0 holds at a time. */
#define DT_OWN_MOMENTS_SPAN_FLOATS (4 * DT_STATE_SLICE_FLOATS)

/** The vectors of moments. */
#define DT_OWN_MOMENTS_VECTORS 2

/** All zero when there is none. */
typedef struct dt_own_moments {
    const dt_pieces *pieces;
    int rank;
    int64_t step; /**< of the copy; -1 before the first */
    float *vector[DT_OWN_MOMENTS_VECTORS];
    uint64_t *hashes; /**< [vectors, spans]: of the rank's part of each */
} dt_own_moments;

/** The rank's part of a span. */
typedef struct dt_own_moments_slice {
    const float *elements;
    int64_t count;
    uint64_t hash; /**< of them, XXH3 of 64 bits, in the state that was copied */
} dt_own_moments_slice;

/** How many spans a vector of `pieces` has. */
int64_t dt_own_moments_spans(const dt_pieces *pieces);

/** The elements [*first, *end) of span `span`. */
void dt_own_moments_span(const dt_pieces *pieces, int64_t span, int64_t *first, int64_t *end);

/** How many elements of span `span` are rank `rank`'s. */
int64_t dt_own_moments_count(const dt_pieces *pieces, int rank, int64_t span);

/** Allocates for what `rank` has; `pieces` must outlive the copy. The caller frees, after failure too. */
dt_status dt_own_moments_create(dt_own_moments *own, const dt_pieces *pieces, int rank);

/** Frees; all zero is fine. */
void dt_own_moments_free(dt_own_moments *own);

/** Copies and hashes what this rank has of the moments of `from`, which the caller holds (dt_state_hold). */
void dt_own_moments_take(dt_own_moments *own, const dt_state *from);

/** This rank's part of span `span` of vector `vector`. */
dt_own_moments_slice dt_own_moments_slice_of(const dt_own_moments *own, int64_t vector, int64_t span);

#endif
