/* Three products, a bias that is added afterwards, and a sum of columns. */
#include "math/linear_blas.h"

#include <stddef.h>

#include "base/assert.h"
#include "math/bias.h"
#include "math/matmul.h"

/* y += bias in each row. */
static void add_bias(float *y, int64_t stride, const float *bias, int64_t rows, int64_t cols) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t j = 0; j < cols; j++)
            y[i * stride + j] += bias[j];
}

static void forward(void *y, dt_result result, const dt_operand *x, const dt_weight *w, const float *bias,
                    const dt_linear_shape *s, dt_range tiles, float *workspace) {
    DT_ASSERT(dt_linear_shape_is_proper(s) && dt_range_is_within(tiles, 1));
    (void)result, (void)workspace;
    if (tiles.first == tiles.end)
        return;
    const dt_product product = dt_linear_y_product(y, x, w->values, NULL, s);
    dt_matmul_sgemm(&product);
    if (bias)
        add_bias(y, s->y_stride, bias, s->rows, s->out);
}

static void backward_input(void *dx, dt_result result, const dt_operand *dy, const dt_weight *w,
                           const dt_linear_shape *s, dt_range tiles, float *workspace) {
    DT_ASSERT(dt_linear_shape_is_proper(s) && dt_range_is_within(tiles, 1));
    (void)result, (void)workspace;
    if (tiles.first == tiles.end)
        return;
    const dt_product product = dt_linear_dx_product(dx, dy, w->values, s);
    dt_matmul_sgemm(&product);
}

static void backward_weight(float *dw, float *dbias, const dt_operand *x, const dt_operand *dy,
                            const dt_linear_shape *s, bool add, dt_range tiles, float *workspace) {
    DT_ASSERT(dt_linear_shape_is_proper(s) && dt_range_is_within(tiles, 1));
    (void)workspace;
    DT_ASSERT(!add || dbias == NULL);
    if (tiles.first == tiles.end)
        return;
    const dt_product product = dt_linear_dw_product(dw, x, dy, s, add);
    dt_matmul_sgemm(&product);
    if (dbias)
        dt_bias_gradient(dbias, dy, s->rows, s->y_stride, dt_range_all(s->out));
}

static int64_t count_tiles(int64_t rows, int64_t cols) {
    (void)rows, (void)cols;
    return 1;
}

/* As much as the other needs, so that either can stand in for the other, as bench has it. */
static int64_t workspace_floats(int64_t rows, int64_t in, int64_t out) {
    (void)rows, (void)in, (void)out;
    return DT_GEMM_WORKSPACE;
}

const struct dt_linear dt_linear_blas = {.forward = forward,
                                         .backward_input = backward_input,
                                         .backward_weight = backward_weight,
                                         .tiles = count_tiles,
                                         .workspace_floats = workspace_floats};
