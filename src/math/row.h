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

/** The largest of row[0..n), n >= 1; sixteen running maxima, as a compiler may not reorder comparisons by
 * itself. Local. */
static inline float dt_row_max(const float *row, int64_t n) {
    float lane[16], most = row[0];
    int64_t i = 0;
    for (int l = 0; l < 16; l++)
        lane[l] = most;
    for (; i + 16 <= n; i += 16)
        for (int l = 0; l < 16; l++)
            lane[l] = row[i + l] > lane[l] ? row[i + l] : lane[l];
    for (int l = 0; l < 16; l++)
        most = lane[l] > most ? lane[l] : most;
    for (; i < n; i++)
        most = row[i] > most ? row[i] : most;
    return most;
}

/** The sum of sixteen lanes, added in pairs: 8 to 8, 4 to 4, 2 to 2, 1 to 1. `lane` is lost. Local. */
static inline float dt_row_fold(float lane[DT_ROW_LANES]) {
    for (int half = DT_ROW_LANES / 2; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
}

/** The sum of row[0..n). Local. */
static inline float dt_row_sum(const float *row, int64_t n) {
    float lane[DT_ROW_LANES] = {0};
    int64_t i = 0;
    for (; i + DT_ROW_LANES <= n; i += DT_ROW_LANES)
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
        for (int l = 0; l < DT_ROW_LANES; l++)
            lane[l] = dt_fma(a[i + l], b[i + l], lane[l]);
    for (int l = 0; i + l < n; l++)
        lane[l] = dt_fma(a[i + l], b[i + l], lane[l]);
    return dt_row_fold(lane);
}

#endif
