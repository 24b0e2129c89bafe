/**
 * The most multiply-adds that a core can do: a loop of nothing else, in registers alone.
 *
 * Compiled once for each instruction set, as the kernels of math/ are (math/isa.h).
 */
#ifndef DT_STEP_FMA_LOOP_H
#define DT_STEP_FMA_LOOP_H

#include <stdint.h>

#include "math/isa.h"

struct dt_fma_loop {
    /** Floating-point operations of one round: two for each lane of each accumulator. */
    int64_t round_flop;

    /** Runs `rounds` rounds and returns a sum of what they made, which no compiler can know. Local. */
    float (*run)(int64_t rounds);
};
DT_ISA_DECLARE(dt_fma_loop);

#endif
