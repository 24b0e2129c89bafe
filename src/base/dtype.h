/**
 * Element types of gradients: floats, or floats that are rounded to bfloat16 at every node of the canonical
 * tree (allreduce/tree.h).
 *
 * Rounding is that of base/bf16.h: to nearest, ties to even, denormals to zero. With DT_DTYPE_BF16 every node
 * of the tree is rounded, the micro-batches and the root included, and each addition is made in float between
 * two rounded numbers. Any node may be the one that travels when ranks are more, so only a rule that names
 * them all gives the same bits on any number of ranks, one among them. Rounding twice changes nothing. All
 * functions are local.
 */
#ifndef DT_BASE_DTYPE_H
#define DT_BASE_DTYPE_H

#include <stddef.h>
#include <stdint.h>

typedef enum dt_dtype {
    DT_DTYPE_FP32, /**< nodes are sums of floats and travel as they are */
    DT_DTYPE_BF16  /**< nodes are rounded and travel in half the bytes */
} dt_dtype;

/** Their names, at the index of their value, ended by NULL. */
extern const char *const dt_dtype_names[];

/** Bytes of an element in a message. */
size_t dt_dtype_bytes(dt_dtype dtype);

/**
 * A parent of the tree from its children: out = left + right over `count` floats, all three rounded where the
 * dtype asks for it. `out` may be either child; otherwise they do not overlap.
 */
void dt_dtype_add(dt_dtype dtype, float *out, const float *left, const float *right, int64_t count);

/** Rounds `count` floats to the dtype; nothing to do for DT_DTYPE_FP32. */
void dt_dtype_round(dt_dtype dtype, float *values, int64_t count);

/** Rounds `count` floats and packs them as bfloat16, for a message. */
void dt_dtype_pack(uint16_t *packed, const float *values, int64_t count);

/** The floats that were packed. */
void dt_dtype_unpack(float *values, const uint16_t *packed, int64_t count);

#endif
