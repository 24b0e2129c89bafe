/* Plain loops, one formula after the other. */
#include "support/reference.h"

#include <math.h>
#include <stdlib.h>

static double *allocate(int64_t count) {
    double *block = calloc((size_t)count, sizeof *block);
    if (block == NULL)
        abort();
    return block;
}

reference_dropout reference_dropout_at(uint64_t seed, double p, int64_t layer, int64_t site, int64_t slot,
                                       int64_t step) {
    return (reference_dropout){
        .key = dt_philox_derive(seed, DT_PURPOSE_DROPOUT, (uint32_t)(layer * 4 + site)),
        .slot = (uint32_t)slot,
        .step = (uint32_t)step,
        .p = p,
    };
}

double reference_factor(const reference_dropout *drop, int64_t row, int64_t col) {
    if (drop == NULL)
        return 1.0;
    const int64_t block = col / 64, in_block = col % 64, lane = in_block % 16;
    const dt_philox_words words =
        dt_philox(drop->key, (uint32_t)(block * 16 + lane), (uint32_t)row, drop->slot, drop->step);
    const uint32_t word[4] = {words.w0, words.w1, words.w2, words.w3};
    return drop->p >= 1.0 || word[in_block / 16] < floor(drop->p * 0x1p32) ? 0.0 : 1.0 / (1.0 - drop->p);
}

void reference_embedding(double *x, const int32_t *tokens, const double *wte, const double *wpe, int64_t T,
                         int64_t C, const reference_dropout *drop) {
    for (int64_t t = 0; t < T; t++)
        for (int64_t c = 0; c < C; c++)
            x[t * C + c] = reference_factor(drop, t, c) * (wte[tokens[t] * C + c] + wpe[t * C + c]);
}

void reference_layernorm(double *y, const double *x, const double *weight, const double *bias, int64_t rows,
                         int64_t C) {
    for (int64_t i = 0; i < rows; i++) {
        double mean = 0.0, variance = 0.0;
        for (int64_t c = 0; c < C; c++)
            mean += x[i * C + c] / (double)C;
        for (int64_t c = 0; c < C; c++)
            variance += pow(x[i * C + c] - mean, 2.0) / (double)C;
        for (int64_t c = 0; c < C; c++)
            y[i * C + c] = (x[i * C + c] - mean) / sqrt(variance + 1e-5) * weight[c] + bias[c];
    }
}

void reference_linear(double *y, const double *x, const double *w, const double *bias, int64_t rows,
                      int64_t in, int64_t out) {
    for (int64_t i = 0; i < rows; i++)
        for (int64_t o = 0; o < out; o++) {
            double sum = bias ? bias[o] : 0.0;
            for (int64_t k = 0; k < in; k++)
                sum += x[i * in + k] * w[k * out + o];
            y[i * out + o] = sum;
        }
}

/* One query of one head: p[0..t] = softmax of its scores; returns log(sum exp(score)). */
static double weights_of(double *p, const double *qkv, int64_t t, int64_t h, int64_t C, int64_t H) {
    const int64_t D = C / H;
    double max = -INFINITY, sum = 0.0;
    for (int64_t j = 0; j <= t; j++) {
        p[j] = 0.0;
        for (int64_t d = 0; d < D; d++)
            p[j] += qkv[t * 3 * C + h * D + d] * qkv[j * 3 * C + C + h * D + d] / sqrt((double)D);
        max = fmax(max, p[j]);
    }
    for (int64_t j = 0; j <= t; j++)
        sum += exp(p[j] - max);
    for (int64_t j = 0; j <= t; j++)
        p[j] = exp(p[j] - max) / sum;
    return max + log(sum);
}

void reference_attention(double *y, double *lse, const double *qkv, int64_t T, int64_t C, int64_t H,
                         const reference_dropout *drop) {
    const int64_t D = C / H;
    double *p = allocate(T);
    for (int64_t h = 0; h < H; h++)
        for (int64_t t = 0; t < T; t++) {
            const double sum = weights_of(p, qkv, t, h, C, H);
            if (lse)
                lse[h * T + t] = sum;
            for (int64_t j = 0; j <= t; j++)
                p[j] *= reference_factor(drop, h * T + t, j);
            for (int64_t d = 0; d < D; d++) {
                y[t * C + h * D + d] = 0.0;
                for (int64_t j = 0; j <= t; j++)
                    y[t * C + h * D + d] += p[j] * qkv[j * 3 * C + 2 * C + h * D + d];
            }
        }
    free(p);
}

/* What one query of one head adds to the gradients; p, dp and factor are scratch of T. */
static void add_query_gradient(double *dqkv, const double *dy, const double *qkv, int64_t t, int64_t h,
                               int64_t T, int64_t C, int64_t H, const reference_dropout *drop, double *p,
                               double *dp) {
    const int64_t D = C / H;
    double mean = 0.0;
    (void)weights_of(p, qkv, t, h, C, H);
    for (int64_t j = 0; j <= t; j++) {
        const double factor = reference_factor(drop, h * T + t, j);
        dp[j] = 0.0;
        for (int64_t d = 0; d < D; d++) {
            const double out = dy[t * C + h * D + d];
            dp[j] += factor * out * qkv[j * 3 * C + 2 * C + h * D + d];
            dqkv[j * 3 * C + 2 * C + h * D + d] += factor * p[j] * out;
        }
        mean += p[j] * dp[j];
    }
    for (int64_t j = 0; j <= t; j++) {
        const double ds = p[j] * (dp[j] - mean) / sqrt((double)D);
        for (int64_t d = 0; d < D; d++) {
            const int64_t q = t * 3 * C + h * D + d, k = j * 3 * C + C + h * D + d;
            dqkv[q] += ds * qkv[k];
            dqkv[k] += ds * qkv[q];
        }
    }
}

void reference_attention_backward(double *dqkv, const double *dy, const double *qkv, int64_t T, int64_t C,
                                  int64_t H, const reference_dropout *drop) {
    double *p = allocate(T), *dp = allocate(T);
    for (int64_t i = 0; i < T * 3 * C; i++)
        dqkv[i] = 0.0;
    for (int64_t h = 0; h < H; h++)
        for (int64_t t = 0; t < T; t++)
            add_query_gradient(dqkv, dy, qkv, t, h, T, C, H, drop, p, dp);
    free(p);
    free(dp);
}

double reference_gelu(double x) {
    return 0.5 * x * (1.0 + tanh(sqrt(2.0 / 3.14159265358979323846) * (x + 0.044715 * x * x * x)));
}

void reference_residual(double *out, const double *residual, const double *x, int64_t T, int64_t C,
                        const reference_dropout *drop) {
    for (int64_t t = 0; t < T; t++)
        for (int64_t c = 0; c < C; c++)
            out[t * C + c] = residual[t * C + c] + reference_factor(drop, t, c) * x[t * C + c];
}

double reference_loss(const double *logits, const int32_t *targets, int64_t rows, int64_t V) {
    double loss = 0.0;
    for (int64_t i = 0; i < rows; i++) {
        const double *row = logits + i * V;
        double max = row[0], sum = 0.0;
        for (int64_t v = 0; v < V; v++)
            max = fmax(max, row[v]);
        for (int64_t v = 0; v < V; v++)
            sum += exp(row[v] - max);
        loss += max + log(sum) - row[targets[i]];
    }
    return loss;
}

double reference_slope(double *x, double (*value)(void *context), void *context) {
    const double at = *x, half = 1e-4;
    *x = at + half;
    const double above = value(context);
    *x = at - half;
    const double below = value(context);
    *x = at;
    return (above - below) / (2.0 * half);
}
