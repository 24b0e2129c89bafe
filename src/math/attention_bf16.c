/*
 * Attention in bfloat16: products are tiles' (math/tile_bf16.h), what is between them is
 * math/softmax_bf16.h's.
 *
 * Scores and sums are floats. Rounded to bfloat16 are the probabilities, before they are divided by their
 * sum, the gradients dS, and each output once, after it was divided or scaled in float.
 *
 * No bit depends on the sizes of tiles and blocks, so that all sets agree. A sum over keys or queries takes
 * pairs of them in order and goes on in float from block to block. Tiles also take in pairs beyond the
 * diagonal, with a weight of zero: later keys at the end of a query's sum, earlier queries at the start of a
 * key's. That changes nothing but the sign of a zero, which every output loses as +0 is added to it, unless
 * the other factor is infinite or NaN; a head that has such a number takes the functions named `carefully`,
 * which leave those pairs out.
 */
#include "math/attention.h"

#include <float.h>
#include <math.h>
#include <stddef.h>
#include <string.h>

#include "base/minmax.h"
#include "math/row.h"
#include "math/softmax_bf16.h"
#include "math/tile_bf16.h"

#define tile DT_ISA_NAME(dt_tile_bf16)
#define ROWS DT_TILE_BF16_ROWS
#define COLS DT_TILE_BF16_COLS

/* Queries and keys that the backward pass takes at a time, whose scores' gradients stay in the caches. Both
 * are even, as pairs lie within one; keys fill whole blocks of dropout and whole panels. */
#define GROUP 112
#define BLOCK 256

#define WHOLE(n, step) (((n) + (step)-1) / (step) * (step))

/* One head of one sequence, and what scratch holds of it. Pairs are two tokens, the even one first. */
typedef struct head {
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
    dt_factor *p;                        /* probabilities [ROWS, p_stride], or dS [ROWS, BLOCK] */
    dt_factor *z, *ds;                   /* pairs of queries: [GROUP / 2, BLOCK, 2] */
    float *s, *dz;                       /* [ROWS, s_stride] and [ROWS, BLOCK] */
    float *out;                          /* sums of Y [ROWS, cols], or of dQ [T, cols] */
    float *dk, *dv;                      /* [BLOCK, cols] */
    float *factor, *factor_odd;          /* of the dropout of one row and of the next */
    float *delta;                        /* [T]: of the backward pass; forward the sums of powers */
} head;

/*
 * The static checker takes scratch and qkv for NULL in the passes, which they are only where scratch_floats
 * counts.
 * NOLINTBEGIN(clang-analyzer-core.*, performance-no-int-to-ptr)
 */

/* The next `count` elements of `bytes` each. An address within no scratch is for nobody: there only what is
 * used is wanted. */
static void *carve(void *scratch, int64_t *used, int64_t count, size_t bytes) {
    const uintptr_t start = (uintptr_t)scratch + (uintptr_t)*used;
    *used += WHOLE(count * (int64_t)bytes, 64);
    return (void *)start;
}

/* Shares out scratch, of which it uses `used` bytes. */
static head prepare(const uint16_t *qkv, int64_t T, int64_t C, int64_t H, void *scratch, int64_t *used) {
    const int64_t D = C / H, wide = WHOLE(T, DT_SOFTMAX_STEP);
    head h = {
        .T = T, .D = D, .row = 3 * C, .deep = WHOLE(D, 2), .cols = WHOLE(D, COLS), .pairs = (T + 1) / 2};
    /* Strides that are no power of two: rows of a tile would share a few lines of the first cache. */
    h.s_stride = wide + 16;
    h.p_stride = dt_max(wide, BLOCK) + 32;
    h.root = 1.0f / sqrtf((float)D);
    if (qkv) {
        h.q = qkv;
        h.k = qkv + C;
        h.v = qkv + 2 * C;
    }
#define CARVE(name, count) h.name = carve(scratch, used, count, sizeof *h.name)
    CARVE(keys_t, h.deep * wide);
    CARVE(values_t, h.deep * wide);
    CARVE(panels, 2 * h.pairs * h.cols);
    CARVE(query_rows, T * h.deep);
    CARVE(dy_rows, T * h.deep);
    CARVE(query_panels, 2 * h.pairs * h.cols);
    CARVE(dy_panels, 2 * h.pairs * h.cols);
    CARVE(p, ROWS * h.p_stride);
    CARVE(z, GROUP * BLOCK);
    CARVE(ds, GROUP * BLOCK);
    CARVE(s, ROWS * dt_max(h.s_stride, BLOCK));
    CARVE(dz, ROWS * BLOCK);
    CARVE(out, dt_max(T, ROWS) * h.cols);
    CARVE(dk, BLOCK * h.cols);
    CARVE(dv, BLOCK * h.cols);
    CARVE(factor, DT_DROPOUT_ROOM(dt_max(T, BLOCK)));
    CARVE(factor_odd, DT_DROPOUT_ROOM(BLOCK));
    CARVE(delta, T);
#undef CARVE
    return h;
}

