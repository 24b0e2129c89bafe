/**
 * The ways of the exchange side by side in one job: `dtrain bench --ways`.
 *
 * A step of each way is taken in turn, and a bout of the probe (bench/probe.h) after each, so that whatever
 * disturbs the machine disturbs them alike. Beside each stand the time that its exchange takes by itself, how
 * much of it the backward pass hides, and what the plan (bench/plan.h) predicts.
 */
#ifndef DT_BENCH_WAYS_H
#define DT_BENCH_WAYS_H

#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"

typedef struct dt_ways_options {
    int64_t repetitions; /**< timed steps of each way */
    double share;        /**< threads that take turns on a core; 0 for what this host shows */
    const char *json;    /**< where the numbers go as JSON, or NULL */
} dt_ways_options;

/**
 * Measures `config` flat, hierarchical where hosts have several ranks, in bf16 by the way that auto takes,
 * and with the library's sum, on `threads` threads a rank; prints the table and writes what was asked for.
 * A failure inside a step ends the job. All arguments must agree. Collective.
 */
dt_status dt_ways_run(const dt_world *world, const dt_config *config, int threads,
                      const dt_ways_options *options);

#endif
