/* The global norm against a plain sum, for any number of threads, and the factor that clips. */
#include <omp.h>

#include "optim/clip.h"
#include "support/numbers.h"

static double norm_and_bits(const float *vector, int64_t elements, uint64_t *bits) {
    double *partial = numbers_wide(dt_clip_chunks(elements) + 1);
    const double norm = dt_clip_norm(vector, elements, partial, bits);
    free(partial);
    return norm;
}

static double norm_of(const float *vector, int64_t elements) {
    uint64_t bits;
    return norm_and_bits(vector, elements, &bits);
}

/* Squares of floats are exact in double, so norms differ by the order of the sum alone: n eps at most. */
static void norm_is_the_formula(void **state) {
    (void)state;
    const int64_t counts[] = {1, 2, 15, 1023, 1024, 1025, 4097, 40000};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        float *vector = numbers_random(counts[i], 7, 3.0);
        double sum = 0.0;
        for (int64_t e = 0; e < counts[i]; e++)
            sum += (double)vector[e] * (double)vector[e];
        assert_near("clip", "norm", norm_of(vector, counts[i]), sqrt(sum), 1e-13);
        free(vector);
    }
    const float large[2] = {3e38f, -3e38f}, small[2] = {3e-42f, 4e-42f};
    assert_near("clip", "norm of what overflows in float", norm_of(large, 2), sqrt(2.0) * 3e38, 1e-6);
    assert_near("clip", "norm of denormal numbers", norm_of(small, 2), 5e-42, 1e-3);
}

/* Sums values[0..count) below one node of the tree, which splits at the largest power of two below count. */
static double sum_below(const double *values, int64_t count) {
    int64_t half = 1;
    if (count == 1)
        return values[0];
    while (2 * half < count)
        half *= 2;
    return sum_below(values, half) + sum_below(values + half, count - half);
}

/* Identity: the very bits of the order that the header states, in another form: every lane by itself. Numbers
 * of all sizes, so that another order shows. */
static void norm_is_summed_in_the_stated_order(void **state) {
    (void)state;
    const int64_t counts[] = {1, 15, 17, 1023, 1024, 1040, 5000, 12345};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        float *vector = numbers_random(counts[i], 11, 1.0);
        double chunk[16], sum;
        int64_t chunks = 0;
        for (int64_t first = 0; first < counts[i]; first += 1024, chunks++) {
            double lane[16] = {0};
            for (int64_t l = 0; l < 16; l++)
                for (int64_t e = first + l; e < first + 1024 && e < counts[i]; e += 16) {
                    vector[e] *= ldexpf(1.0f, (int)(e % 19 - 9));
                    lane[l] += (double)vector[e] * (double)vector[e];
                }
            for (int64_t l = 0; l < 8; l++)
                lane[l] += lane[l + 8];
            for (int64_t l = 0; l < 4; l++)
                lane[l] += lane[l + 4];
            chunk[chunks] = (lane[0] + lane[2]) + (lane[1] + lane[3]);
        }
        sum = sum_below(chunk, chunks);
        assert_true(norm_of(vector, counts[i]) == sqrt(sum));
        free(vector);
    }
}

static void norm_does_not_depend_on_threads(void **state) {
    (void)state;
    const int64_t count = 100003;
    float *vector = numbers_random(count, 8, 1.0);
    omp_set_num_threads(1);
    uint64_t bits, bits_alone;
    const double alone = norm_and_bits(vector, count, &bits_alone);
    for (int threads = 2; threads <= 4; threads++) {
        omp_set_num_threads(threads);
        assert_true(norm_and_bits(vector, count, &bits) == alone);
        assert_true(bits == bits_alone);
    }
    free(vector);
}

/* A gradient that is no number must be seen in the norm, wherever it stands. */
static void nan_and_infinity_are_seen(void **state) {
    (void)state;
    float *vector = numbers_random(10000, 9, 1.0);
    vector[9999] = INFINITY;
    assert_true(isinf(norm_of(vector, 10000)));
    vector[5000] = NAN;
    assert_true(isnan(norm_of(vector, 10000)));
    free(vector);
}

/* Each bit of numbers large and tiny, where a norm may not move, at both ends and inside; so does an exchange
 * of two chunks. */
static void every_turned_bit_shows_in_the_bits(void **state) {
    (void)state;
    const int64_t count = 10000, indices[] = {0, 1, 1023, 1024, 9999};
    float *vector = numbers_random(count, 10, 1.0);
    vector[1] = 1e-40f;
    vector[1024] = 3e30f;
    uint64_t before, after;
    norm_and_bits(vector, count, &before);
    for (size_t i = 0; i < sizeof indices / sizeof *indices; i++)
        for (int bit = 0; bit < 32; bit++) {
            const float kept = vector[indices[i]];
            uint32_t bits;
            memcpy(&bits, &kept, sizeof bits);
            bits ^= UINT32_C(1) << bit;
            memcpy(&vector[indices[i]], &bits, sizeof bits);
            norm_and_bits(vector, count, &after);
            if (after == before)
                fail_msg("bit %d of element %d does not show", bit, (int)indices[i]);
            vector[indices[i]] = kept;
        }
    float *exchanged = numbers_random(count, 10, 1.0);
    memcpy(exchanged, vector + 1024, 1024 * sizeof *vector);
    memcpy(exchanged + 1024, vector, 1024 * sizeof *vector);
    memcpy(exchanged + 2048, vector + 2048, (size_t)(count - 2048) * sizeof *vector);
    norm_and_bits(exchanged, count, &after);
    assert_true(after != before);
    free(exchanged);
    free(vector);
}

/* min(1, limit / (norm + 1e-6)); NaN for a limit is none. */
static void scale_is_the_formula(void **state) {
    (void)state;
    assert_true(dt_clip_scale(10.0, 2.0) == 2.0 / (10.0 + 1e-6));
    assert_true(dt_clip_scale(2.0, 2.0) == 2.0 / (2.0 + 1e-6));
    assert_true(dt_clip_scale(1.0, 2.0) == 1.0);
    assert_true(dt_clip_scale(0.0, 2.0) == 1.0);
    assert_true(dt_clip_scale(0.0, 1e-7) == 1e-7 / 1e-6);
    assert_true(dt_clip_scale(1e9, (double)NAN) == 1.0);
    assert_true(dt_clip_scale((double)INFINITY, 1.0) == 0.0);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(norm_is_the_formula),
        cmocka_unit_test(norm_is_summed_in_the_stated_order),
        cmocka_unit_test(norm_does_not_depend_on_threads),
        cmocka_unit_test(nan_and_infinity_are_seen),
        cmocka_unit_test(every_turned_bit_shows_in_the_bits),
        cmocka_unit_test(scale_is_the_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
