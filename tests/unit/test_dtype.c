/* Rounding to bfloat16 against the definition, over all floats, and against the processor's own instruction.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#if defined __x86_64__
#include <immintrin.h>
#endif

#include "base/bf16.h"
#include "base/dtype.h"
#include "base/philox.h"
#include "support/float_bits.h"

/* The floats that share an upper half. A build with sanitizers takes one such half of many (CMakeLists.txt).
 */
#define LOWER_HALVES 0x10000u

/* The definition: of the two neighbours with 16 zero bits, the nearer, or the even one when both are as near.
 */
static float nearest(float value) {
    const uint32_t bits = float_bits_get(value), below = bits & 0xffff0000u;
    const double low = (double)float_bits_make(below), high = (double)float_bits_make(below + 0x10000u);
    /* Above the largest number the next one would be 2^128. */
    const double next = isinf(high) ? copysign(0x1p128, high) : high, exact = (double)value;
    const double to_low = fabs(exact - low), to_high = fabs(next - exact);
    if (to_low < to_high || (to_low <= to_high && (below >> 16 & 1u) == 0))
        return (float)low;
    return (float)high;
}

static void check(uint32_t bits) {
    float value = float_bits_make(bits), expected = value;
    if (isfinite(value))
        expected = fpclassify(value) == FP_SUBNORMAL ? copysignf(0.0f, value) : nearest(value);
    dt_dtype_round(DT_DTYPE_BF16, &value, 1);
    if (isnan(expected))
        assert_true(isnan(value) && (float_bits_get(value) & 0xffffu) == 0);
    else
        assert_int_equal(float_bits_get(value), float_bits_get(expected));
}

/* Every upper half with the lower halves that decide: none, just below a tie, a tie, just above, all. */
static void rounding_is_to_nearest_even(void **state) {
    (void)state;
    static const uint32_t lower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    for (uint32_t upper = 0; upper < 0x10000u; upper++)
        for (size_t i = 0; i < sizeof lower / sizeof *lower; i++)
            check(upper << 16 | lower[i]);
}

/*
 * What a float with this upper half becomes, for every lower half in turn: the half itself up to the tie and
 * the next one above it, a zero where the exponent is that of denormals, and a NaN its quiet self.
 */
static void step_function(uint32_t upper, uint16_t *expected) {
    const uint32_t exponent = upper & 0x7f80u, fraction = upper & 0x7fu;
    for (uint32_t lower = 0; lower < LOWER_HALVES; lower++) {
        const bool up = lower > 0x8000u || (lower == 0x8000u && upper % 2 == 1);
        if (exponent == 0)
            expected[lower] = (uint16_t)(upper & 0x8000u);
        else if (exponent == 0x7f80u)
            expected[lower] = (uint16_t)(fraction || lower ? upper | 0x40u : upper);
        else
            expected[lower] = (uint16_t)(up ? upper + 1 : upper);
    }
}

static void every_float(void (*convert)(uint16_t *packed, const float *values, int64_t count)) {
    static float values[LOWER_HALVES];
    static uint16_t expected[LOWER_HALVES], found[LOWER_HALVES];
    for (uint32_t upper = 0; upper < 0x10000u; upper += DTRAIN_HALVES_STRIDE) {
        for (uint32_t lower = 0; lower < LOWER_HALVES; lower++)
            values[lower] = float_bits_make(upper << 16 | lower);
        step_function(upper, expected);
        convert(found, values, LOWER_HALVES);
        assert_memory_equal(found, expected, sizeof expected);
    }
}

/* All 2^32 floats: a step at each tie and nowhere else. Where the steps are, the test above found by
 * distance. */
static void every_float_is_rounded_alike(void **state) {
    (void)state;
    every_float(dt_dtype_pack);
}

