/* Rounding to bfloat16 against the definition, found by search among all its numbers. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/philox.h"
#include "base/dtype.h"

static float float_of(uint32_t bits) {
    float value;
    memcpy(&value, &bits, sizeof value);
    return value;
}

static uint32_t bits_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return bits;
}

/* The definition: of the two neighbours with 16 zero bits, the nearer, or the even one when both are as near.
 */
static float nearest(float value) {
    const uint32_t bits = bits_of(value), below = bits & 0xffff0000u;
    const double low = (double)float_of(below), high = (double)float_of(below + 0x10000u);
    /* Above the largest number the next one would be 2^128. */
    const double next = isinf(high) ? copysign(0x1p128, high) : high, exact = (double)value;
    const double to_low = fabs(exact - low), to_high = fabs(next - exact);
    if (to_low < to_high || (to_low <= to_high && (below >> 16 & 1u) == 0))
        return (float)low;
    return (float)high;
}

static void check(uint32_t bits) {
    float value = float_of(bits), expected = value;
    if (!isnan(value) && !isinf(value))
        expected = nearest(value);
    dt_dtype_round(DT_DTYPE_BF16, &value, 1);
    if (isnan(expected))
        assert_true(isnan(value) && (bits_of(value) & 0xffffu) == 0);
    else
        assert_int_equal(bits_of(value), bits_of(expected));
}

/* Every upper half with the lower halves that decide: none, just below a tie, a tie, just above, all. */
static void rounding_is_to_nearest_even(void **state) {
    (void)state;
    static const uint32_t lower[] = {0, 1, 0x7fff, 0x8000, 0x8001, 0xffff};
    for (uint32_t upper = 0; upper < 0x10000u; upper++)
        for (size_t i = 0; i < sizeof lower / sizeof *lower; i++)
            check(upper << 16 | lower[i]);
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
        assert_int_equal(bits_of(out[i]), bits_of(nearest(nearest(left[i]) + nearest(right[i]))));
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
    assert_int_equal(bits_of(out), bits_of(left + right));
    dt_dtype_round(DT_DTYPE_FP32, &out, 1);
    assert_int_equal(bits_of(out), bits_of(left + right));
    assert_int_equal(dt_dtype_bytes(DT_DTYPE_FP32), 4);
    assert_int_equal(dt_dtype_bytes(DT_DTYPE_BF16), 2);
}

static const struct CMUnitTest tests[] = {
    cmocka_unit_test(rounding_is_to_nearest_even),
    cmocka_unit_test(additions_round_both_children_and_the_parent),
    cmocka_unit_test(floats_stay_floats),
};

int main(void) {
    return cmocka_run_group_tests(tests, NULL, NULL);
}
