/**
 * What the parts of a step cost a rank: measured briefly, on all ranks at once, for predictions. Ranks that
 * share a host's caches and memory are slower together than alone, and in a step the slowest sets the pace.
 */
#ifndef DT_BENCH_PROBE_H
#define DT_BENCH_PROBE_H

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"

typedef struct dt_probe {
    int threads;
    double forward_seconds, backward_seconds; /**< of one leaf on each thread at once */
    double add_seconds;                       /**< of one float of a tree addition, all threads sharing it */
    double add_alone_seconds;                 /**< the same on one thread, as the exchange adds */
    double update_seconds;                    /**< the gradient's norm and AdamW, over the whole model */
} dt_probe;

/**
 * Measures with `threads` threads a rank, the same on every rank: each number is the slowest rank's mean.
 * Takes some seconds, more where a leaf does. What other programs do meanwhile shows in the result.
 * Collective.
 */
dt_status dt_probe_run(dt_probe *probe, const dt_world *world, const dt_config *config, int threads);

#endif
