/*
 * The products are tiles' (math/tile.h); what is between them, one row of scores at a time, is here.
 *
 * What all queries of a head need is packed into panels once: K^T and V for the forward pass; K^T, V^T and K
 * for the backward pass. The factor 1 / sqrt(D) goes into the copies of Q and K, so that no score and no
 * gradient is multiplied by it again.
 */
#include "math/attention.h"

#include <float.h>
#include <math.h>
#include <stdbool.h>
#include <stddef.h>

#include "base/assert.h"
#include "base/elementary.h"
#include "base/minmax.h"
#include "math/exp.h"
#include "math/row.h"
#include "math/tile.h"
#include "math/unroll.h"

#define tile DT_ISA_NAME(dt_tile)

/* Queries that the backward pass takes at a time, and over which a tile of dK or dV is summed. */
#define GROUP (DT_ATTENTION_GROUP / DT_TILE_ROWS * DT_TILE_ROWS)

/* Rows of scores are worked on sixteen at a time: a loop without a rest is whole vectors. */
#define WHOLE(n) (((n) + DT_ROW_LANES - 1) / DT_ROW_LANES * DT_ROW_LANES)

/* One head of one sequence, and what scratch holds of it. */
typedef struct head {
    int64_t T, D, row; /* row: floats from one token's q, k or v to the next's */
    const float *q, *k, *v;
    float root;                      /* 1 / sqrt(D) */
    float *keys_t, *values_t;        /* panels of K^T and V^T, [D, T] */
    float *keys, *values;            /* panels of K / sqrt(D) and V, [T, D] */
    float *query, *dy_rows;          /* [GROUP, D]: queries / sqrt(D), and their dY */
    float *query_panels, *dy_panels; /* panels of the same, [GROUP, D] */
    float *s, *dz;                   /* [GROUP, stride]: scores or Z, and dZ or dS */
    int64_t stride;
    float *factor; /* of the dropout of one row */
    bool more;     /* a head follows, whose rows are worth asking for */
} head;

static float *carve(float **scratch, int64_t floats) {
    float *start = *scratch;
    *scratch += WHOLE(floats);
    return start;
}

/* Shares out scratch; dt_attention_scratch_floats counts the same. */
static head prepare(const float *qkv, int64_t T, int64_t C, int64_t H, float *scratch) {
    const int64_t D = C / H, wide = (T + DT_TILE_COLS - 1) / DT_TILE_COLS * DT_TILE_COLS,
                  deep = (D + DT_TILE_COLS - 1) / DT_TILE_COLS * DT_TILE_COLS;
    head h = {.T = T, .D = D, .row = 3 * C, .q = qkv, .k = qkv + C, .v = qkv + 2 * C};
    h.root = 1.0f / sqrtf((float)D);
    h.stride = WHOLE(wide) + 16;
    h.keys_t = carve(&scratch, D * wide);
    h.values_t = carve(&scratch, D * wide);
    h.keys = h.values = carve(&scratch, T * deep); /* V is for the forward pass, K for the backward */
    h.query = carve(&scratch, GROUP * D);
    h.dy_rows = carve(&scratch, GROUP * D);
    h.query_panels = carve(&scratch, GROUP * deep);
    h.dy_panels = carve(&scratch, GROUP * deep);
    h.s = carve(&scratch, GROUP * h.stride);
    h.dz = carve(&scratch, GROUP * h.stride);
    h.factor = scratch;
    return h;
}

/*
 * Asks for rows [first, first + rows) of a head's columns of x, and beyond its last token for the next head's
 * first rows: they lie too far apart for the processor to look ahead. What a head packs at its start is asked
 * for a head ahead, and then once more, as the first head has nobody to ask for it. All else is asked for a
 * group of queries ahead and no earlier: rows that a large power of two divides share few sets of a cache,
 * where a head's do not all stay. Inlined by force: gcc 12 drops calls of a function that does nothing but
 * ask.
 */
DT_UNROLL_INLINE void ask_rows(const head *h, const float *x, int64_t stride, int64_t first, int64_t rows) {
    for (int64_t i = first; i < dt_min(first + rows, h->more ? 2 * h->T : h->T); i++) {
        const float *row = i < h->T ? x + i * stride : x + (i - h->T) * stride + h->D;
        for (int64_t d = 0; d < h->D; d += 16)
            __builtin_prefetch(row + d, 0, 2);
    }
}

