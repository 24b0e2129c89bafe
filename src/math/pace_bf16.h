/**
 * Which of two ways to multiply bfloat16 is quicker on this processor, where it has both: the instruction
 * VDPBF16PS, or multiply-adds of floats, which give the same bits (math/tile_bf16.h).
 *
 * A Zen 4 makes twice as many products by the instruction as by multiply-adds, an Intel Xeon of the fourth or
 * fifth generation half as many. Names of processors do not tell, so a program looks once when it starts.
 */
#ifndef DT_MATH_PACE_BF16_H
#define DT_MATH_PACE_BF16_H

#include <stdbool.h>

#include "math/tile_bf16.h"

/** What the tiles of both make on one core, in FLOP/s. */
typedef struct dt_pace_bf16 {
    double dots;          /**< by the processor's dot products of bfloat16 */
    double multiply_adds; /**< by fused multiply-adds of floats */
} dt_pace_bf16;

/**
 * Times tiles in the first-level cache on the calling thread, one and the other in turns; of each the fastest
 * try counts, so that an interruption does not. Takes some milliseconds. Local.
 */
dt_pace_bf16 dt_pace_bf16_measure(const struct dt_tile_bf16 *dots, const struct dt_tile_bf16 *multiply_adds);

/** Whether multiply-adds are so much quicker that it is neither an accident nor lost again in expanding
 * panels to floats for them. Pure; local. */
bool dt_pace_bf16_prefers_multiply_adds(const dt_pace_bf16 *pace);

#endif