#if defined __x86_64__
__attribute__((target("avx512f,avx512bw,avx512vl,avx512bf16"))) static void
instruction(uint16_t *packed, const float *values, int64_t count) {
    for (int64_t i = 0; i < count; i += 16) {
        const __m256bh rounded = _mm512_cvtneps_pbh(_mm512_loadu_ps(values + i));
        memcpy(packed + i, &rounded, sizeof rounded);
    }
}
#endif

/* VCVTNEPS2BF16 is the same function, so that kernels may use either. */
static void the_instruction_rounds_alike(void **state) {
    (void)state;
#if defined __x86_64__
    if (__builtin_cpu_supports("avx512bf16") && __builtin_cpu_supports("avx512vl")) {
        every_float(instruction);
        return;
    }
#endif
    print_message("skipped: this processor has no instruction that rounds to bfloat16\n");
    skip();
}

/* What is rounded stays a bfloat16 on the way to a float and back. */
static void a_bfloat16_is_a_float(void **state) {
    (void)state;
    for (uint32_t number = 0; number < 0x10000u; number++) {
        const float value = dt_bf16_widen((uint16_t)number);
        assert_int_equal(float_bits_get(value), number << 16);
        if (fpclassify(value) != FP_SUBNORMAL && !isnan(value))
            assert_int_equal(dt_bf16_round(value), number);
    }
}

/* add(l, r) = round(round(l) + round(r)), the same in place; rounding twice, and packing and unpacking a
 * rounded number, change nothing. */
static void additions_round_both_children_and_the_parent(void **state) {
    (void)state;
    enum { COUNT = 1000 };
    float left[COUNT], right[COUNT], out[COUNT], again[COUNT];
    uint16_t packed[COUNT];
    for (uint32_t i = 0; i < COUNT; i++) {
        const dt_philox_words words = dt_philox((dt_philox_key){1, 2}, i, 0, 0, 0);
        left[i] = ldexpf((float)(int32_t)words.w0, (int)(words.w1 % 40) - 50);
        right[i] = ldexpf((float)(int32_t)words.w2, (int)(words.w3 % 40) - 50);
    }
    dt_dtype_add(DT_DTYPE_BF16, out, left, right, COUNT);
    for (int i = 0; i < COUNT; i++)
        assert_int_equal(float_bits_get(out[i]),
                         float_bits_get(nearest(nearest(left[i]) + nearest(right[i]))));
    memcpy(again, out, sizeof out);
    dt_dtype_round(DT_DTYPE_BF16, again, COUNT);
    assert_memory_equal(again, out, sizeof out);
    dt_dtype_pack(packed, out, COUNT);
    dt_dtype_unpack(again, packed, COUNT);
    assert_memory_equal(again, out, sizeof out);
    dt_dtype_add(DT_DTYPE_BF16, left, left, right, COUNT);
    assert_memory_equal(left, out, sizeof out);
}

/* Plain floats are added and not rounded. */
static void floats_stay_floats(void **state) {
    (void)state;
    float left = 1.0f + 0x1p-20f, right = 0x1p-22f, out;
    dt_dtype_add(DT_DTYPE_FP32, &out, &left, &right, 1);
    assert_int_equal(float_bits_get(out), float_bits_get(left + right));
    dt_dtype_round(DT_DTYPE_FP32, &out, 1);
    assert_int_equal(float_bits_get(out), float_bits_get(left + right));
    assert_int_equal(dt_dtype_bytes(DT_DTYPE_FP32), 4);
    assert_int_equal(dt_dtype_bytes(DT_DTYPE_BF16), 2);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rounding_is_to_nearest_even),
    cmocka_unit_test(every_float_is_rounded_alike),
    cmocka_unit_test(the_instruction_rounds_alike),
    cmocka_unit_test(a_bfloat16_is_a_float),
    cmocka_unit_test(additions_round_both_children_and_the_parent),
    cmocka_unit_test(floats_stay_floats),
};

int main(void) {
    return cmocka_run_group_tests(tests, NULL, NULL);
}
