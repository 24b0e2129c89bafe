/**
 * What the canonical tree is checked with: values whose sums tell orders apart, and the tree's definition,
 * word for word.
 */
#ifndef DT_TESTS_MICRO_BATCH_SUMS_H
#define DT_TESTS_MICRO_BATCH_SUMS_H

#include <math.h>
#include <stdint.h>

/** From 2^-16 to 2^16 with both signs: sums of them in another order have other bits. */
static inline float micro_batch_value(int64_t micro_batch) {
    uint32_t word = (uint32_t)micro_batch * 2654435761u ^ 0x9E3779B9u;
    word = (word ^ (word >> 15)) * 2246822519u;
    word ^= word >> 13;
    float magnitude = ldexpf(1.0f + (float)(word & 0xFFFFu) / 65536.0f, (int)(word >> 16 & 31u) - 16);
    return (word >> 31) != 0 ? -magnitude : magnitude;
}

/** The sum of the micro-batches [first, end): split at the largest power of two below the length, left +
 * right. */
static inline float sum_by_definition(int64_t first, int64_t end) {
    if (end - first == 1)
        return micro_batch_value(first);
    int64_t half = 1;
    while (half * 2 < end - first)
        half *= 2;
    return sum_by_definition(first, first + half) + sum_by_definition(first + half, end);
}

#endif
