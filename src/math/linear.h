/**
 * A linear layer, y = x w + bias, with w[in, out] as GPT-2's files have it, and the two products of its
 * gradient. The head is one whose w is the token embedding [V, C], read the other way round: its logits are
 * this layer's input, and the last LayerNorm's output is this layer's output.
 */
#ifndef DT_MATH_LINEAR_H
#define DT_MATH_LINEAR_H

#include <stdbool.h>
#include <stdint.h>

#include "math/gemm.h"
#include "math/isa.h"
#include "math/operand.h"
#include "math/range.h"

/**
 * A matrix of weights as products take it. In fp32 they read `values`; in bf16 the panels, which hold the
 * values rounded, in the order in which products read them: `panels` for y, `panels_t` for dx.
 */
typedef struct dt_weight {
    const float *values; /**< [in, out] */
    const void *panels, *panels_t;
} dt_weight;

/** The sides of a call, and how many elements lie between the starts of two rows. */
typedef struct dt_linear_shape {
    int64_t rows, in, out;
    int64_t x_stride; /**< of x or dx, rows of `in` */
    int64_t y_stride; /**< of y or dy, rows of `out` */
} dt_linear_shape;

/** The shape of a call whose rows follow each other without a gap. Local. */
static inline dt_linear_shape dt_linear_dense(int64_t rows, int64_t in, int64_t out) {
    return (dt_linear_shape){rows, in, out, in, out};
}

/** Whether there is something in each side, and rows do not overlap. Local. */
static inline bool dt_linear_shape_is_proper(const dt_linear_shape *shape) {
    return shape->rows > 0 && shape->in > 0 && shape->out > 0 && shape->x_stride >= shape->in &&
           shape->y_stride >= shape->out;
}

/**
 * No output overlaps an input. `workspace` is scratch of workspace_floats floats. A y or dx is stored as
 * `result` says, its stride counted in elements of that type. What a call computes are `tiles` of its output,
 * of which there are tiles(rows, cols) for a matrix[rows, cols]. All functions are local.
 */
struct dt_linear {
    /** y[rows, out] = x[rows, in] w[in, out] + bias[out]; no bias where that is NULL. */
    void (*forward)(void *y, dt_result result, const dt_operand *x, const dt_weight *w, const float *bias,
                    const dt_linear_shape *shape, dt_range tiles, float *workspace);

    /** dx[rows, in] = dy[rows, out] w^T. */
    void (*backward_input)(void *dx, dt_result result, const dt_operand *dy, const dt_weight *w,
                           const dt_linear_shape *shape, dt_range tiles, float *workspace);

    /** dw[in, out] = x[rows, in]^T dy[rows, out]. With a tile of dw's first rows come the same columns of
     * dbias[out] = the sum of dy's rows, in their order; no dbias where that is NULL. With `add` the sums go
     * on from what stands in dw, and dbias is NULL: rows in blocks, one after the other, each but the last of
     * an even number of them, make the bits of all rows at once. */
    void (*backward_weight)(float *dw, float *dbias, const dt_operand *x, const dt_operand *dy,
                            const dt_linear_shape *shape, bool add, dt_range tiles, float *workspace);

    /** Into how many tiles a matrix[rows, cols] that is an output can be cut. */
    int64_t (*tiles)(int64_t rows, int64_t cols);

    /** Floats of workspace that any of the three needs for up to `rows` rows. */
    int64_t (*workspace_floats)(int64_t rows, int64_t in, int64_t out);

    /** Bytes of the panels of w[in, out], which start on a cache line; those of w^T take
     * panels_bytes(out, in). NULL in fp32, which has no panels. */
    int64_t (*panels_bytes)(int64_t in, int64_t out);

    /** How many panels w[in, out] has; those of w^T are panel_count(out, in). NULL in fp32. */
    int64_t (*panel_count)(int64_t in, int64_t out);

    /** Fills `which` of the panels of w[in, out], or with `transposed` of w^T. NULL in fp32. */
    void (*pack_weight)(void *panels, const float *w, int64_t in, int64_t out, bool transposed,
                        dt_range which);
};
DT_COMPUTE_DECLARE(dt_linear);

/** All tiles of y. Local. */
static inline dt_range dt_linear_all_y(const struct dt_linear *linear, const dt_linear_shape *shape) {
    return dt_range_all(linear->tiles(shape->rows, shape->out));
}

/** All tiles of dx. Local. */
static inline dt_range dt_linear_all_dx(const struct dt_linear *linear, const dt_linear_shape *shape) {
    return dt_range_all(linear->tiles(shape->rows, shape->in));
}

/** All tiles of dw. Local. */
static inline dt_range dt_linear_all_dw(const struct dt_linear *linear, const dt_linear_shape *shape) {
    return dt_range_all(linear->tiles(shape->in, shape->out));
}

/** The three products in fp32, whoever multiplies them: y[rows, out] = x[rows, in] w[in, out] + bias[out]; no
 * bias where that is NULL. Local. */
static inline dt_product dt_linear_y_product(float *y, const float *x, const float *w, const float *bias,
                                             const dt_linear_shape *s) {
    return (dt_product){.m = s->rows,
                        .n = s->out,
                        .k = s->in,
                        .a = x,
                        .a_stride = s->x_stride,
                        .b = w,
                        .b_stride = s->out,
                        .c = y,
                        .c_stride = s->y_stride,
                        .bias = bias};
}

/** dx[rows, in] = dy[rows, out] w[in, out]^T. Local. */
static inline dt_product dt_linear_dx_product(float *dx, const float *dy, const float *w,
                                              const dt_linear_shape *s) {
    return (dt_product){.transpose_b = true,
                        .m = s->rows,
                        .n = s->in,
                        .k = s->out,
                        .a = dy,
                        .a_stride = s->y_stride,
                        .b = w,
                        .b_stride = s->out,
                        .c = dx,
                        .c_stride = s->x_stride};
}

/** dw[in, out] = x[rows, in]^T dy[rows, out], or += with `add`. Local. */
static inline dt_product dt_linear_dw_product(float *dw, const float *x, const float *dy,
                                              const dt_linear_shape *s, bool add) {
    return (dt_product){.transpose_a = true,
                        .m = s->in,
                        .n = s->out,
                        .k = s->rows,
                        .a = x,
                        .a_stride = s->x_stride,
                        .b = dy,
                        .b_stride = s->y_stride,
                        .c = dw,
                        .c_stride = s->out,
                        .add = add};
}

#endif
