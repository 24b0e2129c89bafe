/* Every matrix product against the same sums in double: shapes, strides and transposes are what can go wrong.
 */
#include "math/matmul.h"
#include "support/numbers.h"

/* In the order of dt_kernels_get, which says whether this processor runs them. */
#define GEMM(isa, nothing) &dt_gemm_##isa,
static const struct dt_gemm *const sets[DT_KERNELS_SETS] = {DT_ISA_EACH(GEMM, )};

/* A sum of k products goes wrong by at most k eps of its terms, and by some 4 sqrt(k) eps as errors come. */
static double tolerance_of(int64_t k) {
    return 4.0 * sqrt((double)k) * (double)FLT_EPSILON;
}

/* `rows` rows of `cols` random numbers with `stride` between them; what lies between rows is NaN. */
static float *matrix(int64_t rows, int64_t cols, int64_t stride, uint32_t seed) {
    float *chosen = numbers_random(rows * cols, seed, 1.0), *made = numbers_poisoned(rows * stride);
    for (int64_t i = 0; i < rows; i++)
        memcpy(made + i * stride, chosen + i * cols, (size_t)cols * sizeof *made);
    free(chosen);
    return made;
}

/* Strides at least as long as a row: A's and B's rows are read where they stand, or share the sets of a cache
 * and are copied with 16 lanes (gemm.c). */
typedef struct strides {
    int64_t a, b;
} strides;

static strides near(int64_t a_cols, int64_t b_cols) {
    return (strides){a_cols + 3, b_cols + 1};
}

static strides crowded(int64_t a_cols, int64_t b_cols) {
    return (strides){(a_cols + 511) / 512 * 512, (b_cols + 511) / 512 * 512};
}

/* One product and what it should be, with rows further apart than they are long; C is NaN before. */
typedef struct problem {
    dt_product product;
    float *a, *b, *c, *bias;
    double *expected; /* [m, n] */
} problem;

static problem problem_with(strides (*apart)(int64_t a_cols, int64_t b_cols), bool ta, bool tb, int64_t m,
                            int64_t n, int64_t k, bool biased) {
    const strides chosen = apart(ta ? m : k, tb ? k : n);
    const int64_t a_stride = chosen.a, b_stride = chosen.b, c_stride = n + 2;
    problem p = {.a = matrix(ta ? k : m, ta ? m : k, a_stride, 1),
                 .b = matrix(tb ? n : k, tb ? k : n, b_stride, 2),
                 .c = numbers_poisoned(m * c_stride),
                 .bias = biased ? numbers_random(n, 3, 1.0) : NULL,
                 .expected = numbers_wide(m * n)};
    p.product = (dt_product){ta, tb, m, n, k, p.a, a_stride, p.b, b_stride, p.c, c_stride, p.bias, false};
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = biased ? (double)p.bias[j] : 0.0;
            for (int64_t l = 0; l < k; l++)
                sum += (double)(ta ? p.a[l * a_stride + i] : p.a[i * a_stride + l]) *
                       (double)(tb ? p.b[j * b_stride + l] : p.b[l * b_stride + j]);
            p.expected[i * n + j] = sum;
        }
    return p;
}

static problem problem_of(bool ta, bool tb, int64_t m, int64_t n, int64_t k, bool biased) {
    return problem_with(near, ta, tb, m, n, k, biased);
}

static void free_problem(problem *p) {
    free(p->a);
    free(p->b);
    free(p->c);
    free(p->bias);
    free(p->expected);
}

/* C is what it should be, and nothing is written beside it. */
static void assert_solved(const char *set, const problem *p) {
    const dt_product *x = &p->product;
    float *found = numbers_poisoned(x->m * x->n);
    for (int64_t i = 0; i < x->m; i++) {
        memcpy(found + i * x->n, x->c + i * x->c_stride, (size_t)x->n * sizeof *found);
        assert_true(isnan(x->c[i * x->c_stride + x->n]) && isnan(x->c[i * x->c_stride + x->n + 1]));
    }
    assert_close(set, "c", found, p->expected, x->m * x->n, tolerance_of(x->k));
    free(found);
}

/* Less than a tile, whole tiles and rests, more than one block of rows, of k and of columns. */
static const int64_t sizes[][3] = {{1, 1, 1},     {1, 99, 33},    {17, 5, 64},   {64, 65, 7},
                                   {40, 99, 200}, {28, 64, 256},  {13, 31, 300}, {270, 33, 520},
                                   {530, 9, 70},  {15, 33, 1030}, {7, 1570, 300}};
static const size_t size_count = sizeof sizes / sizeof *sizes;

static void a_product_is_the_formula(void **state) {
    (void)state;
    float *workspace = numbers_poisoned(DT_GEMM_WORKSPACE);
    for_each_kernels(kernels) for (size_t s = 0; s < size_count; s++) for (int t = 0; t < 8; t++) {
        problem p = problem_of(t & 1, t & 2, sizes[s][0], sizes[s][1], sizes[s][2], t & 4);
        sets[kernels_index]->multiply(&p.product, workspace);
        assert_solved(kernels->name, &p);
        free_problem(&p);
    }
    free(workspace);
}

