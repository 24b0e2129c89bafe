/**
 * IEEE 754 binary16, as model files store it: 1 bit of sign, 5 of exponent, 11 of precision with the implied
 * one.
 *
 *     bit 15    sign
 *     14 .. 10  exponent, biased by 15; 0: a multiple of 2^-24; 31: infinite, or NaN with a fraction
 *      9 .. 0   fraction
 *
 * Rounding is to nearest, ties to even, denormals included; what is 65520 or more becomes infinite, and a NaN
 * a quiet one. It is done on bits, since compilers do not all have the type. Functions are local.
 */
#ifndef DT_BASE_FP16_H
#define DT_BASE_FP16_H

#include <stdint.h>
#include <string.h>

/** The largest number of the type, and the smallest float that rounds to infinity. */
#define DT_FP16_LARGEST  65504.0f
#define DT_FP16_INFINITE 65520.0f

/** `value` as binary16. */
static inline uint16_t dt_fp16_round(float value) {
    const uint32_t infinite = 0x7f800000u, half = 0x3f000000u;
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    const uint32_t sign = bits >> 16 & 0x8000u;
    uint32_t magnitude = bits & 0x7fffffffu;
    if (magnitude > infinite)
        return (uint16_t)(sign | 0x7e00u);
    if (magnitude >= 0x477ff000u) /* 65520 */
        return (uint16_t)(sign | 0x7c00u);
    if (magnitude < 0x38800000u) { /* 2^-14: beside 1/2, a float's last bit is worth 2^-24 */
        float sum;
        memcpy(&sum, &magnitude, sizeof sum);
        sum += 0.5f;
        memcpy(&bits, &sum, sizeof bits);
        return (uint16_t)(sign | (bits - half));
    }
    magnitude += 0xfffu + (magnitude >> 13 & 1u);
    return (uint16_t)(sign | (magnitude - (112u << 23)) >> 13);
}

/** The float that a binary16 stands for. */
static inline float dt_fp16_widen(uint16_t number) {
    const uint32_t sign = (uint32_t)(number & 0x8000u) << 16, exponent = number >> 10 & 0x1fu,
                   fraction = number & 0x3ffu;
    float value = (float)fraction * 0x1p-24f;
    uint32_t bits;
    if (exponent == 0)
        memcpy(&bits, &value, sizeof bits);
    else if (exponent == 31)
        bits = 0x7f800000u | fraction << 13;
    else
        bits = (exponent + 112u) << 23 | fraction << 13;
    bits |= sign;
    memcpy(&value, &bits, sizeof value);
    return value;
}

#endif
