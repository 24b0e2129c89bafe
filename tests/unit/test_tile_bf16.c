/*
 * The bfloat16 tile: the processor's instruction and its emulation in every set against the definition, bit
 * for bit, over random numbers, numbers at the edges of the format and denormals.
 */
#include "math/replay_bf16.h"
#include "math/tile_bf16.h"
#include "support/float_bits.h"
#include "support/numbers.h"

typedef struct dt_tile_bf16 tile;

/* The sets in the order of dt_kernels_get, which says whether this processor runs them. */
#define TILE(isa, nothing) {#isa, &dt_tile_bf16_##isa},
typedef struct tile_set {
    const char *name;
    const tile *tile;
} tile_set;
static const tile_set sets[DT_KERNELS_SETS] = {DT_ISA_EACH(TILE, )};

/* Random bits for every index. */
static uint32_t random_bits(uint32_t seed, int64_t index) {
    return dt_philox((dt_philox_key){seed, 7}, (uint32_t)index, 0, 0, 0).w0;
}

/*
 * Kinds of numbers, to be made bfloat16. Products of WIDE ones meet sums of every size and end in infinity,
 * tiny results and NaN; those of SMALL ones, near 2^-63, and of sums near 2^-126 are judged at the edge of
 * denormals.
 */
typedef enum number_kind { NORMAL, WIDE, SMALL, ANY, KINDS } number_kind;

static float number_of(number_kind kind, uint32_t seed, int64_t index) {
    static const uint32_t edges[] = {0x0000, 0x8000, 0x0001, 0x007f, 0x0080, 0x8080, 0x3f80,
                                     0x7f7f, 0x7f80, 0xff80, 0x7fc0, 0x8001, 0x5f00, 0x2000};
    const uint32_t bits = random_bits(seed, index);
    const uint32_t fraction = bits & 0x807fffffu; /* with the sign */
    switch (kind) {
    case NORMAL:
        return float_bits_make(fraction | (120u + (bits >> 23 & 7u)) << 23);
    case SMALL:
        return float_bits_make(fraction | (56u + (bits >> 23 & 15u)) << 23);
    case WIDE:
        return float_bits_make(fraction | (bits >> 23 & 0xffu) << 23);
    default:
        return bits % 3 == 0 ? float_bits_make(edges[bits / 3 % (sizeof edges / sizeof *edges)] << 16)
                             : float_bits_make(random_bits(seed + 1, index));
    }
}

/* The upper half as it is: denormal and quiet or not. */
static uint16_t half_of(float value) {
    uint32_t bits;
    memcpy(&bits, &value, sizeof bits);
    return (uint16_t)(bits >> 16);
}

static uint16_t *halves(number_kind kind, uint32_t seed, int64_t count) {
    uint16_t *made = numbers_block(count, sizeof *made);
    for (int64_t i = 0; i < count; i++)
        made[i] = half_of(number_of(kind, seed, i));
    return made;
}

/* One tile: A[rows, k], or A^T where it is transposed, B[k, cols] or its transpose, and what C starts from.
 */
typedef struct problem {
    bool turned_a, turned_b, add, rounded, biased;
    int64_t rows, cols, k;
    uint16_t *a, *b;
    float *start, *bias; /* [rows, cols], [cols] */
    float *expected;     /* [rows, cols]: the definition's sums, with the bias where there is one */
} problem;

static float define(const problem *p, int64_t i, int64_t j) {
    float sum = p->add ? p->start[i * p->cols + j] : 0.0f;
    for (int64_t l = 0; l < p->k + p->k % 2; l++) {
        const int64_t q = l % 2 ? l - 1 : l + 1; /* odd before even */
        const uint16_t a = q >= p->k     ? 0
                           : p->turned_a ? p->a[q * p->rows + i]
                                         : p->a[i * p->k + q],
                       b = q >= p->k     ? 0
                           : p->turned_b ? p->b[j * p->k + q]
                                         : p->b[q * p->cols + j];
        sum = dt_tile_bf16_step(dt_bf16_widen(a), dt_bf16_widen(b), sum);
    }
    return p->biased ? sum + p->bias[j] : sum;
}

static void prepare(problem *p, number_kind kind, uint32_t seed) {
    const int64_t sums = p->rows * p->cols;
    p->a = halves(kind, seed, p->rows * p->k);
    p->b = halves(kind, seed + 10, p->k * p->cols);
    p->start = numbers_block(sums, sizeof *p->start);
    for (int64_t i = 0; i < sums; i++)
        p->start[i] = kind == SMALL ? float_bits_make((random_bits(seed + 20, i) & 0x83ffffffu) % 0x05000000u)
                                    : number_of(kind, seed + 20, i);
    p->bias = numbers_random(p->cols, seed + 30, 1.0);
    p->expected = numbers_block(sums, sizeof *p->expected);
    for (int64_t i = 0; i < p->rows; i++)
        for (int64_t j = 0; j < p->cols; j++)
            p->expected[i * p->cols + j] = define(p, i, j);
}

