/* The first line of the forward pass and the last of the backward pass. */
#include "math/embedding.h"

#include "base/assert.h"

static void forward(float *x, const int32_t *tokens, const float *wte, const float *wpe, int64_t position,
                    dt_range rows, int64_t C, const dt_dropout *drop, float *factor) {
    DT_ASSERT(position >= 0 && C > 0 && dt_range_is_proper(rows) && (drop == NULL || factor != NULL));
    for (int64_t t = rows.first; t < rows.end; t++) {
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

static void backward_positions(float *dwpe, float *dx, dt_range rows, int64_t C, const dt_dropout *drop,
                               float *factor) {
    DT_ASSERT(C > 0 && dt_range_is_proper(rows) && (drop == NULL || factor != NULL));
    for (int64_t t = rows.first; t < rows.end; t++) {
        float *d = dx + t * C, *dp = dwpe + t * C;
        if (drop) {
            dt_dropout_factors(factor, drop, (uint32_t)t, C);
            for (int64_t c = 0; c < C; c++) {
                d[c] = factor[c] * d[c];
                dp[c] += d[c];
            }
        } else {
            for (int64_t c = 0; c < C; c++)
                dp[c] += d[c];
        }
    }
}

static void backward_tokens(float *restrict dwte, const float *restrict dx, const int32_t *tokens, int64_t T,
                            int64_t C, dt_range ids) {
    DT_ASSERT(T > 0 && C > 0 && dt_range_is_proper(ids));
    for (int64_t t = 0; t < T; t++) {
        if (tokens[t] < ids.first || tokens[t] >= ids.end)
            continue;
        const float *d = dx + t * C;
        float *de = dwte + (int64_t)tokens[t] * C;
        for (int64_t c = 0; c < C; c++)
            de[c] += d[c];
    }
}

const struct dt_embedding DT_ISA_NAME(dt_embedding) = {forward, backward_positions, backward_tokens};
