/**
 * The vectors of gradient that a rank holds at once: the buffers of its schedule (step/micro_batches.h).
 *
 * All functions are local.
 */
#ifndef DT_STEP_GRADIENTS_H
#define DT_STEP_GRADIENTS_H

#include <stdint.h>

#include "base/status.h"
#include "model/gpt.h"
#include "step/micro_batches.h"
#include "step/workers.h"

/** All zero where there are none. */
typedef struct dt_gradients {
    int64_t count;
    float **vector;    /**< [count], each of layout->elements */
    dt_gpt_view *view; /**< [count]: the same as tensors */
} dt_gradients;

/** Allocates schedule->buffers zeroed vectors of `layout`, each by the first thread of the team that writes
 * to it first, so that it is on that team's NUMA node. To be freed also on failure. Outside parallel regions.
 */
dt_status dt_gradients_create(dt_gradients *gradients, const dt_workers *workers,
                              const dt_micro_batches *schedule, const dt_layout *layout);

/** Frees; all zero is fine. */
void dt_gradients_free(dt_gradients *gradients);

#endif