static int64_t scratch_floats(int64_t T, int64_t D) {
    int64_t bytes = 0;
    (void)prepare(NULL, T, D, 1, NULL, &bytes);
    return bytes / (int64_t)sizeof(float);
}

/* The n columns of b[k, n], panel after panel. */
static void pack(dt_factor *panels, const uint16_t *b, int64_t stride, int64_t k, int64_t n) {
    for (int64_t j = 0; j < n; j += COLS)
        tile.pack(panels + j * WHOLE(k, 2), b + j, stride, k, dt_min(n - j, COLS));
}

/* The n columns of b^T, for b[n, k]. */
static void pack_transposed(dt_factor *panels, const uint16_t *b, int64_t stride, int64_t k, int64_t n) {
    for (int64_t j = 0; j < n; j += COLS)
        tile.pack_transposed(panels + j * WHOLE(k, 2), b + j * stride, stride, k, dt_min(n - j, COLS));
}

/* Whether all of a head's panels of [T, D] are finite. */
static bool all_finite(const head *h, const dt_factor *panels) {
    uint32_t found = 0;
    for (int64_t i = 0; i < 2 * h->pairs * h->cols; i++)
        found |= fabsf(dt_factor_get(panels[i])) <= FLT_MAX ? 0u : 1u; /* NaN is not */
    return found == 0;
}

/* s[rows, keys] = left[rows, D] times the first columns of panels [D, T]; a last tile goes past `keys`. */
static void against_keys(const head *h, float *s, int64_t stride, const dt_factor *left, int64_t rows,
                         int64_t keys, const dt_factor *panels) {
    for (int64_t j = 0; j < keys; j += COLS)
        tile.multiply(&(dt_tile_bf16_target){.at = s + j, .stride = stride, .cols = COLS}, rows, left,
                      h->deep, panels + j * h->deep, h->deep / 2);
}

/* over_keys for each query alone, up to its last key. Where that is the first of a pair the pair is packed
 * again, without the second. */
static void over_keys_carefully(const head *h, float *out, const dt_factor *p, int64_t first, int64_t rows,
                                int64_t from, int64_t keys, const uint16_t *x) {
    _Alignas(64) dt_factor last[2 * COLS];
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < h->D; d += COLS) {
            const dt_factor *row = p + i * h->p_stride;
            const int64_t n = dt_min(first + i + 1 - from, keys);
            dt_tile_bf16_target c = {
                .at = out + i * h->cols + d, .stride = h->cols, .cols = COLS, .add = from > 0};
            tile.multiply(&c, 1, row, h->p_stride, h->panels + d * 2 * h->pairs + from * COLS, n / 2);
            if (n % 2 == 0)
                continue;
            c.add = true;
            tile.pack(last, x + (from + n - 1) * h->row + d, h->row, 1, dt_min(h->D - d, COLS));
            tile.multiply(&c, 1, row + n - 1, h->p_stride, last, 1);
        }
}

/* out[rows, D] of queries `first` and on (+)= p[rows, keys] times the rows of panels of x[T, D] from `from`
 * on; earlier keys have added theirs already where there are any. */
static void over_keys(const head *h, float *out, const dt_factor *p, int64_t first, int64_t rows,
                      int64_t from, int64_t keys, const uint16_t *x) {
    if (h->careful) {
        over_keys_carefully(h, out, p, first, rows, from, keys, x);
        return;
    }
    for (int64_t d = 0; d < h->D; d += COLS)
        tile.multiply(&(dt_tile_bf16_target){.at = out + d, .stride = h->cols, .cols = COLS, .add = from > 0},
                      rows, p, h->p_stride, h->panels + d * 2 * h->pairs + from * COLS, (keys + 1) / 2);
}

