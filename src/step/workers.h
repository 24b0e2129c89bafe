/**
 * The threads of a rank and the activations each of them works in, for training and evaluation alike.
 */
#ifndef DT_STEP_WORKERS_H
#define DT_STEP_WORKERS_H

#include <stdint.h>

#include "base/status.h"
#include "model/activations.h"
#include "model/weights.h"

typedef struct dt_workers {
    int threads;                 /**< how many a parallel region really has */
    dt_activations *activations; /**< [threads] */
} dt_workers;

/**
 * How many threads a rank runs: OMP_NUM_THREADS, or 1 where it is not set, but no more than OpenMP's
 * environment allows (OMP_THREAD_LIMIT). Fails on a value that is no count. Local.
 */
dt_status dt_workers_count(int *threads);

/**
 * Makes `threads` the number of OpenMP's threads, or as many of them as it can have, and allocates
 * activations for micro-batches of `sequences`, with `recompute` as model/activations.h has it. To be freed
 * also on failure. Local.
 */
dt_status dt_workers_create(dt_workers *workers, int threads, const dt_kernels *kernels,
                            const dt_shape *shape, int64_t sequences, dt_recompute recompute);

/** Packs all panels of the model's weights from these as they are, by all threads together. To be called
 * whenever they have changed. Does nothing in fp32. Local. */
void dt_workers_pack(const dt_workers *workers, const dt_gpt *gpt, const dt_weights *weights);

/** Frees; all zero is fine. Local. */
void dt_workers_free(dt_workers *workers);

#endif
