/*
 * Attention in bfloat16: the passes of a head, whose products are math/head_bf16.h's; what is between them is
 * math/softmax_bf16.h's.
 *
 * Scores and sums are floats. Rounded to bfloat16 are the probabilities, before they are divided by their
 * sum, the gradients dS, and each output once, after it was divided or scaled in float. No bit depends on the
 * sizes of tiles, groups and blocks, so that all sets agree, and all ways to share out a head.
 */
#include "math/attention.h"

#include <string.h>

#include "base/assert.h"
#include "base/minmax.h"
#include "math/head_bf16.h"
#include "math/row.h"

#define ROWS DT_TILE_BF16_ROWS

/*
 * The static checker takes scratch and qkv for NULL in the passes, which they are only where scratch_floats
 * counts.
 * NOLINTBEGIN(clang-analyzer-core.*, performance-no-int-to-ptr)
 */

static int64_t scratch_floats(int64_t T, int64_t D) {
    int64_t bytes = 0;
    (void)dt_head_prepare(NULL, T, D, 1, NULL, &bytes);
    return bytes / (int64_t)sizeof(float);
}

/* Asks for rows, a cache line at a time, ahead of their use: they lie too far apart for the processor. */
static void fetch(const uint16_t *x, int64_t stride, int64_t rows, int64_t D) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < D; d += 32)
            __builtin_prefetch(x + i * stride + d);
}

/* Y and log-sum-exps of queries [first, first + rows); the latter still in two parts. */
static void forward_rows(const dt_head *h, uint16_t *y, float *lse, int64_t C, int64_t first, int64_t rows,
                         uint32_t first_row, const dt_dropout *drop) {
    const int64_t keys = first + rows, wide = DT_HEAD_WHOLE(keys, DT_SOFTMAX_STEP);
    float inverse[ROWS];
    if (h->more) {
        fetch(h->q + first * h->row + h->D, h->row, rows, h->D);
        fetch(h->k + first * h->row + h->D, h->row, rows, h->D);
        fetch(h->v + first * h->row + h->D, h->row, rows, h->D);
    }
    DT_HEAD_TILE.pack_a(h->query_rows, h->deep, h->q + first * h->row, h->row, rows, h->D);
    dt_head_against_keys(h, h->s, h->s_stride, h->query_rows, rows, keys, h->keys_t);
    for (int64_t i = 0; i < rows; i++) {
        const int64_t t = first + i;
        if (drop)
            dt_dropout_factors(h->factor, drop, first_row + (uint32_t)t, wide);
        const dt_softmax_sum sum = dt_softmax_row(h->p + i * h->p_stride, h->s + i * h->s_stride, t + 1, wide,
                                                  h->root * DT_SOFTMAX_LOG2E, drop ? h->factor : NULL);
        inverse[i] = 1.0f / sum.sum;
        lse[t] = sum.max;
        h->delta[t] = sum.sum;
    }
    dt_head_over_keys(h, h->out, h->p, first, rows, 0, keys, h->v);
    for (int64_t i = 0; i < rows; i++)
        for (int64_t d = 0; d < h->D; d++)
            y[(first + i) * C + d] = dt_bf16_round(dt_fma(h->out[i * h->cols + d], inverse[i], 0.0f));
}

/* Of the queries `own`. */
static void forward_head(dt_head *h, uint16_t *y, float *lse, int64_t C, dt_range own, uint32_t first_row,
                         const dt_dropout *drop) {
    dt_head_pack_transposed(h->keys_t, h->k, h->row, h->D, h->T);
    dt_head_pack(h->panels, h->v, h->row, h->T, h->D);
    h->careful = !dt_head_all_finite(h, h->panels);
    for (int64_t first = own.first; first < own.end; first += ROWS)
        forward_rows(h, y, lse, C, first, dt_min(own.end - first, ROWS), first_row, drop);
    for (int64_t t = own.first; t < own.end; t++)
        lse[t] = DT_SOFTMAX_LN2 * (lse[t] + dt_softmax_log2(h->delta[t]));
}