/* Asks for rows, a cache line at a time, ahead of their use: they lie too far apart for the processor. */
static void fetch(const uint16_t *x, int64_t stride, int64_t rows, int64_t D) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < D; d += 32)
            __builtin_prefetch(x + i * stride + d);
}

/* Y and log-sum-exps of queries [first, first + rows); the latter still in two parts. */
static void forward_rows(const head *h, uint16_t *y, float *lse, int64_t C, int64_t first, uint32_t first_row,
                         const dt_dropout *drop) {
    const int64_t rows = dt_min(h->T - first, ROWS), keys = first + rows, wide = WHOLE(keys, DT_SOFTMAX_STEP);
    float inverse[ROWS];
    if (h->more) {
        fetch(h->q + first * h->row + h->D, h->row, rows, h->D);
        fetch(h->k + first * h->row + h->D, h->row, rows, h->D);
        fetch(h->v + first * h->row + h->D, h->row, rows, h->D);
    }
    tile.pack_a(h->query_rows, h->deep, h->q + first * h->row, h->row, rows, h->D);
    against_keys(h, h->s, h->s_stride, h->query_rows, rows, keys, h->keys_t);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t t = first + i;
        if (drop)
            dt_dropout_factors(h->factor, drop, first_row + (uint32_t)t, wide);
        const dt_softmax_sum sum = dt_softmax_row(h->p + i * h->p_stride, h->s + i * h->s_stride, t + 1, wide,
                                                  h->root * DT_SOFTMAX_LOG2E, drop ? h->factor : NULL);
        inverse[i] = 1.0f / sum.sum;
        lse[t] = sum.most;
        h->delta[t] = sum.sum;
    }
    over_keys(h, h->out, h->p, first, rows, 0, keys, h->v);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < h->D; d++)
            y[(first + i) * C + d] = dt_bf16_round(dt_fma(h->out[i * h->cols + d], inverse[i], 0.0f));
}

static void forward_head(head *h, uint16_t *y, float *lse, int64_t C, uint32_t first_row,
                         const dt_dropout *drop) {
    pack_transposed(h->keys_t, h->k, h->row, h->D, h->T);
    pack(h->panels, h->v, h->row, h->T, h->D);
    h->careful = !all_finite(h, h->panels);
    for (int64_t first = 0; first < h->T; first += ROWS)
        forward_rows(h, y, lse, C, first, first_row, drop);
    for (int64_t t = 0; t < h->T; t++)
        lse[t] = DT_SOFTMAX_LN2 * (lse[t] + dt_softmax_log2(h->delta[t]));
}

static void forward(dt_operand *result, float *lse, const dt_operand *qkv, int64_t T, int64_t C, int64_t H,
                    const dt_dropout *drop, float *scratch) {
    uint16_t *y = result;
    int64_t used = 0;
    head h = prepare(qkv, T, C, H, scratch, &used);
    for (int64_t i = 0; i < H; i++, h.q += h.D, h.k += h.D, h.v += h.D) {
        h.more = i + 1 < H;
        forward_head(&h, y + i * h.D, lse + i * T, C, (uint32_t)(i * T), drop);
    }
}

/* Z and dS of queries [first, first + rows) of a group and of the block of keys at `from`, and their dQ. */
static void backward_rows(const head *h, const float *lse, int64_t group, int64_t first, int64_t rows,
                          int64_t from, uint32_t first_row, const dt_dropout *drop) {
    const int64_t keys = dt_min(first + rows - from, BLOCK), wide = WHOLE(keys, DT_SOFTMAX_STEP),
                  further = dt_min(BLOCK, WHOLE(keys + ROWS, DT_SOFTMAX_STEP));
    against_keys(h, h->s, BLOCK, h->query_rows + first * h->deep, rows, keys, h->keys_t + from * h->deep);
    against_keys(h, h->dz, BLOCK, h->dy_rows + first * h->deep, rows, keys, h->values_t + from * h->deep);
    for (int64_t i = 0; i < rows; i += 2) {
        const int64_t t = first + i, at = (t - group) * BLOCK, next = dt_min(t + 1, h->T - 1);
        dt_softmax_query q[2];
        for (int64_t k = 0; k < 2; k++) {
            const int64_t u = k ? next : t, it = u - first;
            float *factor = k ? h->factor_odd : h->factor;
            if (drop)
                dt_dropout_factors_from(factor, drop, first_row + (uint32_t)u, from, wide);
            q[k] = (dt_softmax_query){.s = h->s + it * BLOCK,
                                      .dz = h->dz + it * BLOCK,
                                      .factor = drop ? factor : NULL,
                                      .lse = lse[u] * DT_SOFTMAX_LOG2E,
                                      .delta = h->delta[u],
                                      .n = t + k < h->T ? u + 1 - from : 0};
        }
        dt_softmax_back_rows(h->z + at, h->ds + at, h->p + i * h->p_stride, h->p + (i + 1) * h->p_stride, q,
                             wide, h->root * DT_SOFTMAX_LOG2E);
        memset(h->z + at + 2 * wide, 0, (size_t)(2 * (further - wide)) * sizeof *h->z);
        memset(h->ds + at + 2 * wide, 0, (size_t)(2 * (further - wide)) * sizeof *h->ds);
    }
    over_keys(h, h->out + first * h->cols, h->p, first, rows, from, keys, h->k);
}

