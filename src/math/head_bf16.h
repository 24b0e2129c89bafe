/**
 * One head of attention in bfloat16: what of it scratch holds, and the four products of its passes.
 *
 *     S = Q K^T                dt_head_against_keys     (and dZ = dY V^T)
 *     Y = P V                  dt_head_over_keys        (and dQ = dS K)
 *     dV = Z^T dY              dt_head_over_queries     (and dK = dS^T Q)
 *
 * A sum over keys or queries takes pairs of them in order and goes on in float from block to block. Tiles
 * also take in pairs beyond the diagonal, with a weight of zero: later keys at the end of a query's sum,
 * earlier queries at the start of a key's. That changes nothing but the sign of a zero, which every output
 * loses as +0 is added to it, unless the other factor is infinite or NaN; a head that has such a number takes
 * the functions named `carefully`, which leave those pairs out.
 *
 * All functions are local; they are compiled with attention_bf16.c for one set.
 */
#ifndef DT_MATH_HEAD_BF16_H
#define DT_MATH_HEAD_BF16_H

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/minmax.h"
#include "math/attention.h"
#include "math/softmax_bf16.h"
#include "math/tile_bf16.h"

#define DT_HEAD_TILE DT_ISA_NAME(dt_tile_bf16)

/** Queries and keys that the backward pass takes at a time, whose scores' gradients stay in the caches. Both
 * are even, as pairs lie within one; keys fill whole blocks of dropout and whole panels. */
#define DT_HEAD_GROUP 112
#define DT_HEAD_BLOCK DT_ATTENTION_BLOCK

#define DT_HEAD_WHOLE(n, step) (((n) + (step)-1) / (step) * (step))

/** One head of one sequence, and what scratch holds of it. Pairs are two tokens, the even one first. */
typedef struct dt_head {
    int64_t T, D, row; /* row: elements from one token's q, k or v to the next's */
    int64_t deep;      /* D as rows of A have it: even */
    int64_t cols;      /* D in whole panels */
    int64_t pairs;     /* of T */
    int64_t s_stride, p_stride;
    const uint16_t *q, *k, *v;
    float root;                          /* 1 / sqrt(D) */
    bool more;                           /* another head follows */
    bool careful;                        /* a token has an infinity or a NaN */
    dt_factor *keys_t, *values_t;        /* panels of K^T and V^T, [deep, T] */
    dt_factor *panels;                   /* of V forward, of K backward, [T, D] */
    dt_factor *query_rows, *dy_rows;     /* Q and dY, [T, deep] */
    dt_factor *query_panels, *dy_panels; /* panels of the same, [T, D] */
    dt_factor *p; /* probabilities [DT_TILE_BF16_ROWS, p_stride], or dS [DT_TILE_BF16_ROWS, DT_HEAD_BLOCK] */
    dt_factor *z, *ds;          /* pairs of queries: [DT_HEAD_GROUP / 2, DT_HEAD_BLOCK, 2] */
    float *s, *dz;              /* [DT_TILE_BF16_ROWS, s_stride] and [DT_TILE_BF16_ROWS, DT_HEAD_BLOCK] */
    float *out;                 /* sums of Y [DT_TILE_BF16_ROWS, cols], or of dQ [T, cols] */
    float *dk, *dv;             /* [DT_HEAD_BLOCK, cols] */
    float *factor, *factor_odd; /* of the dropout of one row and of the next */
    float *delta;               /* [T]: of the backward pass; forward the sums of powers */
} dt_head;

/*
 * The static checker takes scratch and qkv for NULL in the passes, which they are only where scratch_floats
 * counts.
 * NOLINTBEGIN(clang-analyzer-core.*, performance-no-int-to-ptr)
 */

/* The next `count` elements of `bytes` each. An address within no scratch is for nobody: there only what is
 * used is wanted. */
static inline void *dt_head_carve(void *scratch, int64_t *used, int64_t count, size_t bytes) {
    const uintptr_t start = (uintptr_t)scratch + (uintptr_t)*used;
    *used += DT_HEAD_WHOLE(count * (int64_t)bytes, 64);
    return (void *)start;
}

