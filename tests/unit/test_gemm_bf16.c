/*
 * Products of bfloat16 matrices: every set's bits against the definition of the tile, and values against sums
 * in double. Shapes, strides, blocks and passes are what can go wrong.
 */
#include "base/bf16.h"
#include "math/gemm_bf16.h"
#include "math/panel_bf16.h"
#include "math/tile_bf16.h"
#include "support/numbers.h"

/* In the order of dt_kernels_get, which says whether this processor runs them. */
#define GEMM(isa, nothing) &dt_gemm_bf16_##isa,
static const struct dt_gemm_bf16 *const sets[DT_KERNELS_SETS] = {DT_ISA_EACH(GEMM, )};

/* One product, with rows of A and C further apart than they are long. */
typedef struct problem {
    dt_product_bf16 product;
    uint16_t *a, *b, *panels; /* b: [k, n] */
    float *start, *bias;      /* [m, n]; [n] */
    float *expected;          /* [m, n]: the definition's sums */
} problem;

static float element_of_a(const problem *p, int64_t i, int64_t l) {
    const dt_product_bf16 *x = &p->product;
    return dt_bf16_widen(x->transpose_a ? p->a[l * x->a_stride + i] : p->a[i * x->a_stride + l]);
}

/* Element (i, j) by the definition, and by the formula in double, with what C starts from and the bias. */
static float define(const problem *p, int64_t i, int64_t j, double *exact) {
    const dt_product_bf16 *x = &p->product;
    float sum = x->add ? p->start[i * x->n + j] : 0.0f;
    *exact = (double)sum;
    for (int64_t l = 0; l < x->k + x->k % 2; l++) {
        const int64_t q = l ^ 1; /* odd before even */
        const float a = q < x->k ? element_of_a(p, i, q) : 0.0f,
                    b = q < x->k ? dt_bf16_widen(p->b[q * x->n + j]) : 0.0f;
        sum = dt_tile_bf16_step(a, b, sum);
        *exact += (double)a * (double)b;
    }
    *exact += x->bias ? (double)x->bias[j] : 0.0;
    return x->bias ? sum + x->bias[j] : sum;
}

/* ways: 1 transposes A, 2 has a bias, 4 starts from C, 8 rounds. */
static problem problem_of(int ways, int64_t m, int64_t n, int64_t k) {
    const int64_t a_cols = ways & 1 ? m : k, a_rows = ways & 1 ? k : m;
    problem p = {.a = numbers_halves(a_rows * (a_cols + 3), 1),
                 .b = numbers_halves(k * n, 2),
                 .start = numbers_random(m * n, 3, 1.0),
                 .bias = numbers_random(n, 4, 1.0),
                 .expected = numbers_block(m * n, sizeof(float))};
    p.panels =
        aligned_alloc(64, (size_t)(dt_panel_bf16_count(n) * dt_panel_bf16_elements(k)) * sizeof *p.panels);
    assert_non_null(p.panels);
    for (int64_t j = 0; j < n; j += DT_PANEL_BF16_COLS)
        dt_panel_bf16_pack(p.panels + j / DT_PANEL_BF16_COLS * dt_panel_bf16_elements(k), p.b + j, n, k,
                           n - j < DT_PANEL_BF16_COLS ? n - j : DT_PANEL_BF16_COLS);
    p.product = (dt_product_bf16){.transpose_a = ways & 1,
                                  .m = m,
                                  .n = n,
                                  .k = k,
                                  .a = p.a,
                                  .a_stride = a_cols + 3,
                                  .panels = p.panels,
                                  .c_stride = n + 2,
                                  .rounded = ways & 8,
                                  .add = ways & 4,
                                  .bias = ways & 2 ? p.bias : NULL};
    return p;
}

static void free_problem(problem *p) {
    free(p->a);
    free(p->b);
    free(p->panels);
    free(p->start);
    free(p->bias);
    free(p->expected);
}

/* C of one set: the definition's bits, and nothing written beside it. Room and C are NaN before. */
static void try_set(const char *name, const struct dt_gemm_bf16 *gemm, problem *p) {
    dt_product_bf16 *x = &p->product;
    const int64_t elements = x->m * x->c_stride, workspace_floats = dt_gemm_bf16_workspace(x->k);
    float *c = numbers_poisoned(elements);
    float *workspace = aligned_alloc(64, (size_t)(workspace_floats + 15) / 16 * 64);
    assert_non_null(workspace);
    numbers_poison(workspace, workspace_floats);
    for (int64_t i = 0; x->add && i < x->m; i++)
        memcpy(c + i * x->c_stride, p->start + i * x->n, (size_t)x->n * sizeof *c);
    uint16_t *rounded = (uint16_t *)c;
    for (int64_t i = 0; x->rounded && i < elements; i++)
        rounded[i] = 0x7fff;
    x->c = c;
    gemm->multiply(x, workspace);
    for (int64_t i = 0; i < x->m; i++) {
        for (int64_t j = 0; j < x->n; j++) {
            const int64_t at = i * x->c_stride + j;
            const float found = x->rounded ? dt_bf16_widen(rounded[at]) : c[at],
                        sum = p->expected[i * x->n + j];
            const float expected = x->rounded ? dt_bf16_widen(dt_bf16_round(sum)) : sum;
            assert_same_bits(name, "c", &found, &expected, 1);
        }
        for (int64_t j = i * x->c_stride + x->n; j < (i + 1) * x->c_stride; j++)
            assert_true(x->rounded ? rounded[j] == 0x7fff : (bool)isnan(c[j]));
    }
    free(c);
    free(workspace);
}

/*
 * Less than a tile, whole tiles and rests of each set, several blocks of rows, and several passes over k. The
 * sum of k products in float goes wrong by at most k eps of its terms, and by some 4 sqrt(k) eps as errors
 * come.
 */
static void a_product_has_the_bits_of_the_definition(void **state) {
    (void)state;
    static const int64_t sizes[][3] = {{1, 1, 1},     {1, 99, 33},   {17, 5, 64},   {64, 65, 7},
                                       {40, 99, 200}, {28, 64, 256}, {13, 31, 301}, {301, 33, 1040},
                                       {9, 40, 2049}, {70, 3, 4201}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int ways = 0; ways < 12; ways++) {
            problem p = problem_of(ways, sizes[s][0], sizes[s][1], sizes[s][2]);
            const int64_t m = p.product.m, n = p.product.n;
            double *exact = numbers_wide(m * n);
            for (int64_t i = 0; i < m * n; i++)
                p.expected[i] = define(&p, i / n, i % n, &exact[i]);
            assert_close("definition", "c", p.expected, exact, m * n,
                         4.0 * sqrt((double)p.product.k) * (double)FLT_EPSILON);
            for (int i = 0; i < DT_KERNELS_SETS; i++)
                if (dt_kernels_get(i, DT_DTYPE_FP32))
                    try_set(dt_kernels_get(i, DT_DTYPE_FP32)->name, sets[i], &p);
            free(exact);
            free_problem(&p);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_product_has_the_bits_of_the_definition),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