/* over_queries for each key alone, from the first query on that sees it. Where that is the second of a pair
 * the pair is packed again, without the first. */
static void over_queries_carefully(const head *h, float *out, const dt_factor *z, const dt_factor *panels,
                                   int64_t from, int64_t group, int64_t end, const uint16_t *x,
                                   int64_t stride) {
    _Alignas(64) dt_factor first[2 * COLS];
    for (int64_t key = from; key < dt_min(end, from + BLOCK); key++)
        for (int64_t d = 0; d < h->D; d += COLS) {
            int64_t start = dt_max(key, group);
            const dt_factor *column = z + 2 * (key - from);
            dt_tile_bf16_target c = {
                .at = out + (key - from) * h->cols + d, .stride = h->cols, .cols = COLS, .add = group > key};
            if (start % 2) {
                const int64_t width = dt_min(h->D - d, COLS);
                uint16_t two[2 * COLS] = {0};
                memcpy(two + COLS, x + start * stride + d, (size_t)width * sizeof *two);
                tile.pack(first, two, COLS, 2, width);
                tile.multiply_transposed(&c, 1, column + (start - 1 - group) * BLOCK, 2 * BLOCK, first, 1);
                c.add = true;
                start++;
            }
            tile.multiply_transposed(&c, 1, column + (start - group) * BLOCK, 2 * BLOCK,
                                     panels + d * 2 * h->pairs + start * COLS, (end - start + 1) / 2);
        }
}

/* out[keys, D] of the block of keys at `from` (+)= z^T times the rows of panels of x[T, D] that are queries
 * [group, end); earlier queries have added theirs already where there are any. */
static void over_queries(const head *h, float *out, const dt_factor *z, const dt_factor *panels, int64_t from,
                         int64_t group, int64_t end, const uint16_t *x, int64_t stride) {
    if (h->careful) {
        over_queries_carefully(h, out, z, panels, from, group, end, x, stride);
        return;
    }
    for (int64_t key = from; key < dt_min(end, from + BLOCK); key += ROWS) {
        const int64_t start = dt_max(key, group), rows = dt_min(from + BLOCK - key, ROWS);
        for (int64_t d = 0; d < h->D; d += COLS) {
            const dt_tile_bf16_target c = {
                .at = out + (key - from) * h->cols + d, .stride = h->cols, .cols = COLS, .add = group > key};
            tile.multiply_transposed(&c, rows, z + (start - group) * BLOCK + 2 * (key - from), 2 * BLOCK,
                                     panels + d * 2 * h->pairs + start * COLS, (end - start + 1) / 2);
        }
    }
}

/* to[rows, D] = scale times from[rows, cols], rounded. */
static void put(const head *h, uint16_t *to, const float *from, int64_t rows, float scale) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < h->D; d++)
            to[i * h->row + d] = dt_bf16_round(dt_fma(from[i * h->cols + d], scale, 0.0f));
}

static float dot(const uint16_t *a, const uint16_t *b, int64_t n) {
    float lane[DT_ROW_LANES] = {0};
    int64_t i = 0;
    for (; i + DT_ROW_LANES <= n; i += DT_ROW_LANES)
#pragma omp simd
        for (int l = 0; l < DT_ROW_LANES; l++)
            lane[l] = dt_fma(dt_bf16_widen(a[i + l]), dt_bf16_widen(b[i + l]), lane[l]);
    for (int l = 0; i + l < n; l++)
        lane[l] = dt_fma(dt_bf16_widen(a[i + l]), dt_bf16_widen(b[i + l]), lane[l]);
    return dt_row_fold(lane);
}

