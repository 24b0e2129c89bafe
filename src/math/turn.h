/**
 * A transpose in vector registers, for matrices that are packed: four columns of as many rows as a vector has
 * lanes become four vectors. All is local; it belongs to one instruction set.
 */
#ifndef DT_MATH_TURN_H
#define DT_MATH_TURN_H

#include <stdint.h>

#include "math/fma.h"
#include "math/unroll.h"

/* Four and eight numbers, from anywhere that a float may be. */
typedef float dt_turn_four __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float)), may_alias));
typedef float dt_turn_eight
    __attribute__((vector_size(8 * sizeof(float)), aligned(sizeof(float)), may_alias));

/* Two shuffles of each 128 bits of two vectors: elements a and b of the first, c and d of the second, or in
 * turns. */
#if DT_FMA_LANES == 16
#define DT_TURN_PAIR(x, y, a, b)                                                                             \
    __builtin_shufflevector(x, y, a, (a) + 16, b, (b) + 16, (a) + 4, (a) + 20, (b) + 4, (b) + 20, (a) + 8,   \
                            (a) + 24, (b) + 8, (b) + 24, (a) + 12, (a) + 28, (b) + 12, (b) + 28)
#define DT_TURN_JOIN(x, y, a, b)                                                                             \
    __builtin_shufflevector(x, y, a, b, (a) + 16, (b) + 16, (a) + 4, (b) + 4, (a) + 20, (b) + 20, (a) + 8,   \
                            (b) + 8, (a) + 24, (b) + 24, (a) + 12, (b) + 12, (a) + 28, (b) + 28)
#elif DT_FMA_LANES == 8
#define DT_TURN_PAIR(x, y, a, b)                                                                             \
    __builtin_shufflevector(x, y, a, (a) + 8, b, (b) + 8, (a) + 4, (a) + 12, (b) + 4, (b) + 12)
#define DT_TURN_JOIN(x, y, a, b)                                                                             \
    __builtin_shufflevector(x, y, a, b, (a) + 8, (b) + 8, (a) + 4, (b) + 4, (a) + 12, (b) + 12)
#else
#define DT_TURN_PAIR(x, y, a, b) __builtin_shufflevector(x, y, a, (a) + 4, b, (b) + 4)
#define DT_TURN_JOIN(x, y, a, b) __builtin_shufflevector(x, y, a, b, (a) + 4, (b) + 4)
#endif

/* Four numbers from each fourth row of b, side by side in a vector. */
DT_UNROLL_INLINE dt_fma_lanes dt_turn_each_fourth(const float *b, int64_t stride) {
#if DT_FMA_LANES == 4
    (void)stride;
    return *(const dt_fma_lanes *)b;
#else
    const dt_turn_four r0 = *(const dt_turn_four *)b, r1 = *(const dt_turn_four *)(b + 4 * stride);
    const dt_turn_eight low = __builtin_shufflevector(r0, r1, 0, 1, 2, 3, 4, 5, 6, 7);
#if DT_FMA_LANES == 8
    return low;
#else
    const dt_turn_four r2 = *(const dt_turn_four *)(b + 8 * stride),
                       r3 = *(const dt_turn_four *)(b + 12 * stride);
    const dt_turn_eight high = __builtin_shufflevector(r2, r3, 0, 1, 2, 3, 4, 5, 6, 7);
    return __builtin_shufflevector(low, high, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15);
#endif
#endif
}

/** to[p, r] = b[r, p] for p < 4 and r < DT_FMA_LANES, with row strides `width` and `stride`: two rounds of
 * shuffles turn each four rows around. */
DT_UNROLL_INLINE void dt_turn(float *restrict to, int64_t width, const float *restrict b, int64_t stride) {
    const dt_fma_lanes r0 = dt_turn_each_fourth(b, stride), r1 = dt_turn_each_fourth(b + stride, stride),
                       r2 = dt_turn_each_fourth(b + 2 * stride, stride),
                       r3 = dt_turn_each_fourth(b + 3 * stride, stride);
    const dt_fma_lanes low01 = DT_TURN_PAIR(r0, r1, 0, 1), low23 = DT_TURN_PAIR(r2, r3, 0, 1),
                       high01 = DT_TURN_PAIR(r0, r1, 2, 3), high23 = DT_TURN_PAIR(r2, r3, 2, 3);
    *(dt_fma_lanes *)to = DT_TURN_JOIN(low01, low23, 0, 1);
    *(dt_fma_lanes *)(to + width) = DT_TURN_JOIN(low01, low23, 2, 3);
    *(dt_fma_lanes *)(to + 2 * width) = DT_TURN_JOIN(high01, high23, 0, 1);
    *(dt_fma_lanes *)(to + 3 * width) = DT_TURN_JOIN(high01, high23, 2, 3);
}

#endif
