/**
 * The numbers that a sum is made of: floats, or floats that are rounded to bfloat16 at every node of the
 * tree.
 *
 * bfloat16 is the upper half of a float: 8 bits of exponent, 8 of precision. Rounding is to nearest, ties to
 * even; what is above the largest becomes infinite, and what is not a number stays so. With DT_NUMBER_BF16
 * every node of the canonical tree is rounded, the leaves and the root included, and each addition is made in
 * float between two rounded numbers. Any node may be the one that travels when ranks are more, so only a rule
 * that names them all gives the same bits on any number of ranks, one among them. Rounding twice changes
 * nothing. All functions are local.
 */
#ifndef DT_COMM_NUMBER_H
#define DT_COMM_NUMBER_H

#include <stddef.h>
#include <stdint.h>

typedef enum dt_number {
    DT_NUMBER_FP32, /**< nodes are sums of floats and travel as they are */
    DT_NUMBER_BF16  /**< nodes are rounded and travel in half the bytes */
} dt_number;

/** Bytes of a number in a message. */
size_t dt_number_bytes(dt_number number);

/**
 * A parent of the tree from its children: out = left + right over `count` floats, all three rounded where the
 * number asks for it. `out` may be either child; otherwise they do not overlap.
 */
void dt_number_add(dt_number number, float *out, const float *left, const float *right, int64_t count);

/** Rounds `count` floats to the number; nothing to do for DT_NUMBER_FP32. */
void dt_number_round(dt_number number, float *values, int64_t count);

/** Rounds `count` floats and packs them as bfloat16, for a message. */
void dt_number_pack(uint16_t *packed, const float *values, int64_t count);

/** The floats that were packed. */
void dt_number_unpack(float *values, const uint16_t *packed, int64_t count);

#endif
