/**
 * The most products of bfloat16 that a core can do: a loop of dot-product instructions, in registers alone.
 *
 * Compiled once for each instruction set, as the kernels of math/ are (math/isa.h). Only one of them has such
 * an instruction.
 */
#ifndef DT_STEP_DOT_BF16_LOOP_H
#define DT_STEP_DOT_BF16_LOOP_H

#include <stdint.h>

#include "math/isa.h"

struct dt_dot_bf16_loop {
    /** Floating-point operations of one round: four for each lane of each accumulator, which takes two
     * products. */
    int64_t round_flop;

    /** Runs `rounds` rounds and returns a sum of what they made, which no compiler can know. NULL where the
     * set has no such instruction. Local. */
    float (*run)(int64_t rounds);
};
DT_ISA_DECLARE(dt_dot_bf16_loop);

#endif
