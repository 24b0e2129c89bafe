/**
 * What a row comes to, in forms that every compiler turns into vector code.
 */
#ifndef DT_MATH_ROW_H
#define DT_MATH_ROW_H

#include <stdint.h>

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

/** The sum of a[i] b[i], i < n; sixteen running sums, added in pairs at the end. Local. */
static inline float dt_row_dot(const float *a, const float *b, int64_t n) {
    float lane[16] = {0}, sum;
    int64_t i = 0;
    for (; i + 16 <= n; i += 16)
        for (int l = 0; l < 16; l++)
            lane[l] += a[i + l] * b[i + l];
    for (int half = 8; half > 0; half /= 2)
        for (int l = 0; l < half; l++)
            lane[l] += lane[l + half];
    sum = lane[0];
    for (; i < n; i++)
        sum += a[i] * b[i];
    return sum;
}

#endif
