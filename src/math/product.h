/**
 * A matrix product in fp32: what is multiplied, what is promised of it, and where a panel of B stands. All
 * functions are local.
 */
#ifndef DT_MATH_PRODUCT_H
#define DT_MATH_PRODUCT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/assert.h"
#include "base/minmax.h"
#include "math/tile.h"

/** C[m, n] = op(A)[m, k] op(B)[k, n] + bias, or += with `add`, with row strides; op transposes where asked.
 */
typedef struct dt_product {
    bool transpose_a, transpose_b;
    int64_t m, n, k; /**< each at least 1 */
    const float *a;
    int64_t a_stride;
    const float *b;
    int64_t b_stride;
    float *c; /**< overlaps none of the others */
    int64_t c_stride;
    const float *bias; /**< [n], added to every row; NULL for none */
    bool add;          /**< start from what stands in C, instead of from zero */
} dt_product;

/** Bytes of a matrix in memory. */
static inline int64_t dt_product_bytes(int64_t rows, int64_t cols, int64_t stride) {
    return dt_assert_extent(rows, cols, stride) * (int64_t)sizeof(float);
}

/** How A and B stand in memory. */
static inline int64_t dt_product_a_rows(const dt_product *x) {
    return x->transpose_a ? x->k : x->m;
}

static inline int64_t dt_product_a_cols(const dt_product *x) {
    return x->transpose_a ? x->m : x->k;
}

static inline int64_t dt_product_b_rows(const dt_product *x) {
    return x->transpose_b ? x->n : x->k;
}

static inline int64_t dt_product_b_cols(const dt_product *x) {
    return x->transpose_b ? x->k : x->n;
}

/** Checks what dt_product asks of a product. */
static inline void dt_product_assert_proper(const dt_product *x) {
    DT_ASSERT(x->m > 0 && x->n > 0 && x->k > 0);
    DT_ASSERT(x->a_stride >= dt_product_a_cols(x) && x->b_stride >= dt_product_b_cols(x) &&
              x->c_stride >= x->n);
    DT_ASSERT_APART(x->c, dt_product_bytes(x->m, x->n, x->c_stride), x->a,
                    dt_product_bytes(dt_product_a_rows(x), dt_product_a_cols(x), x->a_stride));
    DT_ASSERT_APART(x->c, dt_product_bytes(x->m, x->n, x->c_stride), x->b,
                    dt_product_bytes(dt_product_b_rows(x), dt_product_b_cols(x), x->b_stride));
}

/** Where a panel of B is: `count` rows of `floats` each. */
typedef struct dt_product_panel {
    const float *at;
    int64_t stride, count, floats;
} dt_product_panel;

/** Steps [p, p + k) of the columns of op(B) from j on, of which there may be none. */
static inline dt_product_panel dt_product_panel_of(const dt_product *x, int64_t p, int64_t k, int64_t j) {
    const int64_t cols = dt_min(x->n - j, DT_TILE_COLS);
    if (x->transpose_b)
        return (dt_product_panel){x->b + j * x->b_stride + p, x->b_stride, cols, k};
    return (dt_product_panel){x->b + p * x->b_stride + j, x->b_stride, cols > 0 ? k : 0, cols};
}

#endif