/* The n columns of b[k, n] times `scale`, panel after panel of [k, DT_TILE_COLS]. */
static void pack(float *panels, const float *b, int64_t stride, int64_t k, int64_t n, float scale) {
    for (int64_t j = 0; j < n; j += DT_TILE_COLS)
        tile.pack(panels + j * k, b + j, stride, k, dt_min(n - j, DT_TILE_COLS), scale);
}

/* K^T or V^T, of which `b` has the rows; asks for a panel's rows a panel ahead. */
static void pack_transposed(const head *h, float *panels, const float *b) {
    for (int64_t j = 0; j < h->T; j += DT_TILE_COLS) {
        ask_rows(h, b, h->row, j + DT_TILE_COLS, DT_TILE_COLS);
        tile.pack_transposed(panels + j * h->D, b + j * h->row, h->row, h->D, dt_min(h->T - j, DT_TILE_COLS));
    }
}

static void copy_rows(float *restrict to, const float *restrict from, int64_t stride, int64_t rows, int64_t D,
                      float scale) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < D; d++)
            to[i * D + d] = scale * from[i * stride + d];
}

/* How many columns, those that hold the end of the rows' keys, come by themselves: one vector, where it is
 * long. */
#define LAST (DT_TILE_LANES == 16 ? DT_TILE_LANES : DT_TILE_COLS)

/*
 * Columns [from, keys) of s = left[rows, D] times panels [D, T], of which row i needs those up to diagonal +
 * i; the last LAST of them may go past `keys`, and are left out for rows that need none of one vector.
 */
static void against_keys(const head *h, float *s, const float *left, int64_t rows, int64_t from, int64_t keys,
                         int64_t diagonal, const float *panels) {
    const int64_t last = (keys - 1) / LAST * LAST,
                  lacking = LAST < DT_TILE_COLS ? dt_max(last - diagonal, 0) : 0;
    for (int64_t j = from; j < last; j += DT_TILE_COLS)
        tile.multiply(
            &(dt_tile_target){.at = s + j, .stride = h->stride, .cols = dt_min(last - j, DT_TILE_COLS)}, rows,
            left, h->D, panels + j * h->D, DT_TILE_COLS, h->D);
    tile.multiply(&(dt_tile_target){.at = s + lacking * h->stride + last, .stride = h->stride, .cols = LAST},
                  rows - lacking, left + lacking * h->D, h->D,
                  panels + last / DT_TILE_COLS * DT_TILE_COLS * h->D + last % DT_TILE_COLS, DT_TILE_COLS,
                  h->D);
}

/* out[rows, D] = s[rows, keys] times the first `keys` rows of panels [T, D], of which the last query sees
 * all, the one before all but one, and so on. */
static void over_keys(const head *h, float *out, int64_t stride, const float *s, int64_t rows, int64_t keys,
                      const float *panels) {
    for (int64_t d = 0; d < h->D; d += DT_TILE_COLS)
        tile.multiply(&(dt_tile_target){.at = out + d,
                                        .stride = stride,
                                        .cols = dt_min(h->D - d, DT_TILE_COLS),
                                        .sum = DT_TILE_TRIANGLE},
                      rows, s, h->stride, panels + d * h->T, DT_TILE_COLS, keys);
}

/* Asks for tokens [from, to) of a head's columns in dK or dV, from whose sums a tile is to go on. Inlined by
 * force: gcc 12 drops calls of a function that does nothing but ask. */
DT_UNROLL_INLINE void ask_sums(const head *h, const float *sums, int64_t from, int64_t to) {
    for (int64_t key = from; key < to; key++)
        for (int64_t d = 0; d < h->D; d += 16)
            __builtin_prefetch(sums + key * h->row + d, 1, 3);
}

/*
 * out[keys, D] (+)= s[queries, keys]^T times panels [queries, D], for the keys `own` up to the group's last
 * query. A tile of keys begins with its own queries, as earlier ones do not see it, and goes on from what
 * groups before this one have come to: the sum of a key is over all its queries in their order, whatever the
 * tile.
 */
