/**
 * What a row comes to, in an order of operations that does not depend on the width of vectors.
 *
 * Every reduction in math/ has sixteen running lanes, of which lane l takes elements l, l + 16, l + 32 and so
 * on to the end of the row, and one fold at its end. Compilers turn that into vector code of any width up to
 * sixteen.
 */
#ifndef DT_MATH_ROW_H
#define DT_MATH_ROW_H

#include <stdint.h>

#include "math/fma.h"

#define DT_ROW_LANES 16

/* The largest of sixteen lanes, where the first is not a NaN. */
static inline float dt_row_max_fold(float lane[DT_ROW_LANES]) {
    /* Each loop of a length that the compiler knows. */
    for (int l = 0; l < 8; l++)
        lane[l] = lane[l + 8] > lane[l] ? lane[l + 8] : lane[l];
    for (int l = 0; l < 4; l++)
        lane[l] = lane[l + 4] > lane[l] ? lane[l + 4] : lane[l];
    const float even = lane[2] > lane[0] ? lane[2] : lane[0], odd = lane[3] > lane[1] ? lane[3] : lane[1];
    return odd > even ? odd : even;
}

/* The largest of row[0] and, in lane l, of each sixteenth element from l on, up to `whole`, a multiple of 16.
 */
static inline void dt_row_max_lanes(float lane[DT_ROW_LANES], const float *row, int64_t whole) {
    for (int l = 0; l < DT_ROW_LANES; l++)
        lane[l] = row[0];
    for (int64_t i = 0; i < whole; i += DT_ROW_LANES)
#pragma omp simd
        for (int l = 0; l < DT_ROW_LANES; l++)
            lane[l] = row[i + l] > lane[l] ? row[i + l] : lane[l];
}

/** dt_row_max where n is a multiple of DT_ROW_LANES: code without a rest. Local. */
static inline float dt_row_max_whole(const float *row, int64_t n) {
    float lane[DT_ROW_LANES];
    dt_row_max_lanes(lane, row, n);
    return dt_row_max_fold(lane);
}

/** The largest of row[0..n), n >= 1, of which a NaN is none unless it is the first. Local. */
static inline float dt_row_max(const float *row, int64_t n) {
    float lane[DT_ROW_LANES];
    const int64_t whole = n / DT_ROW_LANES * DT_ROW_LANES;
    dt_row_max_lanes(lane, row, whole);
    for (int l = 0; whole + l < n; l++)
        lane[l] = row[whole + l] > lane[l] ? row[whole + l] : lane[l];
    return dt_row_max_fold(lane);
}

/** Sets row[n..whole) to `value`; `whole` is a multiple of DT_ROW_LANES. Whole vectors, of which one takes
 * part of what stood there: a loop over those elements alone would branch on their number. Local. */
static inline void dt_row_fill(float *row, int64_t n, int64_t whole, float value) {
    for (int64_t i = n / DT_ROW_LANES * DT_ROW_LANES; i < whole; i += DT_ROW_LANES) {
        const int own = (int)(n - i < 0 ? 0 : n - i);
#pragma omp simd
        for (int l = 0; l < DT_ROW_LANES; l++)
            row[i + l] = l < own ? row[i + l] : value;
    }
}

typedef float dt_row_four __attribute__((vector_size(4 * sizeof(float)), aligned(sizeof(float)), may_alias));

/** The sum of sixteen lanes, added in pairs: 8 to 8, 4 to 4, 2 to 2, 1 to 1. Local. */
static inline float dt_row_fold(const float lane[DT_ROW_LANES]) {
    const dt_row_four *four = (const dt_row_four *)(const void *)lane;
    const dt_row_four sum = (four[0] + four[2]) + (four[1] + four[3]);
    return (sum[0] + sum[2]) + (sum[1] + sum[3]);
}

/** The sum of row[0..n). Local. */
static inline float dt_row_sum(const float *row, int64_t n) {
    float lane[DT_ROW_LANES] = {0};
    int64_t i = 0;
    for (; i + DT_ROW_LANES <= n; i += DT_ROW_LANES)
#pragma omp simd
        for (int l = 0; l < DT_ROW_LANES; l++)
            lane[l] += row[i + l];
    for (int l = 0; i + l < n; l++)
        lane[l] += row[i + l];
    return dt_row_fold(lane);
}

/** The sum of a[i] b[i], i < n. Local. */
static inline float dt_row_dot(const float *a, const float *b, int64_t n) {
    float lane[DT_ROW_LANES] = {0};
    int64_t i = 0;
    for (; i + DT_ROW_LANES <= n; i += DT_ROW_LANES)
#pragma omp simd
        for (int l = 0; l < DT_ROW_LANES; l++)
            lane[l] = dt_fma(a[i + l], b[i + l], lane[l]);
    for (int l = 0; i + l < n; l++)
        lane[l] = dt_fma(a[i + l], b[i + l], lane[l]);
    return dt_row_fold(lane);
}

#endif