static void forward(dt_operand *result, float *lse, const dt_operand *qkv, int64_t T, int64_t C, int64_t H,
                    const dt_dropout *drop, dt_range outputs, float *scratch) {
    DT_ASSERT(T > 0 && H > 0 && C > 0 && C % H == 0 && dt_range_is_proper(outputs));
    DT_ASSERT_APART(result, T * C * (int64_t)sizeof(uint16_t), qkv, 3 * T * C * (int64_t)sizeof(uint16_t));
    uint16_t *y = result;
    int64_t used = 0;
    dt_head h = dt_head_prepare(qkv, T, C, H, scratch, &used);
    for (int64_t i = 0; i < H; i++, h.q += h.D, h.k += h.D, h.v += h.D) {
        const dt_range own = dt_attention_tokens(outputs, i, T);
        h.more = i + 1 < H;
        if (own.first < own.end)
            forward_head(&h, y + i * h.D, lse + i * T, C, own, (uint32_t)(i * T), drop);
    }
}

/* Z and dS of queries [first, first + rows) of a group and of the block of keys at `from`, and their dQ where
 * that is this call's too. */
static void backward_rows(const dt_head *h, const float *lse, int64_t group, int64_t first, int64_t rows,
                          int64_t from, bool with_dq, uint32_t first_row, const dt_dropout *drop) {
    const int64_t keys = dt_min(first + rows - from, DT_HEAD_BLOCK),
                  wide = DT_HEAD_WHOLE(keys, DT_SOFTMAX_STEP),
                  further = dt_min(DT_HEAD_BLOCK, DT_HEAD_WHOLE(keys + ROWS, DT_SOFTMAX_STEP));
    dt_head_against_keys(h, h->s, DT_HEAD_BLOCK, h->query_rows + first * h->deep, rows, keys,
                         h->keys_t + from * h->deep);
    dt_head_against_keys(h, h->dz, DT_HEAD_BLOCK, h->dy_rows + first * h->deep, rows, keys,
                         h->values_t + from * h->deep);
    for (int64_t i = 0; i < rows; i += 2) {
        const int64_t t = first + i, at = (t - group) * DT_HEAD_BLOCK, next = dt_min(t + 1, h->T - 1);
        dt_softmax_query q[2];
        for (int64_t k = 0; k < 2; k++) {
            const int64_t u = k ? next : t, it = u - first;
            float *factor = k ? h->factor_odd : h->factor;
            if (drop)
                dt_dropout_factors_from(factor, drop, first_row + (uint32_t)u, from, wide);
            q[k] = (dt_softmax_query){.s = h->s + it * DT_HEAD_BLOCK,
                                      .dz = h->dz + it * DT_HEAD_BLOCK,
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
    if (with_dq)
        dt_head_over_keys(h, h->out + first * h->cols, h->p, first, rows, from, keys, h->k);
}

/* to[rows, D] = scale times from[rows, cols], rounded. */
static void put(const dt_head *h, uint16_t *to, const float *from, int64_t rows, float scale) {
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

static void prepare_backward(dt_head *h, const uint16_t *dy, const uint16_t *y, int64_t C) {
    dt_head_pack_transposed(h->keys_t, h->k, h->row, h->D, h->T);
    dt_head_pack_transposed(h->values_t, h->v, h->row, h->D, h->T);
    dt_head_pack(h->panels, h->k, h->row, h->T, h->D);
    dt_head_pack(h->query_panels, h->q, h->row, h->T, h->D);
    dt_head_pack(h->dy_panels, dy, C, h->T, h->D);
    h->careful = !dt_head_all_finite(h, h->panels) || !dt_head_all_finite(h, h->query_panels) ||
                 !dt_head_all_finite(h, h->dy_panels);
    DT_HEAD_TILE.pack_a(h->query_rows, h->deep, h->q, h->row, h->T, h->D);
    DT_HEAD_TILE.pack_a(h->dy_rows, h->deep, dy, C, h->T, h->D);
    for (int64_t t = 0; t < h->T; t++)
        h->delta[t] = dot(dy + t * C, y + t * C, h->D);
}

/*
 * dQ, dK and dV of the tokens `own`, in blocks of keys. Keys before them are seen by their queries, and have
 * a part in dQ alone; their own are seen by all queries from theirs on, of which the later ones have a part
 * in dK and dV alone.
 */
static void backward_head(dt_head *h, uint16_t *dqkv, const uint16_t *dy, const uint16_t *y, const float *lse,
                          int64_t C, dt_range own, uint32_t first_row, const dt_dropout *drop) {
    prepare_backward(h, dy, y, C);
    for (int64_t from = 0; from < own.end; from += DT_HEAD_BLOCK) {
        const bool mine = from >= own.first;
        const int64_t last = mine ? h->T : own.end, keys = dt_min(h->T - from, DT_HEAD_BLOCK);
        int64_t end;
        for (int64_t group = mine ? from : own.first; group < last; group = end) {
            const bool with_dq = group < own.end;
            end = dt_min(with_dq ? own.end : last, group + DT_HEAD_GROUP);
            for (int64_t first = group; first < end; first += ROWS)
                backward_rows(h, lse, group, first, dt_min(end - first, ROWS), from, with_dq, first_row,
                              drop);
            if (!mine)
                continue;
            dt_head_over_queries(h, h->dv, h->z, h->dy_panels, from, group, end, dy, C);
            dt_head_over_queries(h, h->dk, h->ds, h->query_panels, from, group, end, h->q, h->row);
        }
        if (mine) {
            put(h, dqkv + C + from * h->row, h->dk, keys, h->root);
            put(h, dqkv + 2 * C + from * h->row, h->dv, keys, 1.0f);
        }
    }
    put(h, dqkv + own.first * h->row, h->out + own.first * h->cols, own.end - own.first, h->root);
}

static void backward(dt_operand *result, const dt_operand *of_y, const dt_operand *made, const float *lse,
                     const dt_operand *qkv, int64_t T, int64_t C, int64_t H, const dt_dropout *drop,
                     dt_range outputs, float *scratch) {
    DT_ASSERT(T > 0 && H > 0 && C > 0 && C % H == 0 && dt_range_is_proper(outputs));
    DT_ASSERT_APART(result, 3 * T * C * (int64_t)sizeof(uint16_t), qkv,
                    3 * T * C * (int64_t)sizeof(uint16_t));
    DT_ASSERT_APART(result, 3 * T * C * (int64_t)sizeof(uint16_t), of_y, T * C * (int64_t)sizeof(uint16_t));
    uint16_t *dqkv = result;
    const uint16_t *dy = of_y, *y = made;
    int64_t used = 0;
    dt_head h = dt_head_prepare(qkv, T, C, H, scratch, &used);
    for (int64_t i = 0; i < H; i++, h.q += h.D, h.k += h.D, h.v += h.D) {
        const dt_range own = dt_attention_tokens(outputs, i, T);
        if (own.first < own.end)
            backward_head(&h, dqkv + i * h.D, dy + i * h.D, y + i * h.D, lse + i * T, C, own,
                          (uint32_t)(i * T), drop);
    }
}

/* Keys and values that a query alone asks for ahead of their use. */
#define AHEAD 8

static void query(dt_operand *result, const dt_operand *given, int64_t t, int64_t C, int64_t H,
                  float *scratch) {
    DT_ASSERT(t >= 0 && H > 0 && C > 0 && C % H == 0);
    uint16_t *y = result;
    int64_t used = 0;
    dt_head h = dt_head_prepare(given, t + 1, C, H, scratch, &used);
    for (int64_t i = 0; i < H; i++, h.q += h.D, h.k += h.D, h.v += h.D) {
        for (int64_t j = 0; j <= t; j++) {
            fetch(h.k + (j + AHEAD) * h.row, h.row, 1, h.D);
            h.s[j] = dot(h.q + t * h.row, h.k + j * h.row, h.D);
        }
        const dt_softmax_sum sum = dt_softmax_row(h.p, h.s, t + 1, DT_HEAD_WHOLE(t + 1, DT_SOFTMAX_STEP),
                                                  h.root * DT_SOFTMAX_LOG2E, NULL);
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