static void over_queries(const head *h, float *out, const float *s, int64_t first, int64_t queries,
                         dt_range own, const float *panels) {
    const int64_t end = dt_min(own.end, first + queries);
    for (int64_t key = own.first; key < end; key += DT_TILE_ROWS) {
        const int64_t from = key > first ? key - first : 0, keys = dt_min(end - key, DT_TILE_ROWS);
        ask_sums(h, out, key + keys, dt_min(key + keys + DT_TILE_ROWS, end));
        for (int64_t d = 0; d < h->D; d += DT_TILE_COLS)
            tile.multiply_transposed(&(dt_tile_target){.at = out + key * h->row + d,
                                                       .stride = h->row,
                                                       .cols = dt_min(h->D - d, DT_TILE_COLS),
                                                       .sum = key < first ? DT_TILE_GO_ON : DT_TILE_TRIANGLE},
                                     keys, s + from * h->stride + key, h->stride,
                                     panels + d * queries + from * DT_TILE_COLS, DT_TILE_COLS,
                                     queries - from);
    }
}

/*
 * The softmax of a row of scores, score[0..n), in four parts. A tile's rows go through one part after the
 * other: each part ends in a chain of operations that wait for each other, which those of the next row fill.
 */

/* Cuts a row off after n scores: what stands up to WHOLE(n) becomes what has 0 for its exponential. Returns
 * the largest score. */
static float cut_and_max(float *restrict score, int64_t n) {
    dt_row_fill(score, n, WHOLE(n), -FLT_MAX);
    return dt_row_max_whole(score, WHOLE(n));
}

/* Replaces scores by exp(score - max), up to WHOLE(n), and returns their sum. */
static float exponentials(float *restrict score, float max, int64_t n) {
    float lane[DT_ROW_LANES] = {0};
    for (int64_t j = 0; j < n; j += DT_ROW_LANES)
#pragma omp simd
        for (int64_t l = 0; l < DT_ROW_LANES; l++) {
            score[j + l] = dt_exp_flushed(score[j + l] - max);
            lane[l] += score[j + l];
        }
    return dt_row_fold(lane);
}

/* Multiplies a row by `scale`, and then by `factor` where that is not NULL. */
static void scale_row(float *restrict row, const float *restrict factor, float scale, int64_t n) {
    for (int64_t j = 0; j < n; j += DT_ROW_LANES)
        for (int64_t l = 0; l < DT_ROW_LANES; l++)
            row[j + l] = factor ? factor[j + l] * (row[j + l] * scale) : row[j + l] * scale;
}

/* log(sum exp(score)), of the largest score and the sum of exp(score - max). */
static float log_of_sum(float max, float sum) {
    return (float)((double)max + dt_elementary_log((double)sum));
}

/* Softmax and dropout of a tile's rows, queries `first` and on; lse[i] is row i's. */
static void softmax_tile(const head *h, float *lse, int64_t first, int64_t rows, uint32_t first_row,
                         const dt_dropout *drop) {
    float max[DT_TILE_ROWS], sum[DT_TILE_ROWS];
    for (int64_t i = 0; i < rows; i++)
        max[i] = cut_and_max(h->s + i * h->stride, first + i + 1);
    for (int64_t i = 0; i < rows; i++)
        sum[i] = exponentials(h->s + i * h->stride, max[i], first + i + 1);
    for (int64_t i = 0; i < rows; i++) {
        if (drop)
            dt_dropout_factors(h->factor, drop, first_row + (uint32_t)(first + i), first + i + 1);
        scale_row(h->s + i * h->stride, drop ? h->factor : NULL, 1.0f / sum[i], first + i + 1);
    }
    for (int64_t i = 0; i < rows; i++)
        lse[i] = log_of_sum(max[i], sum[i]);
}

/* Of the queries `own`. */
static void forward_head(const head *h, float *y, float *lse, int64_t C, dt_range own, uint32_t first_row,
                         const dt_dropout *drop) {
    pack_transposed(h, h->keys_t, h->k);
    ask_rows(h, h->v, h->row, 0, h->T);
    pack(h->values, h->v, h->row, h->T, h->D, 1.0f);
    for (int64_t first = own.first; first < own.end; first += DT_TILE_ROWS) {
        const int64_t rows = dt_min(own.end - first, DT_TILE_ROWS), keys = first + rows;
        ask_rows(h, h->q, h->row, first + GROUP, rows);
        ask_rows(h, h->k, h->row, h->T + first, rows);
        ask_rows(h, h->v, h->row, h->T + first, rows);
        copy_rows(h->query, h->q + first * h->row, h->row, rows, h->D, h->root);
        against_keys(h, h->s, h->query, rows, 0, keys, first, h->keys_t);
        softmax_tile(h, lse + first, first, rows, first_row, drop);
        over_keys(h, y + first * C, C, h->s, rows, keys, h->values);
    }
}

