/* LayerNorm against its formula in double, its gradients against central differences of that formula. */
#include "support/numbers.h"
#include "support/reference.h"

static const struct { int64_t rows, C; } shapes[] = {{1, 1}, {4, 2}, {3, 16}, {5, 37}, {2, 64}, {2, 129}};
static const int shape_count = (int)(sizeof shapes / sizeof *shapes);

/*
 * y, mean and rstd. Sums of C terms in float go wrong by less than C eps of their terms, in vector code by
 * far less; 16 eps of the largest holds for these widths. `shift` puts the rows away from 0, where x - mean
 * loses |shift| eps.
 */
static void check_forward(const dt_kernels *k, int64_t rows, int64_t C, float shift) {
    const int64_t n = rows * C;
    const double tolerance = (16.0 + 8.0 * (double)shift) * (double)FLT_EPSILON;
    float *x = numbers_random(n, 1, 2.0), *weight = numbers_random(C, 2, 1.0),
          *bias = numbers_random(C, 3, 1.0);
    for (int64_t i = 0; i < n; i++)
        x[i] += shift;
    float *y = numbers_poisoned(n), *mean = numbers_poisoned(rows), *rstd = numbers_poisoned(rows);
    double *wx = numbers_widen(x, n), *ww = numbers_widen(weight, C), *wb = numbers_widen(bias, C);
    double *expected = numbers_wide(n);
    k->layernorm->forward(y, mean, rstd, x, weight, bias, dt_range_all(rows), C);
    reference_layernorm(expected, wx, ww, wb, rows, C);
    assert_close(k->name, "y", y, expected, n, tolerance);
    for (int64_t i = 0; i < rows; i++) {
        double m = 0.0, v = 0.0;
        for (int64_t c = 0; c < C; c++)
            m += wx[i * C + c] / (double)C;
        for (int64_t c = 0; c < C; c++)
            v += (wx[i * C + c] - m) * (wx[i * C + c] - m) / (double)C;
        if (!(fabs((double)mean[i] - m) <= 8.0 * (double)FLT_EPSILON * (2.0 + (double)shift)))
            fail_msg("%s: mean[%" PRId64 "] is %.9g, expected %.9g", k->name, i, (double)mean[i], m);
        assert_near(k->name, "rstd", (double)rstd[i], 1.0 / sqrt(v + 1e-5), tolerance);
    }
    free(x);
    free(weight);
    free(bias);
    free(y);
    free(mean);
    free(rstd);
    free(wx);
    free(ww);
    free(wb);
    free(expected);
}

static void forward_is_the_formula(void **state) {
    (void)state;
    for_each_kernels(k) for (int s = 0; s < shape_count; s++) {
        check_forward(k, shapes[s].rows, shapes[s].C, 0.0f);
        check_forward(k, shapes[s].rows, shapes[s].C, 100.0f);
    }
}

/* A row of equal numbers has variance 0: eps keeps it from dividing by 0, and y is the bias. */
static void a_constant_row_gives_the_bias(void **state) {
    (void)state;
    enum { C = 24 };
    float x[C], weight[C], y[C], mean, rstd, *bias = numbers_random(C, 3, 1.0);
    for (int c = 0; c < C; c++) {
        x[c] = 0.75f;
        weight[c] = 2.0f;
    }
    for_each_kernels(k) {
        k->layernorm->forward(y, &mean, &rstd, x, weight, bias, dt_range_all(1), C);
        assert_same_bits(k->name, "y", y, bias, C);
        assert_near(k->name, "rstd", (double)rstd, 1.0 / sqrt(1e-5), 4.0 * (double)FLT_EPSILON);
    }
    free(bias);
}

/* The scalar whose gradient is wanted: sum(dy y), as a function of x, weight and bias. */
typedef struct problem {
    int64_t rows, C;
    double *x, *weight, *bias, *dy, *y;
} problem;

static double objective(void *context) {
    const problem *p = context;
    double sum = 0.0;
    reference_layernorm(p->y, p->x, p->weight, p->bias, p->rows, p->C);
    for (int64_t i = 0; i < p->rows * p->C; i++)
        sum += p->dy[i] * p->y[i];
    return sum;
}

static double *slopes(problem *p, double *variable, int64_t count) {
    double *slope = numbers_wide(count);
    for (int64_t i = 0; i < count; i++)
        slope[i] = reference_slope(&variable[i], objective, p);
    return slope;
}

/*
 * dx is added to what stands in it, dweight and dbias are written whole. Rounding as in the forward pass,
 * twice over: 32 eps of the largest. x has deviation 2, so no row has a variance whose third derivatives
 * upset the differences.
 */
static void check_backward(int64_t rows, int64_t C) {
    const int64_t n = rows * C;
    const double tolerance = 32.0 * (double)FLT_EPSILON;
    float *x = numbers_random(n, 4, 2.0), *weight = numbers_random(C, 5, 1.0),
          *dy = numbers_random(n, 6, 1.0);
    float *bias = numbers_random(C, 7, 1.0), *before = numbers_random(n, 8, 1.0);
    problem p = {rows,
                 C,
                 numbers_widen(x, n),
                 numbers_widen(weight, C),
                 numbers_widen(bias, C),
                 numbers_widen(dy, n),
                 numbers_wide(n)};
    double *dx_expected = slopes(&p, p.x, n), *dweight_expected = slopes(&p, p.weight, C),
           *dbias_expected = slopes(&p, p.bias, C);
    for (int64_t i = 0; i < n; i++)
        dx_expected[i] += (double)before[i];
    for_each_kernels(k) {
        float *y = numbers_poisoned(n), *mean = numbers_poisoned(rows), *rstd = numbers_poisoned(rows);
        float *dx = numbers_copy(before, n), *dweight = numbers_poisoned(C), *dbias = numbers_poisoned(C);
        k->layernorm->forward(y, mean, rstd, x, weight, bias, dt_range_all(rows), C);
        k->layernorm->backward(dx, dweight, dbias, dy, x, mean, rstd, weight, rows, C,
                               &(dt_layernorm_ranges){dt_range_all(rows), dt_range_all(C)});
        assert_close(k->name, "dx", dx, dx_expected, n, tolerance);
        assert_close(k->name, "dbias", dbias, dbias_expected, C, tolerance);
        if (C > 1) /* of a row of one number the normalised number is 0, and so is its weight's gradient */
            assert_close(k->name, "dweight", dweight, dweight_expected, C, tolerance);
        else
            assert_true(dweight[0] == 0.0f);
        free(y);
        free(mean);
        free(rstd);
        free(dx);
        free(dweight);
        free(dbias);
    }
    float *floats[] = {x, weight, dy, bias, before};
    for (size_t i = 0; i < sizeof floats / sizeof *floats; i++)
        free(floats[i]);
    double *doubles[] = {p.x, p.weight, p.bias, p.dy, p.y, dx_expected, dweight_expected, dbias_expected};
    for (size_t i = 0; i < sizeof doubles / sizeof *doubles; i++)
        free(doubles[i]);
}

static void backward_is_the_slope(void **state) {
    (void)state;
    for (int s = 0; s < shape_count; s++)
        check_backward(shapes[s].rows, shapes[s].C);
}

int main(void) {
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(forward_is_the_formula),
        cmocka_unit_test(a_constant_row_gives_the_bias),
        cmocka_unit_test(backward_is_the_slope),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
