/**
 * The smaller and the larger of two counts.
 */
#ifndef DT_BASE_MINMAX_H
#define DT_BASE_MINMAX_H

#include <stdint.h>

/** The smaller of the two. Local. */
static inline int64_t dt_min(int64_t a, int64_t b) {
    return a < b ? a : b;
}

/** The larger of the two. Local. */
static inline int64_t dt_max(int64_t a, int64_t b) {
    return a > b ? a : b;
}

#endif
