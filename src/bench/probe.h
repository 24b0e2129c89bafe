/**
 * What the parts of a step cost on one rank of this machine: measured briefly, for predictions.
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
 * Measures with `threads` threads. `world` is a world of one rank. Takes about a second, more where a leaf
 * does. What other programs do meanwhile shows in the result. Local.
 */
dt_status dt_probe_run(dt_probe *probe, const dt_world *world, const dt_config *config, int threads);

#endif
