/**
 * Losses that jump: a loss far above those of the steps before it.
 *
 * The z-score of a loss is how many standard deviations it lies above the mean of the last `window` finite
 * losses. The detector works on losses as metrics.jsonl has them, so that a run that goes on with the lines
 * of its file finds what it would have found without the stop. All functions are local; rank 0 alone uses
 * them.
 */
#ifndef DT_TRAIN_SPIKE_H
#define DT_TRAIN_SPIKE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"

typedef struct dt_spike {
    int64_t window; /**< losses that are remembered; 0 when the detector is off */
    double threshold;
    int64_t seen; /**< finite losses so far */
    double *loss; /**< [window]: the one seen as number n is at n % window */
} dt_spike;

/** What is said of a spike, in nats but for `z`. */
typedef struct dt_spike_finding {
    double mean, deviation, z;
} dt_spike_finding;

/** Prepares a detector of spikes above `threshold` deviations over `window` losses (DT_NULL_INT: none). The
 * caller frees it. */
dt_status dt_spike_create(dt_spike *spike, int64_t window, double threshold);

/** Frees; all zero is fine. */
void dt_spike_free(dt_spike *spike);

/**
 * Takes in the loss of the next step, in nats, and says whether it is a spike; then `*finding` is filled.
 * There is none before the window is full. A loss that is not finite is no spike and is not remembered.
 */
bool dt_spike_look(dt_spike *spike, double loss, dt_spike_finding *finding);

#endif
