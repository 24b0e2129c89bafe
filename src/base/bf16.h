/**
 * bfloat16, the upper half of a float: 1 bit of sign, 8 of exponent, 8 of precision with the implied one.
 *
 *     bit 15    sign
 *     14 .. 7   exponent, as a float's
 *      6 .. 0   fraction, the upper 7 of a float's 23 bits
 *
 * This is the one rounding of all that is computed, of gradients that travel and of what is multiplied (what
 * model files store is rounded by base/element.h). It is that of the instruction VCVTNEPS2BF16 (Intel,
 * "Instruction Set Extensions Programming Reference", 319433): to nearest, ties to even; a denormal becomes a
 * zero of its sign; what is above the largest number becomes infinite; a NaN stays one and becomes quiet.
 * Functions are local, and loops over them become vector code.
 */
#ifndef DT_BASE_BF16_H
#define DT_BASE_BF16_H

#include <stdint.h>
#include <string.h>

/** The bits of a float, rounded so that the lower half is zero. */
static inline uint32_t dt_bf16_round_bits(uint32_t bits) {
    const uint32_t sign = 0x80000000u, infinite = 0x7f800000u, quiet = 0x00400000u, upper = 0xffff0000u;
    /* To nearest: half a unit less one is added, and the last bit kept makes a tie go to even. */
    const uint32_t nearest = bits + 0x7fffu + (bits >> 16 & 1u);
    const uint32_t number = (bits & infinite) == 0 ? bits & sign : nearest;
    return ((bits & ~sign) > infinite ? bits | quiet : number) & upper;
}

/** `value` as bfloat16. */
static inline uint16_t dt_bf16_round(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)(dt_bf16_round_bits(bits) >> 16);
}

/** The float that a bfloat16 stands for. */
static inline float dt_bf16_widen(uint16_t number) {
    const uint32_t bits = (uint32_t)number << 16;
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