/** Shares out scratch, of which it uses `used` bytes. */
static inline dt_head dt_head_prepare(const uint16_t *qkv, int64_t T, int64_t C, int64_t H, void *scratch,
                                      int64_t *used) {
    const int64_t D = C / H, wide = DT_HEAD_WHOLE(T, DT_SOFTMAX_STEP);
    dt_head h = {.T = T,
                 .D = D,
                 .row = 3 * C,
                 .deep = DT_HEAD_WHOLE(D, 2),
                 .cols = DT_HEAD_WHOLE(D, DT_TILE_BF16_COLS),
                 .pairs = (T + 1) / 2};
    /* Strides that are no power of two: rows of a tile would share a few lines of the first cache. */
    h.s_stride = wide + 16;
    h.p_stride = dt_max(wide, DT_HEAD_BLOCK) + 32;
    h.root = 1.0f / sqrtf((float)D);
    if (qkv) {
        h.q = qkv;
        h.k = qkv + C;
        h.v = qkv + 2 * C;
    }
#define CARVE(name, count) h.name = dt_head_carve(scratch, used, count, sizeof *h.name)
    CARVE(keys_t, h.deep * wide);
    CARVE(values_t, h.deep * wide);
    CARVE(panels, 2 * h.pairs * h.cols);
    CARVE(query_rows, T * h.deep);
    CARVE(dy_rows, T * h.deep);
    CARVE(query_panels, 2 * h.pairs * h.cols);
    CARVE(dy_panels, 2 * h.pairs * h.cols);
    CARVE(p, DT_TILE_BF16_ROWS * h.p_stride);
    CARVE(z, DT_HEAD_GROUP * DT_HEAD_BLOCK);
    CARVE(ds, DT_HEAD_GROUP * DT_HEAD_BLOCK);
    CARVE(s, DT_TILE_BF16_ROWS * dt_max(h.s_stride, DT_HEAD_BLOCK));
    CARVE(dz, DT_TILE_BF16_ROWS * DT_HEAD_BLOCK);
    CARVE(out, dt_max(T, DT_TILE_BF16_ROWS) * h.cols);
    CARVE(dk, DT_HEAD_BLOCK * h.cols);
    CARVE(dv, DT_HEAD_BLOCK * h.cols);
    CARVE(factor, DT_DROPOUT_FLOATS(dt_max(T, DT_HEAD_BLOCK)));
    CARVE(factor_odd, DT_DROPOUT_FLOATS(DT_HEAD_BLOCK));
    CARVE(delta, T);
#undef CARVE
    return h;
}

/** The n columns of b[k, n], panel after panel. */
static inline void dt_head_pack(dt_factor *panels, const uint16_t *b, int64_t stride, int64_t k, int64_t n) {
    for (int64_t j = 0; j < n; j += DT_TILE_BF16_COLS)
        DT_HEAD_TILE.pack(panels + j * DT_HEAD_WHOLE(k, 2), b + j, stride, k,
                          dt_min(n - j, DT_TILE_BF16_COLS));
}

/** The n columns of b^T, for b[n, k]. */
static inline void dt_head_pack_transposed(dt_factor *panels, const uint16_t *b, int64_t stride, int64_t k,
                                           int64_t n) {
    for (int64_t j = 0; j < n; j += DT_TILE_BF16_COLS)
        DT_HEAD_TILE.pack_transposed(panels + j * DT_HEAD_WHOLE(k, 2), b + j * stride, stride, k,
                                     dt_min(n - j, DT_TILE_BF16_COLS));
}

/** Whether all of a head's panels of [T, D] are finite. */
static inline bool dt_head_all_finite(const dt_head *h, const dt_factor *panels) {
    uint32_t found = 0;
    for (int64_t i = 0; i < 2 * h->pairs * h->cols; i++)
        found |= fabsf(dt_factor_get(panels[i])) <= FLT_MAX ? 0u : 1u; /* NaN is not */
    return found == 0;
}

/** s[rows, keys] = left[rows, D] times the first columns of panels [D, T]; a last tile goes past `keys`. */
static inline void dt_head_against_keys(const dt_head *h, float *s, int64_t stride, const dt_factor *left,
                                        int64_t rows, int64_t keys, const dt_factor *panels) {
    for (int64_t j = 0; j < keys; j += DT_TILE_BF16_COLS)
        DT_HEAD_TILE.multiply(
            &(dt_tile_bf16_target){.at = s + j, .stride = stride, .cols = DT_TILE_BF16_COLS}, rows, left,
            h->deep, panels + j * h->deep, h->deep / 2);
}

/* over_keys for each query alone, up to its last key. Where that is the first of a pair the pair is packed
 * again, without the second. */
static inline void dt_head_over_keys_carefully(const dt_head *h, float *out, const dt_factor *p,
                                               int64_t first, int64_t rows, int64_t from, int64_t keys,
                                               const uint16_t *x) {
    _Alignas(64) dt_factor last[2 * DT_TILE_BF16_COLS];
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < h->D; d += DT_TILE_BF16_COLS) {
            const dt_factor *row = p + i * h->p_stride;
            const int64_t n = dt_min(first + i + 1 - from, keys);
            dt_tile_bf16_target c = {
                .at = out + i * h->cols + d, .stride = h->cols, .cols = DT_TILE_BF16_COLS, .add = from > 0};
            DT_HEAD_TILE.multiply(&c, 1, row, h->p_stride,
                                  h->panels + d * 2 * h->pairs + from * DT_TILE_BF16_COLS, n / 2);
            if (n % 2 == 0)
                continue;
            c.add = true;
            DT_HEAD_TILE.pack(last, x + (from + n - 1) * h->row + d, h->row, 1,
                              dt_min(h->D - d, DT_TILE_BF16_COLS));
            DT_HEAD_TILE.multiply(&c, 1, row + n - 1, h->p_stride, last, 1);
        }
}

