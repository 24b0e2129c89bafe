/*
 * A linear layer on operands of bfloat16. Weights come in panels, packed once for all products that read
 * them; for the gradient of a weight it is dy that is packed, once a call, and x is turned around block by
 * block.
 */
#include <stddef.h>

#include "base/assert.h"
#include "base/bf16.h"
#include "base/minmax.h"
#include "math/gemm_bf16.h"
#include "math/grid.h"
#include "math/linear.h"
#include "math/panel_bf16.h"

#define gemm DT_ISA_NAME(dt_gemm_bf16)

#define COLS DT_PANEL_BF16_COLS
_Static_assert(COLS == DT_GRID_COLS, "a tile of the grid is a panel wide");

static const float *after(const float *bias, int64_t columns) {
    return bias ? bias + columns : NULL;
}

/* Rectangle `r` of a product's C. The panels are those of its columns on. */
static void multiply_rectangle(const dt_product_bf16 *x, const dt_grid_rectangle *r, float *workspace) {
    const int64_t size = x->rounded ? (int64_t)sizeof(uint16_t) : (int64_t)sizeof(float);
    dt_product_bf16 cut = *x;
    cut.m = r->rows;
    cut.n = r->cols;
    cut.a += x->transpose_a ? r->row : r->row * x->a_stride;
    cut.c = (char *)x->c + (r->row * x->c_stride + r->col) * size;
    cut.bias = after(x->bias, r->col);
    gemm.multiply(&cut, workspace);
}

/* The rectangles that `tiles` of a product's C make, one after the other. */
static void multiply(const dt_product_bf16 *x, dt_range tiles, float *workspace) {
    dt_grid_rectangle rectangles[DT_GRID_MAX_RECTANGLES];
    const int count = dt_grid_cut(x->m, x->n, tiles, rectangles);
    for (int i = 0; i < count; i++) {
        dt_product_bf16 of = *x;
        of.panels += rectangles[i].col / COLS * dt_panel_bf16_elements(x->k);
        multiply_rectangle(&of, &rectangles[i], workspace);
    }
}

static void forward(void *y, dt_result result, const dt_operand *x, const dt_weight *w, const float *bias,
                    const dt_linear_shape *s, dt_range tiles, float *workspace) {
    DT_ASSERT(dt_linear_shape_is_proper(s) && dt_range_is_within(tiles, dt_grid_tiles(s->rows, s->out)));
    DT_ASSERT_ALIGNED(w->panels);
    multiply(&(dt_product_bf16){.m = s->rows,
                                .n = s->out,
                                .k = s->in,
                                .a = x,
                                .a_stride = s->x_stride,
                                .panels = w->panels,
                                .c = y,
                                .c_stride = s->y_stride,
                                .rounded = result == DT_RESULT_OPERAND,
                                .bias = bias},
             tiles, workspace);
}

static void backward_input(void *dx, dt_result result, const dt_operand *dy, const dt_weight *w,
                           const dt_linear_shape *s, dt_range tiles, float *workspace) {
    DT_ASSERT(dt_linear_shape_is_proper(s) && dt_range_is_within(tiles, dt_grid_tiles(s->rows, s->in)));
    DT_ASSERT_ALIGNED(w->panels_t);
    multiply(&(dt_product_bf16){.m = s->rows,
                                .n = s->in,
                                .k = s->out,
                                .a = dy,
                                .a_stride = s->y_stride,
                                .panels = w->panels_t,
                                .c = dx,
                                .c_stride = s->x_stride,
                                .rounded = result == DT_RESULT_OPERAND},
             tiles, workspace);
}

/* The sums of `cols` of dy's rows; four rows at a time, each added by itself, so that the sums are read and
 * written a fourth as often. */
static void add_rows(float *restrict sum, const uint16_t *restrict dy, const dt_linear_shape *s,
                     dt_range cols) {
    int64_t i = 0;
    for (int64_t j = cols.first; j < cols.end; j++)
        sum[j] = 0.0f;
    for (; i + 4 <= s->rows; i += 4) {
        const uint16_t *r0 = dy + i * s->y_stride, *r1 = r0 + s->y_stride, *r2 = r1 + s->y_stride,
                       *r3 = r2 + s->y_stride;
        for (int64_t j = cols.first; j < cols.end; j++)
            sum[j] = sum[j] + dt_bf16_widen(r0[j]) + dt_bf16_widen(r1[j]) + dt_bf16_widen(r2[j]) +
                     dt_bf16_widen(r3[j]);
    }
    for (; i < s->rows; i++)
        for (int64_t j = cols.first; j < cols.end; j++)
            sum[j] += dt_bf16_widen(dy[i * s->y_stride + j]);
}

/* Elements of the panels of a block of dy. */
static int64_t block_elements(int64_t rows, int64_t out) {
    return dt_panel_bf16_count(out) * dt_panel_bf16_elements(dt_min(rows, DT_GEMM_BF16_K));
}

static void pack_rows(uint16_t *panels, const uint16_t *dy, int64_t stride, int64_t rows, int64_t out) {
    for (int64_t j = 0; j < out; j += COLS, panels += dt_panel_bf16_elements(rows))
        dt_panel_bf16_pack(panels, dy + j, stride, rows, dt_min(out - j, COLS));
}

/* Rectangle `r` of dw, over blocks of rows, each but the first added to what the ones before have made; the
 * first too where `add`. */
