/**
 * The measurements of a scaling study inside one job: `dtrain bench --scaling strong,weak`.
 */
#ifndef DT_BENCH_SCALING_H
#define DT_BENCH_SCALING_H

#include <stdint.h>

#include "base/status.h"
#include "bench/study.h"
#include "comm/world.h"
#include "config/config.h"

typedef struct dt_scaling_options {
    const char *kinds;   /**< "strong", "weak" or both with a comma */
    const char *ranks;   /**< "1,2,3,8"; NULL for 1, 2, 4, .. and the size of the job */
    int64_t repetitions; /**< timed steps a point, 2 or more; 0 for the default */
} dt_scaling_options;

/**
 * Measures the step of `config` on parts of the job, into `*study`, which is complete on rank 0 but for what
 * dt_study_derive adds. In strong scaling all points share the batch; in weak scaling batch_size is one
 * rank's. A point that cannot run is listed with the reason. Ranks that have no part in a point sleep.
 * `config` must outlive the study; study->machine is to be freed by dt_machine_free, also on failure. All
 * arguments must agree. Collective.
 */
dt_status dt_scaling_run(dt_study *study, const dt_world *world, const dt_config *config,
                         const dt_scaling_options *options);

#endif
