/**
 * What a rank's processor could compute at most: multiply-adds in registers, on all threads at once.
 */
#ifndef DT_STEP_CEILING_H
#define DT_STEP_CEILING_H

#include "base/dtype.h"

/** How long to look for the fastest try. */
typedef struct dt_ceiling_effort {
    double flop;        /**< of a thread in a try */
    int tries;          /**< at most */
    double max_seconds; /**< no try begins after that */
} dt_ceiling_effort;

/**
 * Measures multiply-adds of floats with the widest vectors there are, or with DT_DTYPE_BF16 dot products of
 * bfloat16, on `threads` threads together, in FLOP/s; 0 where the processor has no such instruction. The
 * fastest try counts, since a ceiling is what the machine can do and not what it does on average. All ranks
 * of a host should call it at once, so that they share the machine as in a step. Local.
 */
double dt_ceiling_measure(dt_dtype dtype, int threads, const dt_ceiling_effort *effort);

#endif