static void backward_head(head *h, uint16_t *dqkv, const uint16_t *dy, const uint16_t *y, const float *lse,
                          int64_t C, uint32_t first_row, const dt_dropout *drop) {
    pack_transposed(h->keys_t, h->k, h->row, h->D, h->T);
    pack_transposed(h->values_t, h->v, h->row, h->D, h->T);
    pack(h->panels, h->k, h->row, h->T, h->D);
    pack(h->query_panels, h->q, h->row, h->T, h->D);
    pack(h->dy_panels, dy, C, h->T, h->D);
    h->careful = !all_finite(h, h->panels) || !all_finite(h, h->query_panels) || !all_finite(h, h->dy_panels);
    tile.pack_a(h->query_rows, h->deep, h->q, h->row, h->T, h->D);
    tile.pack_a(h->dy_rows, h->deep, dy, C, h->T, h->D);
    for (int64_t t = 0; t < h->T; t++)
        h->delta[t] = dot(dy + t * C, y + t * C, h->D);
    for (int64_t from = 0; from < h->T; from += BLOCK) {
        const int64_t keys = dt_min(h->T - from, BLOCK);
        for (int64_t group = from; group < h->T; group += GROUP) {
            const int64_t end = dt_min(h->T, group + GROUP);
            for (int64_t first = group; first < end; first += ROWS)
                backward_rows(h, lse, group, first, dt_min(end - first, ROWS), from, first_row, drop);
            over_queries(h, h->dv, h->z, h->dy_panels, from, group, end, dy, C);
            over_queries(h, h->dk, h->ds, h->query_panels, from, group, end, h->q, h->row);
        }
        put(h, dqkv + C + from * h->row, h->dk, keys, h->root);
        put(h, dqkv + 2 * C + from * h->row, h->dv, keys, 1.0f);
    }
    put(h, dqkv, h->out, h->T, h->root);
}

static void backward(dt_operand *result, const dt_operand *of_y, const dt_operand *made, const float *lse,
                     const dt_operand *qkv, int64_t T, int64_t C, int64_t H, const dt_dropout *drop,
                     float *scratch) {
    uint16_t *dqkv = result;
    const uint16_t *dy = of_y, *y = made;
    int64_t used = 0;
    head h = prepare(qkv, T, C, H, scratch, &used);
    for (int64_t i = 0; i < H; i++, h.q += h.D, h.k += h.D, h.v += h.D) {
        backward_head(&h, dqkv + i * h.D, dy + i * h.D, y + i * h.D, lse + i * T, C, (uint32_t)(i * T), drop);
    }
}

/* Keys and values that a query alone asks for ahead of their use. */
#define AHEAD 8

static void query(dt_operand *result, const dt_operand *given, int64_t t, int64_t C, int64_t H,
                  float *scratch) {
    uint16_t *y = result;
    int64_t used = 0;
    head h = prepare(given, t + 1, C, H, scratch, &used);
    for (int64_t i = 0; i < H; i++, h.q += h.D, h.k += h.D, h.v += h.D) {
        for (int64_t j = 0; j <= t; j++) {
            fetch(h.k + (j + AHEAD) * h.row, h.row, 1, h.D);
            h.s[j] = dot(h.q + t * h.row, h.k + j * h.row, h.D);
        }
        const dt_softmax_sum sum =
            dt_softmax_row(h.p, h.s, t + 1, WHOLE(t + 1, DT_SOFTMAX_STEP), h.root * DT_SOFTMAX_LOG2E, NULL);
        memset(h.out, 0, (size_t)h.D * sizeof *h.out);
        for (int64_t j = 0; j <= t; j++) {
            const float p = dt_factor_get(h.p[j]);
            const uint16_t *v = h.v + j * h.row;
            fetch(v + AHEAD * h.row, h.row, 1, h.D);
            for (int64_t d = 0; d < h.D; d++)
                h.out[d] = dt_fma(p, dt_bf16_widen(v[d]), h.out[d]);
        }
        for (int64_t d = 0; d < h.D; d++)
            y[i * h.D + d] = dt_bf16_round(dt_fma(h.out[d], 1.0f / sum.sum, 0.0f));
    }
}

/* NOLINTEND(clang-analyzer-core.*, performance-no-int-to-ptr) */

const struct dt_attention DT_COMPUTE_NAME(dt_attention) = {forward, backward, query, scratch_floats};
