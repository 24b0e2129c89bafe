/**
 * A whole scaling study inside one job: `dtrain bench --scaling strong,weak`.
 */
#ifndef DT_BENCH_SCALING_H
#define DT_BENCH_SCALING_H

#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"

typedef struct dt_scaling_options {
    const char *kinds;   /**< "strong", "weak" or both with a comma */
    const char *ranks;   /**< "1,2,3,8"; NULL for 1, 2, 4, .. and the size of the job */
    const char *json;    /**< where the numbers go as JSON, or NULL */
    const char *report;  /**< where the page goes, or NULL */
    int64_t repetitions; /**< timed steps a point, 2 or more; 0 for the default */
} dt_scaling_options;

/**
 * Measures the step of `config` on parts of the job, prints the tables and writes what was asked for. In
 * strong scaling all points share the batch; in weak scaling batch_size is one rank's. A point that cannot
 * run is listed with the reason. Ranks that have no part in a point sleep. All arguments must agree.
 * Collective.
 */
dt_status dt_scaling_verb(const dt_world *world, const dt_config *config, const dt_scaling_options *options);

#endif
