/**
 * What `dtrain bench` measures: whole steps, their parts, and the ceilings of the machine, over all ranks.
 */
#ifndef DT_BENCH_PROFILE_H
#define DT_BENCH_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/status.h"
#include "bench/peak.h"
#include "bench/statistics.h"
#include "comm/world.h"
#include "config/config.h"

/** One part of a step. Times are over all repetitions and ranks. */
typedef struct dt_profile_row {
    const char *name;
    int64_t calls;         /**< one after the other in a step, on the rank that makes the most; or all is 0 */
    dt_statistics seconds; /**< of all calls of a step */
    double flops;          /**< FLOP/s of a rank at the median; 0 where the part is no matrix product */
    double bytes_rate;     /**< bytes moved (bench/part.h) a second of a rank, at the median */
} dt_profile_row;

typedef struct dt_profile {
    int ranks, threads, hosts;
    const char *kernels, *core;              /**< which kernels run: this program's, and OpenBLAS's */
    int64_t repetitions, parameters, tokens; /**< tokens of a step */
    double model_flop;                       /**< of a step, see dt_part_model_flop */
    dt_peak peak;                            /**< of a rank: the mean over ranks */

    int64_t count;
    dt_profile_row *row; /**< [count] */
    double sum_seconds;  /**< of the rows' medians */

    dt_statistics step;     /**< seconds of a whole step */
    double exposed_seconds; /**< of the exchange in it: the median */
    double hidden_seconds;  /**< what the exchange takes by itself beyond that, 0 or more */
    int64_t resident_bytes; /**< in memory after the steps, of the largest rank */
    int64_t computed_bytes; /**< by the tables, of the largest rank */

    double loss;      /**< of the last timed step */
    bool losses_hold; /**< every timed step's loss is finite and has the same bits on all ranks */
} dt_profile;

/**
 * Takes two steps to warm up and then `repetitions` timed ones, measures the ceilings, and then each part by
 * itself as often. `config` and `repetitions` must agree. A failure before the measurements reaches all
 * ranks; one inside ends the job. The profile is complete on all ranks and is to be freed also on failure.
 * Collective.
 */
dt_status dt_profile_run(dt_profile *profile, const dt_world *world, const dt_config *config, int threads,
                         int64_t repetitions);

/** Frees; all zero is fine. Local. */
void dt_profile_free(dt_profile *profile);

/** The step's time that no part explains: step - (sum - hidden), in seconds; below 0 when parts overlap.
 * Local. */
double dt_profile_unaccounted(const dt_profile *profile);

/** Writes a sentence into `text` where more than a tenth of the step, and more than 0.3 ms, is unaccounted
 * for or below 0: then the table does not explain the step. Returns false where it does. Local. */
bool dt_profile_warning(const dt_profile *profile, char *text, size_t text_bytes);

/** Model FLOP a second over the multiply-adds that all ranks together could do, from 0 to 1. Local. */
double dt_profile_model_utilisation(const dt_profile *profile);

#endif
