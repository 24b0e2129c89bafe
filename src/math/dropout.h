/**
 * Dropout whose masks are functions of what they mask, made where they are used and again in the backward
 * pass.
 *
 * Element (row, col) of a site in a layer, for one sequence (the global slot) of one step, is dropped when
 * its random word is below p 2^32, else scaled by 1 / (1 - p). The word: counter (64-column block x 16 +
 * lane, row, slot, step) under the key of (seed, layer, site); the four words of a counter serve columns
 * lane, lane + 16, lane + 32 and lane + 48 of the block, so that sixteen counters side by side fill 64
 * neighbouring columns.
 */
#ifndef DT_MATH_DROPOUT_H
#define DT_MATH_DROPOUT_H

#include <stdint.h>
#include <string.h>

#include "base/philox.h"
#include "math/isa.h"
#include "math/operand.h"
#include "math/philox_lanes.h"
#include "math/range.h"

#define DT_DROPOUT_BLOCK 64

/** Where a model drops out. Part of every mask's key: never renumber. */
typedef enum dt_dropout_site {
    DT_DROPOUT_EMBEDDING = 0,  /**< rows: positions, cols: C; layer 0 */
    DT_DROPOUT_ATTENTION = 1,  /**< rows: head * T + query, cols: keys */
    DT_DROPOUT_RESIDUAL_1 = 2, /**< after the attention's projection; rows: positions, cols: C */
    DT_DROPOUT_RESIDUAL_2 = 3  /**< after the MLP's projection; rows: positions, cols: C */
} dt_dropout_site;

/** The masks of one site for one sequence. A pointer to it that is NULL means no dropout. */
typedef struct dt_dropout {
    dt_philox_key key;
    uint32_t slot, step;
    uint32_t threshold; /**< p 2^32 */
    float scale;        /**< 1 / (1 - p), or 0 when p is 1 */
} dt_dropout;

/** The masks of (layer, site) for sequence `slot` of step `step`, at probability 0 < p <= 1. Local. */
dt_dropout dt_dropout_at(uint64_t seed, double p, int64_t layer, dt_dropout_site site, int64_t slot,
                         int64_t step);

/** Room for the factors of `cols` columns, in floats. */
#define DT_DROPOUT_FLOATS(cols) (((cols) + DT_DROPOUT_BLOCK - 1) / DT_DROPOUT_BLOCK * DT_DROPOUT_BLOCK)

/**
 * What columns [from, from + cols) of row `row` are multiplied by: factor[DT_DROPOUT_FLOATS(cols)], each 0 or
 * the scale; `from` is a multiple of DT_DROPOUT_BLOCK. Inline, so that it is compiled for the instruction set
 * of the kernel that uses it. Local.
 */
static inline void dt_dropout_factors_from(float *restrict factor, const dt_dropout *drop, uint32_t row,
                                           int64_t from, int64_t cols) {
    const dt_dropout d = *drop;
    uint32_t scale;
    memcpy(&scale, &d.scale, sizeof scale);
    for (int64_t block = 0; block < cols; block += DT_DROPOUT_BLOCK)
        for (int64_t lane = 0; lane < DT_DROPOUT_BLOCK / 4; lane += DT_PHILOX_WAYS * DT_PHILOX_LANES) {
            dt_philox_wide words[DT_PHILOX_WAYS][4];
            for (int64_t way = 0; way < DT_PHILOX_WAYS; way++) {
                const int64_t first = (from + block) / 4 + lane + way * DT_PHILOX_LANES;
                words[way][0] = dt_philox_count((uint32_t)first);
                words[way][1] = dt_philox_all(row);
                words[way][2] = dt_philox_all(d.slot);
                words[way][3] = dt_philox_all(d.step);
            }
            dt_philox_run(words, d.key);
            for (int64_t w = 0; w < 4; w++) {
                const dt_philox_narrow word = dt_philox_join(words[0][w], words[1][w]);
                dt_philox_narrow *out = (void *)(factor + block + 16 * w + lane);
                /* All bits of the scale where the word is not below the threshold, else those of 0. */
                *out = (dt_philox_narrow)(word >= d.threshold) & scale;
            }
        }
}

/** The same from column 0. Local. */
static inline void dt_dropout_factors(float *restrict factor, const dt_dropout *drop, uint32_t row,
                                      int64_t cols) {
    dt_dropout_factors_from(factor, drop, row, 0, cols);
}

/** The branch that ends in the residual stream, out = residual + dropout(x + bias), for one sequence. */
struct dt_residual {
    /**
     * `rows` of out[T, C] = residual[T, C] + factor * (x[T, C] + bias[C]); x comes from a projection.
     * `factor` is scratch of DT_DROPOUT_FLOATS(C) floats. `out` may be `residual` or `x`. Local.
     */
    void (*forward)(float *out, const float *residual, const float *x, const float *bias, dt_range rows,
                    int64_t C, const dt_dropout *drop, float *factor);

    /** `rows` of dx[T, C] = factor * dout[T, C]. Local. */
    void (*backward)(dt_operand *dx, const float *dout, dt_range rows, int64_t C, const dt_dropout *drop,
                     float *factor);
};
DT_COMPUTE_DECLARE(dt_residual);

#endif
