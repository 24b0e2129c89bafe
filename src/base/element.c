/* One loop for each type and direction. */
#include "base/element.h"

#include <math.h>
#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/bf16.h"
#include "base/fp16.h"

const char *const dt_element_names[] = {
    [DT_ELEMENT_FP32] = "fp32", [DT_ELEMENT_FP16] = "fp16", [DT_ELEMENT_BF16] = "bf16", NULL};
const char *const dt_element_safetensors[] = {
    [DT_ELEMENT_FP32] = "F32", [DT_ELEMENT_FP16] = "F16", [DT_ELEMENT_BF16] = "BF16", NULL};
const char *const dt_element_torch[] = {
    [DT_ELEMENT_FP32] = "float32", [DT_ELEMENT_FP16] = "float16", [DT_ELEMENT_BF16] = "bfloat16", NULL};

int dt_element_find(const char *const *names, const char *name) {
    for (int i = 0; names[i]; i++)
        if (strcmp(names[i], name) == 0)
            return i;
    return -1;
}

size_t dt_element_bytes(dt_element element) {
    DT_ASSERT(element >= DT_ELEMENT_FP32 && element <= DT_ELEMENT_BF16);
    return element == DT_ELEMENT_FP32 ? sizeof(float) : sizeof(uint16_t);
}

static uint16_t number_at(const void *stored, int64_t index) {
    uint16_t number;
    memcpy(&number, (const char *)stored + index * (int64_t)sizeof number, sizeof number);
    return number;
}

void dt_element_widen(dt_element element, float *values, const void *stored, int64_t count) {
    DT_ASSERT(count >= 0);
    if (element == DT_ELEMENT_FP32)
        memcpy(values, stored, (size_t)count * sizeof *values);
    else if (element == DT_ELEMENT_FP16)
        for (int64_t i = 0; i < count; i++)
            values[i] = dt_fp16_widen(number_at(stored, i));
    else
        for (int64_t i = 0; i < count; i++)
            values[i] = dt_bf16_widen(number_at(stored, i));
}

/* To nearest, ties to even, as dt_bf16_round but for denormals. */
static uint16_t bf16_nearest(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)((bits + 0x7fffu + (bits >> 16 & 1u)) >> 16);
}

int64_t dt_element_round(dt_element element, void *stored, const float *values, int64_t count) {
    DT_ASSERT(count >= 0);
    int64_t beyond = -1;
    if (element == DT_ELEMENT_FP32) {
        memcpy(stored, values, (size_t)count * sizeof *values);
        return -1;
    }
    for (int64_t i = 0; i < count; i++) {
        DT_ASSERT(!isnan(values[i]));
        const bool is_fp16 = element == DT_ELEMENT_FP16;
        const uint16_t number = is_fp16 ? dt_fp16_round(values[i]) : bf16_nearest(values[i]);
        const uint16_t infinite = is_fp16 ? 0x7c00u : 0x7f80u;
        memcpy((char *)stored + i * (int64_t)sizeof number, &number, sizeof number);
        if ((number & 0x7fffu) == infinite && isfinite(values[i]) && beyond < 0)
            beyond = i;
    }
    return beyond;
}
