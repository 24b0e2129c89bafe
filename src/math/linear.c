/* Three products and a sum of columns. A single row is bound by reading w, and has kernels of its own. */
#include "math/linear.h"

#include <stddef.h>

#include "base/assert.h"
#include "math/bias.h"
#include "math/grid.h"
#include "math/matvec.h"

#define gemm   DT_ISA_NAME(dt_gemm)
#define matvec DT_ISA_NAME(dt_matvec)

static const float *after(const float *bias, int64_t columns) {
    return bias ? bias + columns : NULL;
}

/* The rectangles that `tiles` of a product's C make, one after the other. */
static void multiply(const dt_product *x, dt_range tiles, float *workspace) {
    dt_grid_rectangle rectangles[DT_GRID_MAX_RECTANGLES];
    const int count = dt_grid_cut(x->m, x->n, tiles, rectangles);
    for (int i = 0; i < count; i++) {
        const dt_grid_rectangle *r = &rectangles[i];
        dt_product cut = *x;
        cut.m = r->rows;
        cut.n = r->cols;
        cut.a += x->transpose_a ? r->row : r->row * x->a_stride;
        cut.b += x->transpose_b ? r->col * x->b_stride : r->col;
        cut.c += r->row * x->c_stride + r->col;
        cut.bias = after(x->bias, r->col);
        gemm.multiply(&cut, workspace);
    }
}

/* The columns that `tiles` of a single row are. */
static dt_range columns(int64_t count, dt_range tiles) {
    return dt_range_within(tiles.first * DT_GRID_COLS, tiles.end * DT_GRID_COLS, dt_range_all(count));
}

static void forward(void *y, dt_result result, const dt_operand *x, const dt_weight *w, const float *bias,
                    const dt_linear_shape *s, dt_range tiles, float *workspace) {
    DT_ASSERT(dt_linear_shape_is_proper(s) && dt_range_is_within(tiles, dt_grid_tiles(s->rows, s->out)));
    (void)result;
    const dt_product product = dt_linear_y_product(y, x, w->values, bias, s);
    if (s->rows == 1)
        matvec.forward(y, x, w->values, bias, s->in, s->out, columns(s->out, tiles));
    else
        multiply(&product, tiles, workspace);
}

static void backward_input(void *dx, dt_result result, const dt_operand *dy, const dt_weight *w,
                           const dt_linear_shape *s, dt_range tiles, float *workspace) {
    DT_ASSERT(dt_linear_shape_is_proper(s) && dt_range_is_within(tiles, dt_grid_tiles(s->rows, s->in)));
    (void)result;
    const dt_product product = dt_linear_dx_product(dx, dy, w->values, s);
    if (s->rows == 1)
        matvec.transposed(dx, dy, w->values, columns(s->in, tiles), s->out);
    else
        multiply(&product, tiles, workspace);
}

static void backward_weight(float *dw, float *dbias, const dt_operand *x, const dt_operand *dy,
                            const dt_linear_shape *s, bool add, dt_range tiles, float *workspace) {
    DT_ASSERT(dt_linear_shape_is_proper(s) && dt_range_is_within(tiles, dt_grid_tiles(s->in, s->out)));
    DT_ASSERT(!add || dbias == NULL);
    const dt_product product = dt_linear_dw_product(dw, x, dy, s, add);
    multiply(&product, tiles, workspace);
    if (dbias)
        dt_bias_gradient(dbias, dy, s->rows, s->y_stride, columns(s->out, tiles));
}

static int64_t workspace_floats(int64_t rows, int64_t in, int64_t out) {
    (void)rows, (void)in, (void)out;
    return DT_GEMM_WORKSPACE;
}

const struct dt_linear DT_COMPUTE_NAME(dt_linear) = {.forward = forward,
                                                     .backward_input = backward_input,
                                                     .backward_weight = backward_weight,
                                                     .tiles = dt_grid_tiles,
                                                     .workspace_floats = workspace_floats};
