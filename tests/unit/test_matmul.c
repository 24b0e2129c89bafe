/* Every matrix product against the same sums in double: shapes, strides and transposes are what can go wrong.
 */
#include "math/matmul.h"
#include "support/numbers.h"
#include "support/reference.h"

/* The kernels of OpenBLAS do not follow our sets; its own name is said on failure. */
#define SET dt_matmul_core()

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

/* C = alpha op(A) op(B) + beta C, with rows further apart than they are long. With beta 0, C is NaN before.
 */
static void check_gemm(bool ta, bool tb, int64_t m, int64_t n, int64_t k, float alpha, float beta) {
    const int64_t lda = (ta ? m : k) + 3, ldb = (tb ? k : n) + 1, ldc = n + 2;
    float *a = matrix(ta ? k : m, ta ? m : k, lda, 1), *b = matrix(tb ? n : k, tb ? k : n, ldb, 2);
    float *c = beta == 0.0f ? numbers_poisoned(m * ldc) : matrix(m, n, ldc, 3),
          *before = numbers_copy(c, m * ldc);
    double *expected = numbers_wide(m * n);
    float *found = numbers_poisoned(m * n);
    for (int64_t i = 0; i < m; i++)
        for (int64_t j = 0; j < n; j++) {
            double sum = 0.0;
            for (int64_t l = 0; l < k; l++)
                sum += (double)(ta ? a[l * lda + i] : a[i * lda + l]) *
                       (double)(tb ? b[j * ldb + l] : b[l * ldb + j]);
            expected[i * n + j] = (double)alpha * sum;
            if (beta != 0.0f)
                expected[i * n + j] += (double)beta * (double)before[i * ldc + j];
        }
    dt_matmul_gemm(ta, tb, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
    for (int64_t i = 0; i < m; i++) {
        memcpy(found + i * n, c + i * ldc, (size_t)n * sizeof *found);
        assert_true(isnan(c[i * ldc + n]) && isnan(c[i * ldc + n + 1])); /* nothing is written beside C */
    }
    assert_close(SET, "c", found, expected, m * n, tolerance_of(k));
    free(a);
    free(b);
    free(c);
    free(before);
    free(expected);
    free(found);
}

static void gemm_is_the_formula(void **state) {
    (void)state;
    const int64_t sizes[][3] = {{1, 1, 1}, {1, 99, 33}, {17, 5, 64}, {64, 65, 7}, {40, 99, 200}};
    for (size_t s = 0; s < sizeof sizes / sizeof *sizes; s++)
        for (int t = 0; t < 4; t++) {
            check_gemm(t & 1, t & 2, sizes[s][0], sizes[s][1], sizes[s][2], 1.0f, 0.0f);
            check_gemm(t & 1, t & 2, sizes[s][0], sizes[s][1], sizes[s][2], -0.3f, 1.0f);
        }
}

static const struct {
    int64_t rows, in, out;
} shapes[] = {{1, 1, 1}, {1, 16, 48}, {7, 20, 33}, {65, 48, 192}, {130, 33, 99}};
static const int shape_count = (int)(sizeof shapes / sizeof *shapes);

/* y = x w and y = x w + bias; y is NaN before. */
static void forward_is_the_formula(void **state) {
    (void)state;
    for (int s = 0; s < shape_count; s++) {
        const int64_t rows = shapes[s].rows, in = shapes[s].in, out = shapes[s].out;
        float *x = numbers_random(rows * in, 1, 1.0), *w = numbers_random(in * out, 2, 1.0);
        float *bias = numbers_random(out, 3, 1.0), *y = numbers_poisoned(rows * out);
        double *wx = numbers_widen(x, rows * in), *ww = numbers_widen(w, in * out),
               *wb = numbers_widen(bias, out);
        double *plain = numbers_wide(rows * out), *biased = numbers_wide(rows * out);
        reference_linear(plain, wx, ww, NULL, rows, in, out);
        reference_linear(biased, wx, ww, wb, rows, in, out);
        dt_matmul_forward(y, x, w, rows, in, out);
        assert_close(SET, "y", y, plain, rows * out, tolerance_of(in));
        numbers_poison(y, rows * out);
        dt_matmul_forward_bias(y, x, w, bias, rows, in, out);
        assert_close(SET, "y with bias", y, biased, rows * out, tolerance_of(in));
        void *blocks[] = {x, w, bias, y, wx, ww, wb, plain, biased};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            free(blocks[i]);
    }
}

/* dx = dy w^T, dw = x^T dy, dbias = the column sums of dy: the products of the chain rule, all NaN before. */
static void backward_is_the_formula(void **state) {
    (void)state;
    for (int s = 0; s < shape_count; s++) {
        const int64_t rows = shapes[s].rows, in = shapes[s].in, out = shapes[s].out;
        float *x = numbers_random(rows * in, 1, 1.0), *w = numbers_random(in * out, 2, 1.0);
        float *dy = numbers_random(rows * out, 3, 1.0), *dx = numbers_poisoned(rows * in);
        float *dw = numbers_poisoned(in * out), *dbias = numbers_poisoned(out);
        double *dx_expected = calloc((size_t)(rows * in), sizeof(double));
        double *dw_expected = calloc((size_t)(in * out), sizeof(double));
        double *dbias_expected = calloc((size_t)out, sizeof(double));
        for (int64_t i = 0; i < rows; i++)
            for (int64_t o = 0; o < out; o++) {
                const double d = (double)dy[i * out + o];
                dbias_expected[o] += d;
                for (int64_t l = 0; l < in; l++) {
                    dx_expected[i * in + l] += d * (double)w[l * out + o];
                    dw_expected[l * out + o] += d * (double)x[i * in + l];
                }
            }
        dt_matmul_backward_input(dx, dy, w, rows, in, out);
        dt_matmul_backward_weight(dw, dbias, x, dy, rows, in, out);
        assert_close(SET, "dx", dx, dx_expected, rows * in, tolerance_of(out));
        assert_close(SET, "dw", dw, dw_expected, in * out, tolerance_of(rows));
        assert_close(SET, "dbias", dbias, dbias_expected, out, tolerance_of(rows));
        void *blocks[] = {x, w, dy, dx, dw, dbias, dx_expected, dw_expected, dbias_expected};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            free(blocks[i]);
    }
}

static void the_core_has_a_name(void **state) {
    (void)state;
    assert_true(strlen(dt_matmul_core()) > 0);
    print_message("OpenBLAS picked %s\n", dt_matmul_core());
}

int main(void) {
    dt_matmul_prepare();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_core_has_a_name),
        cmocka_unit_test(gemm_is_the_formula),
        cmocka_unit_test(forward_is_the_formula),
        cmocka_unit_test(backward_is_the_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
