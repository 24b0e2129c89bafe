/**
 * Panels of bfloat16 as they are kept in memory: a matrix B[k, n] in the order in which products read it, the
 * same for every instruction set.
 *
 *     panel 0: columns 0 to 31; panel 1: columns 32 to 63; ..; the last is filled up with columns of zeros
 *     in a panel: pair 0, rows 0 and 1; pair 1, rows 2 and 3; ..; an odd k is filled up with a row of zeros
 *     in a pair: b[2p, 0], b[2p + 1, 0], b[2p, 1], b[2p + 1, 1], ..: 32 words of 32 bits, two cache lines
 *
 * That is what the instruction VDPBF16PS takes (math/tile_bf16.h); sets without it expand a panel when they
 * use it. Panels start on a cache line. Functions are local.
 */
#ifndef DT_MATH_PANEL_BF16_H
#define DT_MATH_PANEL_BF16_H

#include <stdint.h>

#define DT_PANEL_BF16_COLS 32

/** Panels of a matrix of `n` columns. */
static inline int64_t dt_panel_bf16_count(int64_t n) {
    return (n + DT_PANEL_BF16_COLS - 1) / DT_PANEL_BF16_COLS;
}

/** Elements of a panel of `k` rows. */
static inline int64_t dt_panel_bf16_elements(int64_t k) {
    return (k + 1) / 2 * 2 * DT_PANEL_BF16_COLS;
}

/** Fills a panel from columns [0, cols) of b[k, ..], row stride `stride`. */
static inline void dt_panel_bf16_pack(uint16_t *restrict panel, const uint16_t *restrict b, int64_t stride,
                                      int64_t k, int64_t cols) {
    for (int64_t p = 0; p < k; p += 2, panel += 2 * DT_PANEL_BF16_COLS) {
        const uint16_t *even = b + p * stride, *odd = even + stride;
        /* One loop for the panels that are many, which becomes vector code. */
        if (cols == DT_PANEL_BF16_COLS && p + 1 < k) {
            for (int64_t j = 0; j < DT_PANEL_BF16_COLS; j++) {
                panel[2 * j] = even[j];
                panel[2 * j + 1] = odd[j];
            }
            continue;
        }
        for (int64_t j = 0; j < DT_PANEL_BF16_COLS; j++) {
            panel[2 * j] = j < cols ? even[j] : 0;
            panel[2 * j + 1] = j < cols && p + 1 < k ? odd[j] : 0;
        }
    }
}

#endif
