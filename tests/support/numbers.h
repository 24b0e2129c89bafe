/**
 * Arrays of numbers for tests of kernels: random ones, poisoned ones, and how two of them compare.
 *
 * Every array is a block of its own of exactly its size, so that AddressSanitizer sees a kernel that steps
 * over its end. The caller frees each with free().
 */
#ifndef DT_TESTS_NUMBERS_H
#define DT_TESTS_NUMBERS_H

#include <float.h>
#include <inttypes.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bf16.h"
#include "base/philox.h"
#include "math/kernels.h"

/** Runs what follows once for each set of kernels of `dtype` that this processor can run, as `const
 * dt_kernels *k`. */
#define for_each_kernels_of(dtype, k)                                                                        \
    for (int k##_index = 0; k##_index < DT_KERNELS_SETS; k##_index++)                                        \
        for (const dt_kernels *k = dt_kernels_get(k##_index, dtype); k != NULL; k = NULL)

/** The same for the sets of every compute dtype. */
#define for_every_kernels(k)                                                                                 \
    for (int k##_index = 0; k##_index < 2 * DT_KERNELS_SETS; k##_index++)                                    \
        for (const dt_kernels *k =                                                                           \
                 dt_kernels_get(k##_index / 2, k##_index % 2 ? DT_DTYPE_BF16 : DT_DTYPE_FP32);               \
             k != NULL; k = NULL)

/** Runs what follows once for each set of kernels in fp32 that this processor can run, as `const dt_kernels
 * *k`. */
#define for_each_kernels(k) for_each_kernels_of(DT_DTYPE_FP32, k)

static inline void *numbers_block(int64_t count, size_t size) {
    void *block = malloc((size_t)count * size);
    assert_non_null(block);
    return block;
}

/** `count` normal numbers of standard deviation `deviation`, the same for the same seed. */
static inline float *numbers_random(int64_t count, uint32_t seed, double deviation) {
    float *numbers = numbers_block(count, sizeof *numbers);
    for (int64_t i = 0; i < count; i++) {
        double normal[2];
        dt_philox_normal(dt_philox((dt_philox_key){seed, 0}, (uint32_t)i, 0, 0, 0), normal);
        numbers[i] = (float)(deviation * normal[0]);
    }
    return numbers;
}

/** The same of deviation 1, each rounded to bfloat16. */
static inline uint16_t *numbers_halves(int64_t count, uint32_t seed) {
    float *numbers = numbers_random(count, seed, 1.0);
    uint16_t *halves = numbers_block(count, sizeof *halves);
    for (int64_t i = 0; i < count; i++)
        halves[i] = dt_bf16_round(numbers[i]);
    free(numbers);
    return halves;
}

/** `count` tokens below `V`, the same for the same seed. */
static inline int32_t *numbers_tokens(int64_t count, uint32_t seed, int64_t V) {
    int32_t *tokens = numbers_block(count, sizeof *tokens);
    for (int64_t i = 0; i < count; i++)
        tokens[i] = (int32_t)(dt_philox((dt_philox_key){seed, 1}, (uint32_t)i, 0, 0, 0).w0 % (uint32_t)V);
    return tokens;
}

/** Fills with NaN, also as bfloat16, so that whoever reads before writing is found out. */
static inline void numbers_poison(float *numbers, int64_t count) {
    memset(numbers, 0xff, (size_t)count * sizeof *numbers);
}

/** A new array of NaN. */
static inline float *numbers_poisoned(int64_t count) {
    float *numbers = numbers_block(count, sizeof *numbers);
    numbers_poison(numbers, count);
    return numbers;
}

/** A copy of floats, to be changed. */
static inline float *numbers_copy(const float *numbers, int64_t count) {
    return memcpy(numbers_block(count, sizeof *numbers), numbers, (size_t)count * sizeof *numbers);
}

/** The same numbers in double, for the reference. */
static inline double *numbers_widen(const float *numbers, int64_t count) {
    double *wide = numbers_block(count, sizeof *wide);
    for (int64_t i = 0; i < count; i++)
        wide[i] = (double)numbers[i];
    return wide;
}

/** An array of doubles for the reference to write. */
static inline double *numbers_wide(int64_t count) {
    return numbers_block(count, sizeof(double));
}

/**
 * Fails unless every |found - expected| is at most `tolerance` times the largest |expected| of the array: the
 * measure that fits sums of terms of both signs, whose rounding errors follow the terms and not the sum. NaN
 * is never close.
 */
static inline void assert_close(const char *set, const char *what, const float *found, const double *expected,
                                int64_t count, double tolerance) {
    double largest = 0.0;
    for (int64_t i = 0; i < count; i++)
        largest = fmax(largest, fabs(expected[i]));
    for (int64_t i = 0; i < count; i++)
        if (!(fabs((double)found[i] - expected[i]) <= tolerance * largest))
            fail_msg("%s: %s[%" PRId64
                     "] is %.9g, expected %.9g; off by %.2g of the largest, %.3g, allowed %.2g",
                     set, what, i, (double)found[i], expected[i],
                     fabs((double)found[i] - expected[i]) / largest, largest, tolerance);
}

/** As assert_close for one number, relative to itself. */
static inline void assert_near(const char *set, const char *what, double found, double expected,
                               double tolerance) {
    if (!(fabs(found - expected) <= tolerance * fabs(expected)))
        fail_msg("%s: %s is %.17g, expected %.17g; allowed is %.2g of it", set, what, found, expected,
                 tolerance);
}

/** Fails unless the two arrays hold the same bits. */
static inline void assert_same_bits(const char *set, const char *what, const float *found,
                                    const float *expected, int64_t count) {
    for (int64_t i = 0; i < count; i++)
        if (memcmp(&found[i], &expected[i], sizeof *found) != 0)
            fail_msg("%s: %s[%" PRId64 "] is %.9g, expected the very bits of %.9g", set, what, i,
                     (double)found[i], (double)expected[i]);
}

#endif
