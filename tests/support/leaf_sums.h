/**
 * What the canonical tree is checked with: values whose sums tell orders apart, and the tree's definition,
 * word for word.
 */
#ifndef DT_TESTS_LEAF_SUMS_H
#define DT_TESTS_LEAF_SUMS_H

#include <math.h>
#include <stdint.h>

/** From 2^-16 to 2^16 with both signs: sums of them in another order have other bits. */
static inline float leaf_value(int64_t leaf) {
    uint32_t word = (uint32_t)leaf * 2654435761u ^ 0x9E3779B9u;
    word = (word ^ (word >> 15)) * 2246822519u;
    word ^= word >> 13;
    float magnitude = ldexpf(1.0f + (float)(word & 0xFFFFu) / 65536.0f, (int)(word >> 16 & 31u) - 16);
    return (word >> 31) != 0 ? -magnitude : magnitude;
}

/** The sum of the leaves [first, end): split at the largest power of two below the length, left + right. */
static inline float sum_by_definition(int64_t first, int64_t end) {
    if (end - first == 1)
        return leaf_value(first);
    int64_t half = 1;
    while (half * 2 < end - first)
        half *= 2;
    return sum_by_definition(first, first + half) + sum_by_definition(first + half, end);
}

#endif
