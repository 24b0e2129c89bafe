/**
 * The ceilings that a step is judged by: arithmetic, matrix products and memory.
 *
 * Each is measured on all threads of a rank at once, as a step uses them, and is the fastest of a few tries,
 * since a ceiling is what the machine can do and not what it does on average.
 */
#ifndef DT_BENCH_PEAK_H
#define DT_BENCH_PEAK_H

#include <stdint.h>

#include "base/status.h"
#include "model/layout.h"

typedef struct dt_peak {
    double fma_flops;   /**< multiply-adds in registers, with the widest vectors there are, FLOP/s */
    double bf16_flops;  /**< dot products of bfloat16 in registers, FLOP/s; 0 where the processor has none */
    double sgemm_flops; /**< the fastest of OpenBLAS's products at the model's shapes, FLOP/s; NaN where
                           it is not installed */
    double copy_bytes;  /**< memcpy between blocks beyond the caches, bytes read and written a second */
} dt_peak;

/**
 * Measures this rank's ceilings with `threads` threads, for a model of `shape` and micro-batches of
 * `sequences` sequences. All ranks of a host should call it at once, so that they share the machine as in a
 * step. Fails when memory is short. Local.
 */
dt_status dt_peak_measure(dt_peak *peak, int threads, const dt_shape *shape, int64_t sequences);

#endif
