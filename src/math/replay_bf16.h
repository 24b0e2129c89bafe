/**
 * Whether a processor multiplies bfloat16 as math/tile_bf16.h defines it.
 *
 * The tile of avx512_bf16 is the processor's instruction VDPBF16PS, and what it makes at the edges of the
 * format was seen rather than promised. So a program replays recorded cases before it takes that set, and a
 * processor that differs gets the emulation, which is slower and exact.
 */
#ifndef DT_MATH_REPLAY_BF16_H
#define DT_MATH_REPLAY_BF16_H

#include <stdbool.h>

#include "math/tile_bf16.h"

/** Whether the tile gives the recorded bits in every case; takes some microseconds. Local. */
bool dt_replay_bf16(const struct dt_tile_bf16 *tile);

#endif
