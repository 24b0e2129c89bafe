/**
 * The algorithms of the allreduce side by side in one job: `dtrain bench --algorithms`.
 *
 * A step with each is taken in turn, and a round of the probe (plan/probe.h) after each, so that whatever
 * disturbs the machine disturbs them alike. Beside each stand the time that its allreduce takes by itself,
 * how much of it the backward pass hides, and what the plan (plan/plan.h) predicts.
 */
#ifndef DT_BENCH_ALGORITHMS_H
#define DT_BENCH_ALGORITHMS_H

#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "plan/plan.h"

/** Flat, hierarchical, bf16 and the library's. */
#define DT_ALGORITHMS_MAX 4

/** One algorithm: medians over the steps. */
typedef struct dt_algorithms_row {
    const char *name;
    double step_seconds;
    double exposed_seconds; /**< of the allreduce, as the rank sees it that comes last */
    double skew_seconds;    /**< that the first rank waited for that one */
    double alone_seconds;   /**< the allreduce with nothing beside it */
    double hidden;          /**< of what can be hidden, from 0 to 1; NaN where that is too little to tell */
    dt_plan_point plan;
} dt_algorithms_row;

typedef struct dt_algorithms {
    int ranks, hosts, threads;
    double threads_per_core; /**< threads that take turns on a core */
    int64_t repetitions, bucket_bytes;
    dt_plan_machine measured;
    int count;
    dt_algorithms_row row[DT_ALGORITHMS_MAX];
} dt_algorithms;

/**
 * Measures `config` flat, hierarchical where hosts have several ranks, in bf16 by the algorithm that auto
 * takes, and with the library's sum, on `threads` threads a rank, with `repetitions` timed steps of each;
 * `threads_per_core` is how many threads take turns on a core, 0 for what this host shows. `*result` is
 * complete on rank 0. A failure inside a step ends the job. All arguments must agree. Collective.
 */
dt_status dt_algorithms_run(dt_algorithms *result, const dt_world *world, const dt_config *config,
                            int threads, int64_t repetitions, double threads_per_core);

#endif
