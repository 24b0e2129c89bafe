/* Philox against the known answers that its authors publish, and what is made of its words. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/philox.h"

/* The vectors for philox4x32-10 in kat_vectors of Random123, the authors' own implementation. */
static void published_answers(void **state) {
    (void)state;
    const struct {
        uint32_t counter[4], key[2], answer[4];
    } vectors[] = {
        {{0, 0, 0, 0}, {0, 0}, {0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}},
        {{0xffffffff, 0xffffffff, 0xffffffff, 0xffffffff},
         {0xffffffff, 0xffffffff},
         {0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}},
        {{0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344},
         {0xa4093822, 0x299f31d0},
         {0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}},
    };
    for (size_t i = 0; i < sizeof vectors / sizeof *vectors; i++) {
        const uint32_t *c = vectors[i].counter, *k = vectors[i].key, *a = vectors[i].answer;
        dt_philox_words found = dt_philox((dt_philox_key){k[0], k[1]}, c[0], c[1], c[2], c[3]);
        assert_int_equal(found.w0, a[0]);
        assert_int_equal(found.w1, a[1]);
        assert_int_equal(found.w2, a[2]);
        assert_int_equal(found.w3, a[3]);
    }
}

/* A derived key is the first two words for counter (purpose, minor, 0, 0) under the seed's halves. */
static void keys_differ_by_seed_purpose_and_minor(void **state) {
    (void)state;
    const uint64_t seed = 0x299f31d0a4093822u;
    dt_philox_words words = dt_philox((dt_philox_key){0xa4093822, 0x299f31d0}, DT_PURPOSE_SHUFFLE, 7, 0, 0);
    dt_philox_key key = dt_philox_derive(seed, DT_PURPOSE_SHUFFLE, 7);
    assert_int_equal(key.k0, words.w0);
    assert_int_equal(key.k1, words.w1);
    const dt_philox_key others[] = {
        dt_philox_derive(seed + 1, DT_PURPOSE_SHUFFLE, 7),
        dt_philox_derive(seed ^ (1ull << 63), DT_PURPOSE_SHUFFLE, 7),
        dt_philox_derive(seed, DT_PURPOSE_DROPOUT, 7),
        dt_philox_derive(seed, DT_PURPOSE_SHUFFLE, 8),
    };
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        assert_memory_not_equal(&key, &others[i], sizeof key);
}

/* The unit interval is open at both ends, and its 52 bits are the first word's 32 and the second's upper 20.
 */
static void unit_lies_inside_its_interval(void **state) {
    (void)state;
    assert_true(dt_philox_unit(0, 0) == 0x1p-53);
    assert_true(dt_philox_unit(UINT32_MAX, UINT32_MAX) == 1.0 - 0x1p-53);
    assert_true(dt_philox_unit(0x80000000u, 0) == 0.5 + 0x1p-53);
    assert_true(dt_philox_unit(0, 0x1000) == 3 * 0x1p-53);
    assert_true(dt_philox_unit(0, 0xfff) == dt_philox_unit(0, 0));
}

/* Box and Muller: n0^2 + n1^2 = -2 ln u and their quotient is tan(2 pi v), finite at the extreme words. */
static void normal_follows_its_formula(void **state) {
    (void)state;
    const dt_philox_words words[] = {
        {0, 0, 0, 0},
        {UINT32_MAX, UINT32_MAX, UINT32_MAX, UINT32_MAX},
        {0x12345678, 0x9abcdef0, 0x0fedcba9, 0x87654321},
        {0x80000000, 1, 0x60000000, 1},
    };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
        double normal[2], radius = -2.0 * log(dt_philox_unit(words[i].w0, words[i].w1));
        dt_philox_normal(words[i], normal);
        assert_true(isfinite(normal[0]) && isfinite(normal[1]));
        assert_true(fabs(normal[0] * normal[0] + normal[1] * normal[1] - radius) <= 1e-14 * (radius + 1e-2));
        double turn = atan2(normal[1], normal[0]) / (2.0 * 3.14159265358979323846);
        double difference = turn - dt_philox_unit(words[i].w2, words[i].w3);
        assert_true(fabs(difference - round(difference)) <= 1e-14);
    }
}

/*
 * The first four moments of n = 2 x 10^5 normals are 0, 1, 0 and 3; the estimates have standard deviations of
 * 1, sqrt 2, sqrt 15 and sqrt 96 over sqrt n. Five of them is a bound that one in a million right generators
 * misses.
 */
static void normal_has_the_moments(void **state) {
    (void)state;
    const int pairs = 100000;
    double moment[4] = {0}, product = 0.0;
    for (int i = 0; i < pairs; i++) {
        double normal[2];
        dt_philox_normal(dt_philox((dt_philox_key){1, 2}, (uint32_t)i, 0, 0, 0), normal);
        for (int h = 0; h < 2; h++)
            for (int power = 0; power < 4; power++)
                moment[power] += pow(normal[h], power + 1) / (2.0 * pairs);
        product += normal[0] * normal[1] / pairs;
    }
    const double expected[4] = {0.0, 1.0, 0.0, 3.0}, variance[4] = {1.0, 2.0, 15.0, 96.0};
    for (int power = 0; power < 4; power++)
        assert_true(fabs(moment[power] - expected[power]) < 5.0 * sqrt(variance[power] / (2.0 * pairs)));
    assert_true(fabs(product) < 5.0 / sqrt(pairs));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(published_answers),
        cmocka_unit_test(keys_differ_by_seed_purpose_and_minor),
        cmocka_unit_test(unit_lies_inside_its_interval),
        cmocka_unit_test(normal_follows_its_formula),
        cmocka_unit_test(normal_has_the_moments),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
