/* The products of a tile are sgemm's; what is between them, one row at a time, is here. */
#include "math/attention.h"

#include <math.h>
#include <stddef.h>

#include "math/exp.h"
#include "math/matmul.h"
#include "math/row.h"

static float dot(const float *a, const float *b, int64_t n) {
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

/* Replaces score[0..n) by its softmax and returns log(sum exp(score)). */
static float softmax(float *score, int64_t n) {
    const float most = dt_row_max(score, n);
    float sum = 0.0f;
#pragma omp simd reduction(+ : sum)
    for (int64_t j = 0; j < n; j++) {
        score[j] = dt_exp(score[j] - most);
        sum += score[j];
    }
    const float scale = 1.0f / sum;
    for (int64_t j = 0; j < n; j++)
        score[j] *= scale;
    return most + logf(sum);
}

static void multiply(float *row, const float *factor, int64_t n) {
    for (int64_t j = 0; j < n; j++)
        row[j] *= factor[j];
}

static void zero(float *row, int64_t from, int64_t to) {
    for (int64_t j = from; j < to; j++)
        row[j] = 0.0f;
}

static void forward(float *y, float *lse, const float *qkv, int64_t T, int64_t C, int64_t H,
                    const dt_dropout *drop, float *scratch) {
    const int64_t D = C / H, row = 3 * C;
    const float root = 1.0f / sqrtf((float)D);
    float *s = scratch, *factor = scratch + DT_ATTENTION_TILE * T;
    for (int64_t h = 0; h < H; h++) {
        const float *q = qkv + h * D, *k = q + C, *v = k + C;
        for (int64_t first = 0; first < T; first += DT_ATTENTION_TILE) {
            const int64_t end = first + DT_ATTENTION_TILE < T ? first + DT_ATTENTION_TILE : T;
            dt_matmul_gemm(false, true, end - first, end, D, root, q + first * row, row, k, row, 0.0f, s,
                           end);
            for (int64_t t = first; t < end; t++) {
                float *p = s + (t - first) * end;
                lse[h * T + t] = softmax(p, t + 1);
                if (drop) {
                    dt_dropout_factors(factor, drop, (uint32_t)(h * T + t), t + 1);
                    multiply(p, factor, t + 1);
                }
                zero(p, t + 1, end);
            }
            dt_matmul_gemm(false, false, end - first, D, end, 1.0f, s, end, v, row, 0.0f,
                           y + first * C + h * D, C);
        }
    }
}

/*
 * One row of a tile in the backward pass: s holds the scores and dz the gradient of Z, both of n keys;
 * afterwards s holds Z and dz holds dS. `delta` is the row's sum of dY * Y.
 */
static void backward_row(float *s, float *dz, const float *factor, float lse, float delta, int64_t n) {
    if (factor) {
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            float p = dt_exp(s[j] - lse);
            dz[j] = p * (factor[j] * dz[j] - delta);
            s[j] = p * factor[j];
        }
    } else {
#pragma omp simd
        for (int64_t j = 0; j < n; j++) {
            float p = dt_exp(s[j] - lse);
            dz[j] = p * (dz[j] - delta);
            s[j] = p;
        }
    }
}

static void backward(float *dqkv, const float *dy, const float *y, const float *lse, const float *qkv,
                     int64_t T, int64_t C, int64_t H, const dt_dropout *drop, float *scratch) {
    const int64_t D = C / H, row = 3 * C, tiles = (T + DT_ATTENTION_TILE - 1) / DT_ATTENTION_TILE;
    const float root = 1.0f / sqrtf((float)D);
    float *s = scratch, *dz = s + DT_ATTENTION_TILE * T, *factor = dz + DT_ATTENTION_TILE * T;
    for (int64_t h = 0; h < H; h++) {
        const float *q = qkv + h * D, *k = q + C, *v = k + C;
        float *dq = dqkv + h * D, *dk = dq + C, *dv = dk + C;
        /* The last tile sees every key, so it writes dK and dV whole and the others add to them. */
        for (int64_t tile = tiles - 1; tile >= 0; tile--) {
            const int64_t first = tile * DT_ATTENTION_TILE;
            const int64_t end = first + DT_ATTENTION_TILE < T ? first + DT_ATTENTION_TILE : T;
            const int64_t n = end - first;
            const float keep = tile == tiles - 1 ? 0.0f : 1.0f;
            const float *dyt = dy + first * C + h * D, *yt = y + first * C + h * D;
            dt_matmul_gemm(false, true, n, end, D, root, q + first * row, row, k, row, 0.0f, s, end);
            dt_matmul_gemm(false, true, n, end, D, 1.0f, dyt, C, v, row, 0.0f, dz, end);
            for (int64_t t = first; t < end; t++) {
                const int64_t i = t - first;
                if (drop)
                    dt_dropout_factors(factor, drop, (uint32_t)(h * T + t), t + 1);
                backward_row(s + i * end, dz + i * end, drop ? factor : NULL, lse[h * T + t],
                             dot(dyt + i * C, yt + i * C, D), t + 1);
                zero(s + i * end, t + 1, end);
                zero(dz + i * end, t + 1, end);
            }
            dt_matmul_gemm(true, false, end, D, n, 1.0f, s, end, dyt, C, keep, dv, row);
            dt_matmul_gemm(true, false, end, D, n, root, dz, end, q + first * row, row, keep, dk, row);
            dt_matmul_gemm(false, false, n, D, end, root, dz, end, k, row, 0.0f, dq + first * row, row);
        }
    }
}

static void query(float *y, const float *qkv, int64_t t, int64_t C, int64_t H, float *scratch) {
    const int64_t D = C / H, row = 3 * C;
    const float root = 1.0f / sqrtf((float)D);
    for (int64_t h = 0; h < H; h++) {
        const float *q = qkv + t * row + h * D, *k = qkv + C + h * D, *v = k + C;
        float *out = y + h * D;
        for (int64_t j = 0; j <= t; j++)
            scratch[j] = root * dot(q, k + j * row, D);
        (void)softmax(scratch, t + 1);
        zero(out, 0, D);
        for (int64_t j = 0; j <= t; j++)
            for (int64_t d = 0; d < D; d++)
                out[d] += scratch[j] * v[j * row + d];
    }
}

const struct dt_attention DT_ISA_NAME(dt_attention) = {forward, backward, query};
