/* A linear layer of one row, both ways round, against the formula in double. */
#include "math/gemm.h"
#include "math/kernels.h"
#include "support/numbers.h"
#include "support/reference.h"

/* In the order of dt_kernels_get. */
#define GEMM(isa, nothing) &dt_gemm_##isa,
static const struct dt_gemm *const sets[DT_KERNELS_SETS] = {DT_ISA_EACH(GEMM, )};

/* Sizes that are and are not whole numbers of a vector and of the blocks that a sum is cut into. */
static const struct {
    int64_t in, out;
} shapes[] = {{1, 1}, {8, 16}, {7, 33}, {20, 99}, {65, 192}, {256, 768}, {600, 1100}};

/* A sum of k products goes wrong by at most k eps of its terms, and by some 4 sqrt(k) eps as errors come. */
static double tolerance_of(int64_t k) {
    return 4.0 * sqrt((double)k) * (double)FLT_EPSILON;
}

/* y = bias + x w, without bias where it is NULL; y is NaN before. */
static void forward_is_the_formula(void **state) {
    (void)state;
    for_each_kernels(k) for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int64_t in = shapes[s].in, out = shapes[s].out;
        float *x = numbers_random(in, 1, 1.0), *w = numbers_random(in * out, 2, 1.0);
        float *bias = numbers_random(out, 3, 1.0), *y = numbers_poisoned(out);
        float *same = numbers_poisoned(out), *workspace = numbers_poisoned(DT_GEMM_WORKSPACE);
        double *wx = numbers_widen(x, in), *ww = numbers_widen(w, in * out), *wb = numbers_widen(bias, out);
        double *expected = numbers_wide(out);
        reference_linear(expected, wx, ww, NULL, 1, in, out);
        const dt_weight weight = {.values = w};
        const dt_linear_shape shape = dt_linear_dense(1, in, out);
        k->linear->forward(y, DT_RESULT_FLOAT, x, &weight, NULL, &shape, dt_linear_all_y(k->linear, &shape),
                           workspace);
        assert_close(k->name, "y", y, expected, out, tolerance_of(in));
        numbers_poison(y, out);
        reference_linear(expected, wx, ww, wb, 1, in, out);
        k->linear->forward(y, DT_RESULT_FLOAT, x, &weight, bias, &shape, dt_linear_all_y(k->linear, &shape),
                           workspace);
        assert_close(k->name, "y with bias", y, expected, out, tolerance_of(in));
        sets[k_index]->multiply(&(dt_product){.m = 1,
                                              .n = out,
                                              .k = in,
                                              .a = x,
                                              .a_stride = in,
                                              .b = w,
                                              .b_stride = out,
                                              .c = same,
                                              .c_stride = out,
                                              .bias = bias},
                                workspace);
        assert_same_bits(k->name, "y with bias, as a product", y, same, out);
        void *blocks[] = {x, w, bias, y, same, workspace, wx, ww, wb, expected};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            free(blocks[i]);
    }
}

/* y[r] = sum of w[r, i] x[i]. */
static void transposed_is_the_formula(void **state) {
    (void)state;
    for_each_kernels(k) for (size_t s = 0; s < sizeof shapes / sizeof *shapes; s++) {
        const int64_t in = shapes[s].in, rows = shapes[s].out;
        float *x = numbers_random(in, 4, 1.0), *w = numbers_random(rows * in, 5, 1.0),
              *y = numbers_poisoned(rows);
        double *expected = numbers_wide(rows);
        for (int64_t r = 0; r < rows; r++) {
            expected[r] = 0.0;
            for (int64_t i = 0; i < in; i++)
                expected[r] += (double)w[r * in + i] * (double)x[i];
        }
        const dt_linear_shape shape = dt_linear_dense(1, rows, in);
        k->linear->backward_input(y, DT_RESULT_FLOAT, x, &(dt_weight){.values = w}, &shape,
                                  dt_linear_all_dx(k->linear, &shape), NULL);
        assert_close(k->name, "y", y, expected, rows, tolerance_of(in));
        void *blocks[] = {x, w, y, expected};
        for (size_t i = 0; i < sizeof blocks / sizeof *blocks; i++)
            free(blocks[i]);
    }
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_formula),
        cmocka_unit_test(transposed_is_the_formula),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
