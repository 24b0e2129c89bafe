/* The first line of the forward pass and the last of the backward pass. */
#include "math/embedding.h"

static void forward(float *x, const uint8_t *tokens, const float *wte, const float *wpe, int64_t position,
                    int64_t T, int64_t C, const dt_dropout *drop, float *factor) {
    for (int64_t t = 0; t < T; t++) {
        const float *e = wte + (int64_t)tokens[t] * C, *p = wpe + (position + t) * C;
        float *row = x + t * C;
        if (drop) {
            dt_dropout_factors(factor, drop, (uint32_t)t, C);
            for (int64_t c = 0; c < C; c++)
                row[c] = factor[c] * (e[c] + p[c]);
        } else {
            for (int64_t c = 0; c < C; c++)
                row[c] = e[c] + p[c];
        }
    }
}

static void backward(float *dwte, float *dwpe, const float *dx, const uint8_t *tokens, int64_t T, int64_t C,
                     const dt_dropout *drop, float *factor) {
    for (int64_t t = 0; t < T; t++) {
        const float *d = dx + t * C;
        float *de = dwte + (int64_t)tokens[t] * C, *dp = dwpe + t * C;
        if (drop) {
            dt_dropout_factors(factor, drop, (uint32_t)t, C);
            for (int64_t c = 0; c < C; c++) {
                float value = factor[c] * d[c];
                de[c] += value;
                dp[c] += value;
            }
        } else {
            for (int64_t c = 0; c < C; c++) {
                de[c] += d[c];
                dp[c] += d[c];
            }
        }
    }
}

const struct dt_embedding DT_ISA_NAME(dt_embedding) = {forward, backward};
