/**
 * Which fraction of what the processors could compute at most goes into the model: model FLOP utilisation,
 * MFU (model/flop.h has the count and its source).
 *
 *     MFU = model FLOP of a step / (seconds of the step x ceiling of all ranks)
 *
 * The ceiling is measured when a run starts, on all threads of all ranks at once: multiply-adds in registers,
 * some milliseconds long.
 */
#ifndef DT_TRAIN_UTILISATION_H
#define DT_TRAIN_UTILISATION_H

#include "base/dtype.h"
#include "base/status.h"
#include "comm/world.h"

typedef struct dt_utilisation {
    double model_flop;    /**< of a step, all ranks together */
    double ceiling_flops; /**< of all ranks together, FLOP/s */
} dt_utilisation;

/** Measures what `threads` threads of each rank could do at most in `compute`; where threads outnumber the
 * hardware threads that they may use, these count. `model_flop` is kept as it is. Collective. */
dt_status dt_utilisation_measure(dt_utilisation *utilisation, const dt_world *world, int threads,
                                 dt_dtype compute, double model_flop);

/** The fraction, from 0 to 1, of a step that took so many seconds. Pure; local. */
double dt_utilisation_fraction(const dt_utilisation *utilisation, double step_seconds);

#endif