static void forward(dt_operand *result, float *lse, const dt_operand *qkv, int64_t T, int64_t C, int64_t H,
                    const dt_dropout *drop, dt_range outputs, float *scratch) {
    DT_ASSERT(T > 0 && H > 0 && C > 0 && C % H == 0 && dt_range_is_proper(outputs));
    DT_ASSERT_APART(result, T * C * (int64_t)sizeof(float), qkv, 3 * T * C * (int64_t)sizeof(float));
    float *y = result;
    head h = prepare(qkv, T, C, H, scratch);
    for (int64_t i = 0; i < H; i++, h.q += h.D, h.k += h.D, h.v += h.D) {
        const dt_range own = dt_attention_tokens(outputs, i, T);
        h.more = i + 1 < H;
        if (own.first < own.end)
            forward_head(&h, y + i * h.D, lse + i * T, C, own, (uint32_t)(i * T), drop);
    }
}

/*
 * One row in the backward pass: s holds the scores and dz the gradient of Z, both of n keys; afterwards s
 * holds Z and dz holds dS. `delta` is the row's sum of dY * Y. What stands after n keys, up to WHOLE(n), is
 * lost.
 */
static void backward_row(float *restrict s, float *restrict dz, const float *restrict factor, float lse,
                         float delta, int64_t n) {
    for (int64_t j = 0; j < n; j += 16)
        if (factor) {
#pragma omp simd
            for (int64_t l = j; l < j + 16; l++) {
                const float p = dt_exp_flushed(s[l] - lse);
                dz[l] = p * dt_fma(factor[l], dz[l], -delta);
                s[l] = p * factor[l];
            }
        } else {
#pragma omp simd
            for (int64_t l = j; l < j + 16; l++) {
                const float p = dt_exp_flushed(s[l] - lse);
                dz[l] = p * (dz[l] - delta);
                s[l] = p;
            }
        }
}

/* Z and dS of one tile of rows, queries [first + start, first + start + rows) of a group, against the keys
 * that this call needs of them: all that they see where the queries are its own, whose dQ it makes too, else
 * its own keys, which they all see. */
static void backward_tile(const head *h, float *dq, const float *dy, const float *y, int64_t C,
                          const float *lse, int64_t first, int64_t start, int64_t rows, dt_range own,
                          uint32_t first_row, const dt_dropout *drop) {
    const bool whole = first < own.end;
    const int64_t from = whole ? 0 : own.first, keys = whole ? first + start + rows : own.end;
    float *s = h->s + start * h->stride, *dz = h->dz + start * h->stride;
    ask_rows(h, h->q, h->row, first + start + GROUP, rows);
    ask_rows(h, dy, C, first + start + GROUP, rows);
    ask_rows(h, y, C, first + start + GROUP, rows);
    ask_rows(h, h->k, h->row, h->T + first + start, rows);
    ask_rows(h, h->v, h->row, h->T + first + start, rows);
    against_keys(h, s, h->query + start * h->D, rows, from, keys, first + start, h->keys_t);
    against_keys(h, dz, h->dy_rows + start * h->D, rows, from, keys, first + start, h->values_t);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t t = first + start + i, seen = dt_min(t + 1, keys) - from;
        if (drop)
            dt_dropout_factors_from(h->factor, drop, first_row + (uint32_t)t, from, seen);
        backward_row(s + i * h->stride + from, dz + i * h->stride + from, drop ? h->factor : NULL, lse[t],
                     dt_row_dot(h->dy_rows + (start + i) * h->D, y + t * C, h->D), seen);
    }
    if (whole)
        over_keys(h, dq + (first + start) * h->row, h->row, dz, rows, keys, h->keys);
}

/*
 * dQ, dK and dV of the tokens `own`. Groups of queries begin at the first of them: earlier queries see none
 * of these keys, and later ones add to dK and dV alone. No group has both.
 */
