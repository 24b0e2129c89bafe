/* Dropout on the way into the residual stream. The masks are in the header, for whoever fuses them. */
#include "math/dropout.h"

#include "base/assert.h"
#include "math/fma.h"

static void forward(float *out, const float *residual, const float *x, const float *bias, dt_range rows,
                    int64_t C, const dt_dropout *drop, float *factor) {
    DT_ASSERT(C > 0 && dt_range_is_proper(rows) && (drop == NULL || factor != NULL));
    DT_ASSERT_SAME_OR_APART(out, rows.end * C * (int64_t)sizeof *out, residual,
                            rows.end * C * (int64_t)sizeof *out);
    DT_ASSERT_SAME_OR_APART(out, rows.end * C * (int64_t)sizeof *out, x, rows.end * C * (int64_t)sizeof *out);
    for (int64_t t = rows.first; t < rows.end; t++) {
        const float *r = residual + t * C, *p = x + t * C;
        float *o = out + t * C;
        if (drop) {
            dt_dropout_factors(factor, drop, (uint32_t)t, C);
            for (int64_t c = 0; c < C; c++)
                o[c] = dt_fma(factor[c], p[c] + bias[c], r[c]);
        } else {
            for (int64_t c = 0; c < C; c++)
                o[c] = r[c] + (p[c] + bias[c]);
        }
    }
}

/* Elements [0, count) of a row, at most a block; no factor is as one of 1. */
DT_FMA_INLINE void drop_block(dt_element *restrict dx, const float *restrict dout,
                              const float *restrict factor, int64_t count) {
    float workspace[DT_OPERAND_WORKSPACE], *made = dt_operand_target(dx, workspace);
    for (int64_t c = 0; c < count; c++)
        made[c] = factor ? factor[c] * dout[c] : dout[c];
    dt_operand_store(dx, made, count);
}

static void backward(dt_operand *dx, const float *dout, dt_range rows, int64_t C, const dt_dropout *drop,
                     float *factor) {
    DT_ASSERT(C > 0 && dt_range_is_proper(rows) && (drop == NULL || factor != NULL));
    for (int64_t t = rows.first; t < rows.end; t++) {
        const float *o = dout + t * C;
        dt_element *d = (dt_element *)dx + t * C;
        int64_t c = 0;
        if (drop)
            dt_dropout_factors(factor, drop, (uint32_t)t, C);
        const float *f = drop ? factor : NULL;
        for (; c < dt_operand_in_blocks(C); c += DT_OPERAND_BLOCK)
            drop_block(d + c, o + c, f ? f + c : NULL, DT_OPERAND_BLOCK);
        drop_block(d + c, o + c, f ? f + c : NULL, C - c);
    }
}

const struct dt_residual DT_COMPUTE_NAME(dt_residual) = {forward, backward};
