/*
 * Loops that the compiler turns into vector code for any x86-64: they are as fast as memory, so variants for
 * newer processors would gain nothing.
 */
#include "base/dtype.h"

#include <string.h>

#define NOT_SIGN  0x7fffffffu
#define INFINITE  0x7f800000u
#define QUIET     0x00400000u
#define UPPER     0xffff0000u
#define JUST_HALF 0x00007fffu

const char *const dt_dtype_names[] = {[DT_DTYPE_FP32] = "fp32", [DT_DTYPE_BF16] = "bf16", NULL};

static inline uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

static inline float of_bits(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

/* To nearest: half a unit less one is added, and the last bit kept makes a tie go to even. */
static inline uint32_t round_bits(uint32_t bits) {
    const uint32_t nearest = bits + JUST_HALF + (bits >> 16 & 1u);
    return ((bits & NOT_SIGN) > INFINITE ? bits | QUIET : nearest) & UPPER;
}

static inline float rounded(float value) {
    return of_bits(round_bits(bits_of(value)));
}

size_t dt_dtype_bytes(dt_dtype dtype) {
    return dtype == DT_DTYPE_BF16 ? sizeof(uint16_t) : sizeof(float);
}

void dt_dtype_add(dt_dtype dtype, float *out, const float *left, const float *right, int64_t count) {
    /* Each element by itself, which the compiler cannot see where `out` is a child. */
    if (dtype == DT_DTYPE_FP32) {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            out[i] = left[i] + right[i];
    } else {
#pragma omp simd
        for (int64_t i = 0; i < count; i++)
            out[i] = rounded(rounded(left[i]) + rounded(right[i]));
    }
}

void dt_dtype_round(dt_dtype dtype, float *values, int64_t count) {
    for (int64_t i = 0; dtype == DT_DTYPE_BF16 && i < count; i++)
        values[i] = rounded(values[i]);
}

void dt_dtype_pack(uint16_t *packed, const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        packed[i] = (uint16_t)(round_bits(bits_of(values[i])) >> 16);
}

void dt_dtype_unpack(float *values, const uint16_t *packed, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        values[i] = of_bits((uint32_t)packed[i] << 16);
}