static void backward_head(const head *h, float *dqkv, const float *dy, const float *y, const float *lse,
                          int64_t C, dt_range own, uint32_t first_row, const dt_dropout *drop) {
    float *dq = dqkv, *dk = dq + C, *dv = dk + C;
    int64_t queries;
    pack_transposed(h, h->keys_t, h->k);
    pack_transposed(h, h->values_t, h->v);
    pack(h->keys, h->k, h->row, h->T, h->D, h->root);
    for (int64_t first = own.first; first < h->T; first += queries) {
        const float *q = h->q + first * h->row, *dy_first = dy + first * C;
        queries = dt_min((first < own.end ? own.end : h->T) - first, GROUP);
        copy_rows(h->query, q, h->row, queries, h->D, h->root);
        copy_rows(h->dy_rows, dy_first, C, queries, h->D, 1.0f);
        pack(h->query_panels, h->query, h->D, queries, h->D, 1.0f);
        pack(h->dy_panels, h->dy_rows, h->D, queries, h->D, 1.0f);
        for (int64_t start = 0; start < queries; start += DT_TILE_ROWS)
            backward_tile(h, dq, dy, y, C, lse, first, start, dt_min(queries - start, DT_TILE_ROWS), own,
                          first_row, drop);
        over_queries(h, dv, h->s, first, queries, own, h->dy_panels);
        over_queries(h, dk, h->dz, first, queries, own, h->query_panels);
    }
}

static void backward(dt_operand *result, const dt_operand *of_y, const dt_operand *made, const float *lse,
                     const dt_operand *qkv, int64_t T, int64_t C, int64_t H, const dt_dropout *drop,
                     dt_range outputs, float *scratch) {
    DT_ASSERT(T > 0 && H > 0 && C > 0 && C % H == 0 && dt_range_is_proper(outputs));
    DT_ASSERT_APART(result, 3 * T * C * (int64_t)sizeof(float), qkv, 3 * T * C * (int64_t)sizeof(float));
    DT_ASSERT_APART(result, 3 * T * C * (int64_t)sizeof(float), of_y, T * C * (int64_t)sizeof(float));
    float *dqkv = result;
    const float *dy = of_y, *y = made;
    head h = prepare(qkv, T, C, H, scratch);
    for (int64_t i = 0; i < H; i++, h.q += h.D, h.k += h.D, h.v += h.D) {
        const dt_range own = dt_attention_tokens(outputs, i, T);
        h.more = i + 1 < H;
        if (own.first < own.end)
            backward_head(&h, dqkv + i * h.D, dy + i * h.D, y + i * h.D, lse + i * T, C, own,
                          (uint32_t)(i * T), drop);
    }
}

/* Keys and values that a query alone asks for ahead of their use: they lie too far apart for the processor.
 */
#define AHEAD 8

static void fetch(const float *row, int64_t D) {
    for (int64_t d = 0; d < D; d += 16)
        __builtin_prefetch(row + d);
}

static void query(dt_operand *result, const dt_operand *given, int64_t t, int64_t C, int64_t H,
                  float *scratch) {
    DT_ASSERT(t >= 0 && H > 0 && C > 0 && C % H == 0);
    float *y = result;
    const float *qkv = given;
    const int64_t D = C / H, row = 3 * C;
    const float root = 1.0f / sqrtf((float)D);
    for (int64_t h = 0; h < H; h++) {
        const float *q = qkv + t * row + h * D, *k = qkv + C + h * D, *v = k + C;
        float *out = y + h * D;
        for (int64_t j = 0; j <= t; j++) {
            fetch(k + (j + AHEAD) * row, D);
            scratch[j] = root * dt_row_dot(q, k + j * row, D);
        }
        const float max = cut_and_max(scratch, t + 1), sum = exponentials(scratch, max, t + 1);
        scale_row(scratch, NULL, 1.0f / sum, t + 1);
        for (int64_t d = 0; d < D; d++)
            out[d] = 0.0f;
        for (int64_t j = 0; j <= t; j++) {
            fetch(v + (j + AHEAD) * row, D);
            for (int64_t d = 0; d < D; d++)
                out[d] = dt_fma(scratch[j], v[j * row + d], out[d]);
        }
    }
}

const struct dt_attention DT_COMPUTE_NAME(dt_attention) = {forward, backward, query,
                                                           dt_attention_scratch_floats};