static void free_problem(problem *p) {
    free(p->a);
    free(p->b);
    free(p->start);
    free(p->bias);
    free(p->expected);
}

/* The same bits, or both NaN. */
static void assert_number(const char *set, const problem *p, int64_t i, int64_t j, float found,
                          float expected) {
    if (isnan(expected) ? !isnan(found) : memcmp(&found, &expected, sizeof found) != 0)
        fail_msg("%s: row %d, column %d of %d x %d, k %d, is %a, expected %a", set, (int)i, (int)j,
                 (int)p->rows, (int)p->cols, (int)p->k, (double)found, (double)expected);
}

#define MARK 0x4d41u /* what stands beside C */

/* C in a field of marks, rows two elements further apart than they are long; panels and A on a cache line. */
static void try_one(const tile_set *s, const problem *p) {
    const tile *t = s->tile;
    const int64_t pairs = (p->k + 1) / 2, stride = p->cols + 2, size = p->rounded ? 2 : 4;
    const int64_t a_stride = p->turned_a ? 2 * p->rows + 6 : 2 * pairs + 6;
    const int64_t a_bytes = (p->turned_a ? pairs : p->rows) * a_stride * t->factor_bytes;
    char *a = numbers_block(a_bytes, 1), *c = numbers_block(p->rows * stride * size, 1);
    char *panel = aligned_alloc(64, (size_t)(2 * pairs * t->cols * t->factor_bytes + 63) / 64 * 64);
    assert_non_null(panel);
    memset(a, 0xff, (size_t)a_bytes);
    memset(panel, 0xff, (size_t)(2 * pairs * t->cols * t->factor_bytes));
    for (int64_t i = 0; i < p->rows * stride * size / 2; i++)
        ((uint16_t *)c)[i] = MARK;
    for (int64_t i = 0; p->add && i < p->rows; i++)
        memcpy((float *)c + i * stride, p->start + i * p->cols, (size_t)p->cols * sizeof(float));
    if (p->turned_b)
        t->pack_transposed(panel, p->b, p->k, p->k, p->cols);
    else
        t->pack(panel, p->b, p->cols, p->k, p->cols);
    const dt_tile_bf16_target target = {c, stride, p->cols, p->rounded, p->add, p->biased ? p->bias : NULL};
    if (p->turned_a) {
        t->pack_a_transposed(a, a_stride, p->a, p->rows, p->rows, p->k);
        t->multiply_transposed(&target, p->rows, a, a_stride, panel, pairs);
    } else {
        t->pack_a(a, a_stride, p->a, p->k, p->rows, p->k);
        t->multiply(&target, p->rows, a, a_stride, panel, pairs);
    }
    for (int64_t i = 0; i < p->rows; i++) {
        for (int64_t j = 0; j < p->cols; j++) {
            const float sum = p->expected[i * p->cols + j];
            if (p->rounded)
                assert_number(s->name, p, i, j, dt_bf16_widen(((uint16_t *)c)[i * stride + j]),
                              dt_bf16_widen(dt_bf16_round(sum)));
            else
                assert_number(s->name, p, i, j, ((float *)c)[i * stride + j], sum);
        }
        const uint16_t *beside = (uint16_t *)c + (i * stride + p->cols) * size / 2;
        for (int64_t j = 0; j < size; j++)
            assert_int_equal(beside[j], MARK);
    }
    free(a);
    free(c);
    free(panel);
}

static void try_all(problem p, number_kind kind, uint32_t seed) {
    prepare(&p, kind, seed);
    for (int i = 0; i < DT_KERNELS_SETS; i++)
        if (dt_kernels_get(i, DT_DTYPE_FP32) && p.rows <= sets[i].tile->rows && p.cols <= sets[i].tile->cols)
            try_one(&sets[i], &p);
    free_problem(&p);
}

