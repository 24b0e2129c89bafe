/* The types of model files: every number of 16 bits there and back, and rounding against the definition. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/element.h"
#include "base/fp16.h"
#include "support/float_bits.h"

/* What the bits of a binary16 mean, by the standard's own words. */
static double meaning(uint16_t number) {
    const int exponent = number >> 10 & 31, fraction = number & 1023;
    const double sign = number & 0x8000u ? -1 : 1;
    if (exponent == 0)
        return sign * ldexp(fraction, -24);
    return sign * ldexp(1024 + fraction, exponent - 25);
}

static float widened(dt_element element, uint16_t number) {
    float value;
    dt_element_widen(element, &value, &number, 1);
    return value;
}

static uint16_t rounded(dt_element element, float value) {
    uint16_t number;
    (void)dt_element_round(element, &number, &value, 1);
    return number;
}

static void every_number_comes_back(void **state) {
    (void)state;
    for (uint32_t n = 0; n < 0x10000u; n++) {
        const uint16_t number = (uint16_t)n;
        const float half = widened(DT_ELEMENT_FP16, number), brain = widened(DT_ELEMENT_BF16, number);
        if ((n & 0x7c00u) != 0x7c00u)
            assert_true((double)half == meaning(number));
        if (!isnan(half))
            assert_int_equal(rounded(DT_ELEMENT_FP16, half), n);
        assert_int_equal(float_bits_get(brain), n << 16);
        if (!isnan(brain))
            assert_int_equal(rounded(DT_ELEMENT_BF16, brain), n);
    }
    assert_true(isnan(widened(DT_ELEMENT_FP16, 0x7e01)) && isnan(widened(DT_ELEMENT_FP16, 0xfc01)));
    assert_true(isinf(widened(DT_ELEMENT_FP16, 0x7c00)));
}

/* Between each two neighbours: what is below the middle, at it and above it. */
static void rounding_is_to_nearest_even(void **state) {
    (void)state;
    for (uint32_t n = 0; n < 0x7bffu; n++) {
        const float low = dt_fp16_widen((uint16_t)n), high = dt_fp16_widen((uint16_t)(n + 1));
        const float middle = low + (high - low) / 2;
        const uint32_t even = n & 1u ? n + 1 : n;
        assert_int_equal(dt_fp16_round(middle), even);
        assert_int_equal(dt_fp16_round(-middle), even | 0x8000u);
        assert_int_equal(dt_fp16_round(nextafterf(middle, 0.0f)), n);
        assert_int_equal(dt_fp16_round(nextafterf(middle, high)), n + 1);
    }
    for (uint32_t n = 0; n < 0x7f7fu; n++) {
        const float middle = float_bits_make(n << 16 | 0x8000u);
        assert_int_equal(rounded(DT_ELEMENT_BF16, middle), n & 1u ? n + 1 : n);
        assert_int_equal(rounded(DT_ELEMENT_BF16, float_bits_make(n << 16 | 0x7fffu)), n);
        assert_int_equal(rounded(DT_ELEMENT_BF16, -float_bits_make(n << 16 | 0x8001u)), (n + 1) | 0x8000u);
    }
}

static void what_becomes_infinite_is_told(void **state) {
    (void)state;
    const float values[] = {1, -65519.996f, 65520, 1e30f}, wide[] = {0, 3.3e38f, -3.4e38f};
    uint16_t stored[4];
    assert_int_equal(dt_element_round(DT_ELEMENT_FP16, stored, values, 4), 2);
    assert_int_equal(stored[0], 0x3c00);
    assert_int_equal(stored[1], 0xfbff);
    assert_int_equal(stored[2], 0x7c00);
    assert_int_equal(stored[3], 0x7c00);
    assert_int_equal(dt_element_round(DT_ELEMENT_FP16, stored, values, 2), -1);
    assert_int_equal(dt_element_round(DT_ELEMENT_BF16, stored, wide, 3), 2);
    assert_int_equal(dt_element_round(DT_ELEMENT_BF16, stored, values, 4), -1);
    assert_int_equal(dt_fp16_round(NAN) & 0x7e00u, 0x7e00);
}

static void floats_stay_as_they_are(void **state) {
    (void)state;
    const float values[] = {0.1f, -0.0f, 1e-42f, 3e38f};
    float stored[4], back[4];
    assert_int_equal(dt_element_round(DT_ELEMENT_FP32, stored, values, 4), -1);
    dt_element_widen(DT_ELEMENT_FP32, back, stored, 4);
    assert_memory_equal(back, values, sizeof values);
    assert_int_equal(dt_element_bytes(DT_ELEMENT_FP32), 4);
    assert_int_equal(dt_element_bytes(DT_ELEMENT_FP16), 2);
    assert_int_equal(dt_element_bytes(DT_ELEMENT_BF16), 2);
}

static void names_are_found(void **state) {
    (void)state;
    assert_int_equal(dt_element_find(dt_element_safetensors, "BF16"), DT_ELEMENT_BF16);
    assert_int_equal(dt_element_find(dt_element_names, "fp16"), DT_ELEMENT_FP16);
    assert_int_equal(dt_element_find(dt_element_torch, "float32"), DT_ELEMENT_FP32);
    assert_int_equal(dt_element_find(dt_element_safetensors, "F64"), -1);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_number_comes_back), cmocka_unit_test(rounding_is_to_nearest_even),
        cmocka_unit_test(what_becomes_infinite_is_told), cmocka_unit_test(floats_stay_as_they_are),
        cmocka_unit_test(names_are_found)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