/* Rows that are copied and rows that are read in their place give the same bits. */
static void how_far_rows_are_apart_changes_no_bit(void **state) {
    (void)state;
    float *workspace = numbers_poisoned(DT_GEMM_WORKSPACE);
    for_each_kernels(kernels) for (size_t s = 0; s < size_count; s++) for (int t = 0; t < 4; t++) {
        const int64_t m = sizes[s][0], n = sizes[s][1], k = sizes[s][2];
        problem here = problem_with(near, t & 1, t & 2, m, n, k, false),
                there = problem_with(crowded, t & 1, t & 2, m, n, k, false);
        sets[kernels_index]->multiply(&here.product, workspace);
        sets[kernels_index]->multiply(&there.product, workspace);
        assert_solved(kernels->name, &there);
        for (int64_t i = 0; i < m; i++)
            assert_same_bits(kernels->name, "a row", there.c + i * (n + 2), here.c + i * (n + 2), n);
        free_problem(&here);
        free_problem(&there);
    }
    free(workspace);
}

/* An element's bits depend on its row of A and its column of B alone, not on where in C it is computed. */
static void a_part_of_c_has_the_bits_of_the_whole(void **state) {
    (void)state;
    enum { M = 61, N = 70, K = 300 };
    float *workspace = numbers_poisoned(DT_GEMM_WORKSPACE);
    for_each_kernels(kernels) for (int t = 0; t < 4; t++) {
        problem p = problem_of(t & 1, t & 2, M, N, K, false);
        sets[kernels_index]->multiply(&p.product, workspace);
        for (int64_t i = 0; i < M; i += 7)
            for (int64_t j = 0; j < N; j += 11) {
                float alone;
                dt_product one = p.product;
                one.m = one.n = 1;
                one.a += t & 1 ? i : i * one.a_stride;
                one.b += t & 2 ? j * one.b_stride : j;
                one.c = &alone;
                one.c_stride = 1;
                sets[kernels_index]->multiply(&one, workspace);
                assert_same_bits(kernels->name, "an element", &alone, p.c + i * p.product.c_stride + j, 1);
            }
        free_problem(&p);
    }
    free(workspace);
}

/* The product of steps [0, first) of k, then that of the rest, added to it. */
static void multiply_in_two(const problem *p, int64_t first, const struct dt_gemm *gemm, float *workspace) {
    dt_product start = p->product, rest = p->product;
    start.k = first;
    rest.k -= first;
    rest.a += rest.transpose_a ? first * rest.a_stride : first;
    rest.b += rest.transpose_b ? first : first * rest.b_stride;
    rest.add = true;
    if (gemm) {
        gemm->multiply(&start, workspace);
        gemm->multiply(&rest, workspace);
    } else {
        dt_matmul_sgemm(&start);
        dt_matmul_sgemm(&rest);
    }
}

/* Sums that go on from what stands in C have the bits of those that never stopped, wherever k is cut. */
static void a_sum_goes_on_where_it_stopped(void **state) {
    (void)state;
    const int64_t cuts[] = {1, 130, 1024, 1029};
    float *workspace = numbers_poisoned(DT_GEMM_WORKSPACE);
    for_each_kernels(kernels) for (int t = 0; t < 4; t++) {
        problem p = problem_of(t & 1, t & 2, 31, 70, 1030, false);
        const int64_t stride = p.product.c_stride;
        sets[kernels_index]->multiply(&p.product, workspace);
        float *whole = numbers_copy(p.c, p.product.m * stride);
        for (size_t c = 0; c < sizeof cuts / sizeof *cuts; c++) {
            numbers_poison(p.c, p.product.m * stride);
            multiply_in_two(&p, cuts[c], sets[kernels_index], workspace);
            for (int64_t i = 0; i < p.product.m; i++)
                assert_same_bits(kernels->name, "a row", p.c + i * stride, whole + i * stride, p.product.n);
        }
        free(whole);
        free_problem(&p);
    }
    free(workspace);
}

/* The yardstick computes the same product, at once and in two. */
static void the_yardstick_is_the_formula(void **state) {
    (void)state;
    assert_string_equal(dt_matmul_core(), "none");
    if (dt_matmul_open() != DT_OK) {
        print_message("skipped: %s\n", dt_error());
        skip();
    }
    assert_true(strlen(dt_matmul_core()) > 0);
    for (size_t s = 0; s < size_count; s++)
        for (int t = 0; t < 4; t++) {
            problem p = problem_of(t & 1, t & 2, sizes[s][0], sizes[s][1], sizes[s][2], false);
            dt_matmul_sgemm(&p.product);
            assert_solved(dt_matmul_core(), &p);
            if (p.product.k > 1)
                multiply_in_two(&p, p.product.k / 2, NULL, NULL);
            assert_solved(dt_matmul_core(), &p);
            free_problem(&p);
        }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_product_is_the_formula),
        cmocka_unit_test(how_far_rows_are_apart_changes_no_bit),
        cmocka_unit_test(a_part_of_c_has_the_bits_of_the_whole),
        cmocka_unit_test(a_sum_goes_on_where_it_stopped),
        cmocka_unit_test(the_yardstick_is_the_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