/* Every number of rows and columns, odd and even k, every way of storing and of starting. */
static void every_shape_has_the_bits_of_the_definition(void **state) {
    (void)state;
    static const int64_t lengths[] = {1, 2, 3, 8, 31, 64};
    uint32_t seed = 100;
    for (int64_t rows = 1; rows <= 14; rows++)
        for (int64_t cols = 1; cols <= 32; cols++)
            for (int ways = 0; ways < 24; ways++) {
                const int result = ways / 4 % 3; /* float from zero, float from C, rounded */
                try_all((problem){.turned_a = ways & 1,
                                  .turned_b = ways & 2,
                                  .add = result == 1,
                                  .rounded = result == 2,
                                  .biased = ways >= 12,
                                  .rows = rows,
                                  .cols = cols,
                                  .k = lengths[(rows + cols + ways) % 6]},
                        NORMAL, seed++);
            }
}

/* Infinities, NaN, denormal inputs, sums and products, and results on both sides of the smallest number. */
static void edges_and_denormals_have_the_bits_of_the_definition(void **state) {
    (void)state;
    static const int64_t sizes[][2] = {{14, 32}, {6, 16}, {14, 8}, {6, 8}};
    for (uint32_t round = 0; round < 400; round++)
        for (int kind = 0; kind < KINDS; kind++)
            for (int size = 0; size < 4; size++)
                try_all((problem){.add = true,
                                  .turned_a = round & 1,
                                  .rows = sizes[size][0],
                                  .cols = sizes[size][1],
                                  .k = 2 + (int64_t)(round % 7)},
                        (number_kind)kind, 100000 + 64 * round);
}

/*
 * 2^-126 less 2^-160 rounds to 2^-126, which is no denormal: a flush judges after rounding. Less 2^-149, and
 * less 2^-151 and a bit, it is one. As C starts, a and b alone decide.
 */
static void a_result_is_tiny_after_rounding(void **state) {
    (void)state;
    static const struct {
        float a, b, expected;
    } cases[] = {{0x1p-80f, -0x1p-80f, 0x1p-126f}, {0x1p-75f, -0x1p-74f, 0.0f},
                 {0x1p-75f, -0x1p-76f, 0x1p-126f}, {0x1.02p-75f, -0x1p-76f, 0.0f},
                 {-0x1p-63f, 0x1p-63f, 0.0f},      {-0x1p-62f, 0x1p-63f, -0x1p-126f}};
    for (size_t n = 0; n < sizeof cases / sizeof *cases; n++) {
        assert_true(dt_tile_bf16_step(cases[n].a, cases[n].b, 0x1p-126f) == cases[n].expected);
        uint16_t a[2] = {half_of(cases[n].a), 0}, b[2] = {half_of(cases[n].b), 0};
        float start = 0x1p-126f, expected = cases[n].expected;
        const problem p = {.add = true,
                           .rows = 1,
                           .cols = 1,
                           .k = 1,
                           .a = a,
                           .b = b,
                           .start = &start,
                           .expected = &expected};
        for (int i = 0; i < DT_KERNELS_SETS; i++)
            if (dt_kernels_get(i, DT_DTYPE_FP32))
                try_one(&sets[i], &p);
    }
}

/* A tile that adds the even element first: what a processor might do. */
static void even_first(const dt_tile_bf16_target *c, int64_t rows, const void *a, int64_t stride,
                       const void *panel, int64_t pairs) {
    const float *x = a, *y = panel;
    (void)rows, (void)stride, (void)pairs;
    *(float *)c->at = dt_tile_bf16_step(x[1], y[sets[DT_KERNELS_SETS - 1].tile->cols],
                                        dt_tile_bf16_step(x[0], y[0], *(float *)c->at));
}

/* The recorded cases are the definition's, since the emulation gives them, and tell another order apart. */
static void the_recorded_cases_tell_tiles_apart(void **state) {
    (void)state;
    for (int i = 0; i < DT_KERNELS_SETS; i++)
        if (dt_kernels_get(i, DT_DTYPE_FP32))
            assert_true(dt_replay_bf16(sets[i].tile));
    tile other = *sets[DT_KERNELS_SETS - 1].tile;
    other.multiply = even_first;
    assert_false(dt_replay_bf16(&other));
}

/* The emulation sets the mode of the processor for itself alone: gradual underflow goes on around it. */
static void the_mode_of_the_processor_is_restored(void **state) {
    (void)state;
    volatile float half = 0.5f, min = 0x1p-126f;
    try_all((problem){.rows = 5, .cols = 7, .k = 6, .add = true}, SMALL, 1);
    assert_true(half * min == 0x1p-127f);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_shape_has_the_bits_of_the_definition),
        cmocka_unit_test(edges_and_denormals_have_the_bits_of_the_definition),
        cmocka_unit_test(a_result_is_tiny_after_rounding),
        cmocka_unit_test(the_recorded_cases_tell_tiles_apart),
        cmocka_unit_test(the_mode_of_the_processor_is_restored),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
