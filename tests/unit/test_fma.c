/*
 * dt_fma and dt_fma_vector, compiled as each set of kernels compiles them, against the C library's fmaf,
 * which computes with infinite precision and rounds once (ISO C, 7.12.13.1). All bits must be equal, but
 * those of a NaN.
 */
#include "support/float_bits.h"
#include "support/formulas.h"
#include "support/numbers.h"

#define BLOCK 4096

#define FORMULAS(isa, nothing) &test_formulas_##isa,
static const struct test_formulas *const formulas[DT_KERNELS_SETS] = {DT_ISA_EACH(FORMULAS, )};

static uint32_t random_bits(uint32_t seed, int64_t index) {
    return dt_philox((dt_philox_key){seed, 11}, (uint32_t)index, 0, 0, 0).w0;
}

static bool same(float x, float y) {
    return isnan(x) ? isnan(y) : float_bits_get(x) == float_bits_get(y);
}

/* Both forms of every set on one block of triples. */
static void check_block(const float *a, const float *b, const float *c, int64_t count) {
    float found[2][BLOCK];
    for (int index = 0; index < DT_KERNELS_SETS; index++) {
        const dt_kernels *k = dt_kernels_get(index, DT_DTYPE_FP32);
        if (k == NULL)
            continue;
        formulas[index]->fma(found[0], a, b, c, count);
        formulas[index]->fma_vector(found[1], a, b, c, count);
        for (int64_t i = 0; i < count; i++)
            for (int form = 0; form < 2; form++)
                if (!same(found[form][i], fmaf(a[i], b[i], c[i])))
                    fail_msg("%s: %a * %a + %a is %a, expected %a%s", k->name, (double)a[i], (double)b[i],
                             (double)c[i], (double)found[form][i], (double)fmaf(a[i], b[i], c[i]),
                             form ? " (vector)" : "");
    }
}

/* Every triple of numbers at the edges of the format, and of such as make ties with them. */
static void edges_are_rounded_once(void **state) {
    (void)state;
    const float some[] = {0.0f,      0x1p-149f,  0x3p-149f,       0x1.8p-127f,    0x1.fffffcp-127f, 0x1p-126f,
                          0x1p-125f, 0x1p-75f,   0x1.000002p-75f, 0x1p-64f,       0x1.fffffep-52f,  0x1p-25f,
                          0x1p-24f,  0x1.8p-24f, 0x1.fffffep-1f,  1.0f,           0x1.000002p0f,    1.5f,
                          0x1p24f,   0x1p63f,    0x1.fffffep63f,  0x1.000002p64f, 0x1p103f,         FLT_MAX,
                          INFINITY,  NAN};
    const int count = (int)(sizeof some / sizeof *some);
    float a[BLOCK], b[BLOCK], c[BLOCK];
    int64_t n = 0;
    for (int i = 0; i < count; i++)
        for (int j = i; j < count; j++)
            for (int l = 0; l < count; l++)
                for (int signs = 0; signs < 8; signs++) {
                    a[n] = signs & 1 ? -some[i] : some[i];
                    b[n] = signs & 2 ? -some[j] : some[j];
                    c[n] = signs & 4 ? -some[l] : some[l];
                    if (++n == BLOCK) {
                        check_block(a, b, c, n);
                        n = 0;
                    }
                }
    check_block(a, b, c, n);
}

/*
 * Random triples: of any bits; of products near the sum's size, where most digits meet; of products that
 * nearly cancel it; and of denormal results. c is a tie between floats times a small error in a share of
 * them.
 */
static void random_triples_are_rounded_once(void **state) {
    (void)state;
    enum { BLOCKS = 400 };
    float a[BLOCK], b[BLOCK], c[BLOCK];
    for (int64_t block = 0; block < BLOCKS; block++) {
        const int kind = (int)(block % 4);
        for (int64_t i = 0; i < BLOCK; i++) {
            const int64_t at = block * BLOCK + i;
            const uint32_t x = random_bits(1, at), y = random_bits(2, at), z = random_bits(3, at);
            /* Few digits in every other one, so that products end in zeros and sums in ties. */
            const uint32_t kept = i % 2 ? 0xffffffffu : 0xfffff000u;
            a[i] = float_bits_make(kind == 0 ? x : (x & kept & 0x807fffffu) | (kind == 3 ? 60u : 127u) << 23);
            b[i] = float_bits_make(kind == 0 ? y : (y & kept & 0x807fffffu) | (kind == 3 ? 50u : 127u) << 23);
            if (kind == 0)
                c[i] = float_bits_make(z);
            else if (kind == 1)
                c[i] = float_bits_make((z & 0x807fffffu) | (97u + z % 61u) << 23);
            else if (kind == 2)
                c[i] = float_bits_make(float_bits_get(-(a[i] * b[i])) + z % 5u - 2u);
            else
                c[i] = float_bits_make(z & 0x80ffffffu);
        }
        check_block(a, b, c, BLOCK);
    }
}

/*
 * A part in 2^30 to 2^46 less than half the last place of a denormal, added to or taken from any denormal: in
 * double the sum is rounded onto the tie, and from there half of them to the wrong side.
 */
static void denormals_next_to_ties_are_rounded_once(void **state) {
    (void)state;
    float a[BLOCK], b[BLOCK], c[BLOCK];
    for (uint32_t i = 0; i < BLOCK; i++) {
        const uint32_t z = random_bits(4, i);
        const float small = ldexpf(1.0f, -15 - (int)(i % 9));
        a[i] = ldexpf(z & 1u ? -1.0f - small : 1.0f + small, -75);
        b[i] = ldexpf(1.0f - small, -75);
        c[i] = float_bits_make((z & 0x80000000u) | (z & 0x7fffffu) >> z % 12u);
    }
    check_block(a, b, c, BLOCK);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(edges_are_rounded_once),
        cmocka_unit_test(random_triples_are_rounded_once),
        cmocka_unit_test(denormals_next_to_ties_are_rounded_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
