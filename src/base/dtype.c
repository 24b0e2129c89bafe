/*
 * Loops that the compiler turns into vector code for any x86-64: they are as fast as memory, so variants for
 * newer processors would gain nothing.
 */
#include "base/dtype.h"

#include <string.h>

#include "base/assert.h"
#include "base/bf16.h"

const char *const dt_dtype_names[] = {[DT_DTYPE_FP32] = "fp32", [DT_DTYPE_BF16] = "bf16", NULL};

static inline float rounded(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    bits = dt_bf16_round_bits(bits);
    memcpy(&value, &bits, sizeof value);
    return value;
}

size_t dt_dtype_bytes(dt_dtype dtype) {
    DT_ASSERT(dtype == DT_DTYPE_FP32 || dtype == DT_DTYPE_BF16);
    return dtype == DT_DTYPE_BF16 ? sizeof(uint16_t) : sizeof(float);
}

void dt_dtype_add(dt_dtype dtype, float *out, const float *left, const float *right, int64_t count) {
    DT_ASSERT(count >= 0);
    DT_ASSERT_SAME_OR_APART(out, count * (int64_t)sizeof *out, left, count * (int64_t)sizeof *left);
    DT_ASSERT_SAME_OR_APART(out, count * (int64_t)sizeof *out, right, count * (int64_t)sizeof *right);
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
    DT_ASSERT_APART(packed, count * (int64_t)sizeof *packed, values, count * (int64_t)sizeof *values);
    for (int64_t i = 0; i < count; i++)
        packed[i] = dt_bf16_round(values[i]);
}

void dt_dtype_unpack(float *values, const uint16_t *packed, int64_t count) {
    DT_ASSERT_APART(values, count * (int64_t)sizeof *values, packed, count * (int64_t)sizeof *packed);
    for (int64_t i = 0; i < count; i++)
        values[i] = dt_bf16_widen(packed[i]);
}