/** out[rows, D] of queries `first` and on (+)= p[rows, keys] times the rows of panels of x[T, D] from `from`
 * on; earlier keys have added theirs already where there are any. */
static inline void dt_head_over_keys(const dt_head *h, float *out, const dt_factor *p, int64_t first,
                                     int64_t rows, int64_t from, int64_t keys, const uint16_t *x) {
    if (h->careful) {
        dt_head_over_keys_carefully(h, out, p, first, rows, from, keys, x);
        return;
    }
    for (int64_t d = 0; d < h->D; d += DT_TILE_BF16_COLS)
        DT_HEAD_TILE.multiply(
            &(dt_tile_bf16_target){
                .at = out + d, .stride = h->cols, .cols = DT_TILE_BF16_COLS, .add = from > 0},
            rows, p, h->p_stride, h->panels + d * 2 * h->pairs + from * DT_TILE_BF16_COLS, (keys + 1) / 2);
}

/* over_queries for each key alone, from the first query on that sees it. Where that is the second of a pair
 * the pair is packed again, without the first. */
static inline void dt_head_over_queries_carefully(const dt_head *h, float *out, const dt_factor *z,
                                                  const dt_factor *panels, int64_t from, int64_t group,
                                                  int64_t end, const uint16_t *x, int64_t stride) {
    _Alignas(64) dt_factor first[2 * DT_TILE_BF16_COLS];
    for (int64_t key = from; key < dt_min(end, from + DT_HEAD_BLOCK); key++)
        for (int64_t d = 0; d < h->D; d += DT_TILE_BF16_COLS) {
            int64_t start = dt_max(key, group);
            const dt_factor *column = z + 2 * (key - from);
            dt_tile_bf16_target c = {.at = out + (key - from) * h->cols + d,
                                     .stride = h->cols,
                                     .cols = DT_TILE_BF16_COLS,
                                     .add = group > key};
            if (start % 2) {
                const int64_t width = dt_min(h->D - d, DT_TILE_BF16_COLS);
                uint16_t two[2 * DT_TILE_BF16_COLS] = {0};
                memcpy(two + DT_TILE_BF16_COLS, x + start * stride + d, (size_t)width * sizeof *two);
                DT_HEAD_TILE.pack(first, two, DT_TILE_BF16_COLS, 2, width);
                DT_HEAD_TILE.multiply_transposed(&c, 1, column + (start - 1 - group) * DT_HEAD_BLOCK,
                                                 2 * DT_HEAD_BLOCK, first, 1);
                c.add = true;
                start++;
            }
            DT_HEAD_TILE.multiply_transposed(
                &c, 1, column + (start - group) * DT_HEAD_BLOCK, 2 * DT_HEAD_BLOCK,
                panels + d * 2 * h->pairs + start * DT_TILE_BF16_COLS, (end - start + 1) / 2);
        }
}

/** out[keys, D] of the block of keys at `from` (+)= z^T times the rows of panels of x[T, D] that are queries
 * [group, end); earlier queries have added theirs already where there are any. */
static inline void dt_head_over_queries(const dt_head *h, float *out, const dt_factor *z,
                                        const dt_factor *panels, int64_t from, int64_t group, int64_t end,
                                        const uint16_t *x, int64_t stride) {
    if (h->careful) {
        dt_head_over_queries_carefully(h, out, z, panels, from, group, end, x, stride);
        return;
    }
    for (int64_t key = from; key < dt_min(end, from + DT_HEAD_BLOCK); key += DT_TILE_BF16_ROWS) {
        const int64_t start = dt_max(key, group),
                      rows = dt_min(from + DT_HEAD_BLOCK - key, DT_TILE_BF16_ROWS);
        for (int64_t d = 0; d < h->D; d += DT_TILE_BF16_COLS) {
            const dt_tile_bf16_target c = {.at = out + (key - from) * h->cols + d,
                                           .stride = h->cols,
                                           .cols = DT_TILE_BF16_COLS,
                                           .add = group > key};
            DT_HEAD_TILE.multiply_transposed(
                &c, rows, z + (start - group) * DT_HEAD_BLOCK + 2 * (key - from), 2 * DT_HEAD_BLOCK,
                panels + d * 2 * h->pairs + start * DT_TILE_BF16_COLS, (end - start + 1) / 2);
        }
    }
}

/* NOLINTEND(clang-analyzer-core.*, performance-no-int-to-ptr) */

#endif