static void weigh_rectangle(float *dw, const uint16_t *x, const uint16_t *dy, const dt_linear_shape *s,
                            bool add, const dt_grid_rectangle *r, float *workspace) {
    uint16_t *panels = (uint16_t *)workspace;
    float *rest = workspace + block_elements(s->rows, s->out) / 2;
    for (int64_t first = 0; first < s->rows; first += DT_GEMM_BF16_K) {
        const int64_t rows = dt_min(s->rows - first, DT_GEMM_BF16_K);
        pack_rows(panels, dy + first * s->y_stride + r->col, s->y_stride, rows, r->cols);
        multiply_rectangle(&(dt_product_bf16){.transpose_a = true,
                                              .k = rows,
                                              .a = x + first * s->x_stride,
                                              .a_stride = s->x_stride,
                                              .panels = panels,
                                              .c = dw,
                                              .c_stride = s->out,
                                              .add = add || first > 0},
                           r, rest);
    }
}

static void backward_weight(float *dw, float *dbias, const dt_operand *x, const dt_operand *dy,
                            const dt_linear_shape *s, bool add, dt_range tiles, float *workspace) {
    DT_ASSERT(dt_linear_shape_is_proper(s) && dt_range_is_within(tiles, dt_grid_tiles(s->in, s->out)));
    DT_ASSERT(!add || dbias == NULL);
    dt_grid_rectangle rectangles[DT_GRID_MAX_RECTANGLES];
    const int count = dt_grid_cut(s->in, s->out, tiles, rectangles);
    for (int i = 0; i < count; i++)
        weigh_rectangle(dw, x, dy, s, add, &rectangles[i], workspace);
    if (dbias)
        add_rows(dbias, dy, s, dt_range_within(tiles.first * COLS, tiles.end * COLS, dt_range_all(s->out)));
}

static int64_t workspace_floats(int64_t rows, int64_t in, int64_t out) {
    const int64_t longer = in > out ? in : out, block = dt_min(rows, DT_GEMM_BF16_K);
    return block_elements(rows, out) / 2 + dt_gemm_bf16_workspace(longer > block ? longer : block);
}

static int64_t panels_bytes(int64_t in, int64_t out) {
    return dt_panel_bf16_count(out) * dt_panel_bf16_elements(in) * (int64_t)sizeof(uint16_t);
}

static int64_t panel_count(int64_t in, int64_t out) {
    (void)in;
    return dt_panel_bf16_count(out);
}

/* Two numbers as a pair in 32 bits, the even one in the lower half. */
static inline uint32_t pair_of(float even, float odd) {
    return (uint32_t)dt_bf16_round(odd) << 16 | dt_bf16_round(even);
}

/* A panel of columns [0, cols) of w[in, ..]: a pair is two numbers of a column. */
static void pack_columns(uint32_t *restrict panel, const float *restrict w, int64_t stride, int64_t in,
                         int64_t cols) {
    for (int64_t p = 0; p < in; p += 2, panel += COLS) {
        const float *even = w + p * stride, *odd = even + stride;
        if (cols == COLS && p + 1 < in)
            for (int64_t j = 0; j < COLS; j++)
                panel[j] = pair_of(even[j], odd[j]);
        else
            for (int64_t j = 0; j < COLS; j++)
                panel[j] = j < cols ? pair_of(even[j], p + 1 < in ? odd[j] : 0.0f) : 0;
    }
}

/* Pairs of a row that are rounded together, in vector code, before they are spread over the panel. */
#define SPREAD 32

/* A panel of w^T for rows [0, rows) of w[.., out]: a pair is two numbers of a row. */
static void pack_turned(uint32_t *restrict panel, const float *restrict w, int64_t rows, int64_t out) {
    for (int64_t p = 0; p < out; p += 2 * SPREAD) {
        const int64_t count = dt_min(out - p, 2 * SPREAD), pairs = (count + 1) / 2;
        for (int64_t j = 0; j < COLS; j++) {
            float row[2 * SPREAD] = {0};
            uint32_t made[SPREAD];
            for (int64_t l = 0; j < rows && l < count; l++)
                row[l] = w[j * out + p + l];
            for (int64_t l = 0; l < SPREAD; l++)
                made[l] = pair_of(row[2 * l], row[2 * l + 1]);
            for (int64_t l = 0; l < pairs; l++)
                panel[(p / 2 + l) * COLS + j] = made[l];
        }
    }
}

static void pack_weight(void *panels, const float *w, int64_t in, int64_t out, bool transposed,
                        dt_range which) {
    DT_ASSERT_ALIGNED(panels);
    DT_ASSERT(dt_range_is_within(which, dt_panel_bf16_count(transposed ? in : out)));
    const int64_t words = dt_panel_bf16_elements(transposed ? out : in) / 2;
    for (int64_t i = which.first; i < which.end; i++) {
        uint32_t *panel = (uint32_t *)panels + i * words;
        if (transposed)
            pack_turned(panel, w + i * COLS * out, dt_min(in - i * COLS, COLS), out);
        else
            pack_columns(panel, w + i * COLS, out, in, dt_min(out - i * COLS, COLS));
    }
}

const struct dt_linear DT_COMPUTE_NAME(dt_linear) = {.forward = forward,
                                                     .backward_input = backward_input,
                                                     .backward_weight = backward_weight,
                                                     .tiles = dt_grid_tiles,
                                                     .workspace_floats = workspace_floats,
                                                     .panels_bytes = panels_bytes,
                                                     .panel_count = panel_count,
                                                     .pack_weight = pack_weight};
