/**
 * The global norm of a gradient and what it is scaled by when that is too large.
 */
#ifndef DT_OPTIM_CLIP_H
#define DT_OPTIM_CLIP_H

#include <stdint.h>

/** Elements of a chunk: part of every result. */
#define DT_CLIP_CHUNK 1024

/**
 * The square root of the sum of squares of vector[0..elements), in double. Chunks of 1,024 elements are
 * summed in 16 lanes, element i in lane i mod 16, and lane l then takes on lane l + 8, + 4, + 2 and + 1;
 * chunks are summed along the canonical tree (allreduce/tree.h). So whoever holds a range of chunks that is a
 * node of the tree can sum it alone, and no bit depends on how many OpenMP threads share the work. `partial`
 * is scratch of dt_clip_chunks(elements) doubles. `*bits` becomes a sum of the elements' bits, in which any
 * single one that turns shows, however small its number is beside the norm. Local.
 */
double dt_clip_norm(const float *vector, int64_t elements, double *partial, uint64_t *bits);

/** The sum of squares of x[0..count), count <= DT_CLIP_CHUNK, of the vector's chunk `chunk`, which is partial
 * sum `chunk` of the norm; adds the chunk's part of the sum of bits to `*bits`. Local. */
double dt_clip_chunk(const float *x, int64_t count, int64_t chunk, uint64_t *bits);

/** Doubles of scratch that dt_clip_norm needs. Local. */
int64_t dt_clip_chunks(int64_t elements);

/**
 * min(1, limit / (norm + 1e-6)), as torch.nn.utils.clip_grad_norm_ scales; 1 when `limit` is NaN, that is
 * null. Local.
 */
double dt_clip_scale(double norm, double limit);

#endif
