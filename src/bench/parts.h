/**
 * Times every part of a step (bench/part.h) by itself, with a rank's own memory, shapes and threads.
 */
#ifndef DT_BENCH_PARTS_H
#define DT_BENCH_PARTS_H

#include <stdint.h>

#include "base/status.h"
#include "bench/part.h"
#include "plan/harness.h"
#include "comm/world.h"
#include "step/micro_batches.h"
#include "step/overlap.h"

typedef struct dt_parts {
    dt_harness *rig;
    const dt_world *world;
    int64_t count;
    dt_part *part; /**< [count]: those of a leaf, then those of a step */

    dt_micro_batches plan;
    dt_leaf leaf; /**< the rank's first, for all threads, each in its own memory */
    const uint8_t **windows;
    int64_t vectors;
    float **gradient;  /**< [vectors]: as many as a step of this rank has, and two at least */
    dt_gpt_view *view; /**< [vectors] */
    dt_overlap *overlap;
    double *partial;
} dt_parts;

/**
 * Prepares the parts of the steps that `rig` takes for `config`, and runs one leaf forward and backward on
 * each thread, so that all arrays hold what they hold in training. `rig` must outlive the parts and is of no
 * use for training afterwards. The parts are to be freed also on failure. On failure all ranks return the
 * same code. Collective.
 */
dt_status dt_parts_create(dt_parts *parts, const dt_world *world, dt_harness *rig, const dt_config *config);

/** Frees; all zero is fine. Collective, unless all zero. */
void dt_parts_free(dt_parts *parts);

/** How often this rank calls a part in a step, one after the other: calls of a leaf times the waves of
 * leaves. Local. */
int64_t dt_parts_calls(const dt_parts *parts, int64_t index);

/** FLOP (or bytes) of such a call on all threads together, from those of one leaf. Local. */
double dt_parts_work(const dt_parts *parts, int64_t index, double of_call);

/**
 * Fills seconds[count, repetitions]: each repetition makes all the calls of a part that a step of this rank
 * makes, layer after layer, and one more beforehand warms up. All ranks start a repetition together. A
 * failure on one rank leaves others waiting: the caller must end the job. Collective.
 */
dt_status dt_parts_measure(dt_parts *parts, int64_t repetitions, double *seconds);

#endif
