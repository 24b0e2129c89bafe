/* A linear layer and its gradient against the formulas in double. */
#include "math/kernels.h"
#include "math/matmul.h"
#include "support/numbers.h"
#include "support/reference.h"

/* A sum of k products goes wrong by at most k eps of its terms, and by some 4 sqrt(k) eps as errors come. */
static double tolerance_of(int64_t k) {
    return 4.0 * sqrt((double)k) * (double)FLT_EPSILON;
}

typedef struct sizes {
    int64_t rows, in, out;
} sizes;

static const sizes shapes[] = {{1, 1, 1}, {1, 16, 48}, {7, 20, 33}, {65, 48, 192}, {130, 33, 99}};
static const int shape_count = (int)(sizeof shapes / sizeof *shapes);

/* What both directions are given. */
typedef struct layer {
    dt_linear_shape shape;
    float *x, *w;
    dt_weight weight; /* reads w */
} layer;

static layer make_layer(const sizes *s) {
    layer l = {.shape = dt_linear_dense(s->rows, s->in, s->out),
               .x = numbers_random(s->rows * s->in, 1, 1.0),
               .w = numbers_random(s->in * s->out, 2, 1.0)};
    l.weight = (dt_weight){.values = l.w};
    return l;
}

static void free_layer(layer *l) {
    free(l->x);
    free(l->w);
}

/* y = x w and y = x w + bias; y is NaN before. */
static void check_forward(const dt_kernels *k) {
    float *workspace = numbers_poisoned(DT_GEMM_WORKSPACE);
    for (int s = 0; s < shape_count; s++) {
        const int64_t rows = shapes[s].rows, in = shapes[s].in, out = shapes[s].out;
        layer l = make_layer(&shapes[s]);
        float *bias = numbers_random(out, 3, 1.0), *y = numbers_poisoned(rows * out);
        double *wx = numbers_widen(l.x, rows * in), *ww = numbers_widen(l.w, in * out),
               *wb = numbers_widen(bias, out);
        double *plain = numbers_wide(rows * out), *biased = numbers_wide(rows * out);
        reference_linear(plain, wx, ww, NULL, rows, in, out);
        reference_linear(biased, wx, ww, wb, rows, in, out);
        k->linear->forward(y, DT_RESULT_FLOAT, l.x, &l.weight, NULL, &l.shape,
                           dt_linear_all_y(k->linear, &l.shape), workspace);
        assert_close(k->name, "y", y, plain, rows * out, tolerance_of(in));
        numbers_poison(y, rows * out);
        k->linear->forward(y, DT_RESULT_FLOAT, l.x, &l.weight, bias, &l.shape,
                           dt_linear_all_y(k->linear, &l.shape), workspace);
        assert_close(k->name, "y with bias", y, biased, rows * out, tolerance_of(in));
        void *blocks[] = {bias, y, wx, ww, wb, plain, biased};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            free(blocks[i]);
        free_layer(&l);
    }
    free(workspace);
}

/* dx = dy w^T, dw = x^T dy, dbias = the column sums of dy: the products of the chain rule, all NaN before. */
static void check_backward(const dt_kernels *k) {
    float *workspace = numbers_poisoned(DT_GEMM_WORKSPACE);
    for (int s = 0; s < shape_count; s++) {
        const int64_t rows = shapes[s].rows, in = shapes[s].in, out = shapes[s].out;
        layer l = make_layer(&shapes[s]);
        float *dy = numbers_random(rows * out, 3, 1.0), *dx = numbers_poisoned(rows * in);
        float *dw = numbers_poisoned(in * out), *dbias = numbers_poisoned(out);
        double *dx_expected = calloc((size_t)(rows * in), sizeof(double));
        double *dw_expected = calloc((size_t)(in * out), sizeof(double));
        double *dbias_expected = calloc((size_t)out, sizeof(double));
        for (int64_t i = 0; i < rows; i++)
            for (int64_t o = 0; o < out; o++) {
                const double d = (double)dy[i * out + o];
                dbias_expected[o] += d;
                for (int64_t c = 0; c < in; c++) {
                    dx_expected[i * in + c] += d * (double)l.w[c * out + o];
                    dw_expected[c * out + o] += d * (double)l.x[i * in + c];
                }
            }
        k->linear->backward_input(dx, DT_RESULT_FLOAT, dy, &l.weight, &l.shape,
                                  dt_linear_all_dx(k->linear, &l.shape), workspace);
        k->linear->backward_weight(dw, dbias, l.x, dy, &l.shape, false, dt_linear_all_dw(k->linear, &l.shape),
                                   workspace);
        assert_close(k->name, "dx", dx, dx_expected, rows * in, tolerance_of(out));
        assert_close(k->name, "dw", dw, dw_expected, in * out, tolerance_of(rows));
        assert_close(k->name, "dbias", dbias, dbias_expected, out, tolerance_of(rows));
        void *blocks[] = {dy, dx, dw, dbias, dx_expected, dw_expected, dbias_expected};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            free(blocks[i]);
        free_layer(&l);
    }
    free(workspace);
}

static void forward_is_the_formula(void **state) {
    (void)state;
    for_each_kernels(k) check_forward(k);
}

static void backward_is_the_formula(void **state) {
    (void)state;
    for_each_kernels(k) check_backward(k);
}

/* The same by OpenBLAS, whose products are never cut. */
static void openblas_is_the_formula(void **state) {
    (void)state;
    if (dt_matmul_open() != DT_OK) {
        print_message("skipped: %s\n", dt_error());
        skip();
    }
    const dt_kernels *k = dt_kernels_blas();
    check_forward(k);
    check_backward(k);
    assert_int_equal(k->linear->tiles(1000, 1000), 1);
    char name[DT_MATMUL_NAME_BYTES];
    dt_matmul_name(name);
    assert_non_null(strstr(name, "OpenBLAS 0."));
    assert_non_null(strstr(name, dt_matmul_core()));
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_formula),
        cmocka_unit_test(backward_is_the_formula),
        cmocka_unit_test(openblas_is_the_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
