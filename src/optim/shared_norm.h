/**
 * The norm of a vector of which each rank has its own pieces (allreduce/pieces.h), with the bits of
 * dt_clip_norm.
 *
 * A rank sums the chunks of its pieces along the canonical tree as far as it has them: up to the cover of
 * each piece, whose nodes are few where its chunks are many. These nodes, and not the chunks, travel to all
 * ranks, which go on with the tree.
 */
#ifndef DT_OPTIM_SHARED_NORM_H
#define DT_OPTIM_SHARED_NORM_H

#include <stdint.h>

#include "allreduce/pieces.h"
#include "allreduce/tree.h"
#include "base/status.h"
#include "comm/world.h"

/** All zero where there is none. */
typedef struct dt_shared_norm {
    const dt_world *world;
    const dt_pieces *pieces;
    int64_t nodes;     /**< of all ranks */
    int64_t *counts;   /**< [size]: of each rank's nodes, and 1 for what else it tells */
    double *told;      /**< [nodes + size]: what the ranks tell, rank after rank */
    int64_t own;       /**< where this rank's begin */
    int64_t *position; /**< [nodes]: where the nodes stand in `told`, from left to right */
    double *sum;       /**< [nodes]: scratch */
    dt_tree_add *adds; /**< [add_count]: what makes the root of them */
    int64_t add_count;
    double *partial; /**< [the longest piece's chunks]: scratch */
    int64_t partials;
} dt_shared_norm;

/** Prepares norms of vectors in `pieces`, which must outlive it, as must `world`. The caller frees it, after
 * a failure too. Local. */
dt_status dt_shared_norm_create(dt_shared_norm *norm, const dt_world *world, const dt_pieces *pieces);

/** Frees; all zero is fine. Local. */
void dt_shared_norm_free(dt_shared_norm *norm);

/** The norm, and the sum of bits, of a vector of which this rank's pieces are in their places in `vector`; as
 * dt_clip_norm gives them, on all ranks. Allocates nothing. Collective. */
dt_status dt_shared_norm_of(dt_shared_norm *norm, const float *vector, double *value, uint64_t *bits);

#endif
