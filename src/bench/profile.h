/**
 * What `dtrain bench` measures: whole steps, where their time goes, and the ceilings of the machine, over all
 * ranks.
 *
 * This room measures. A config enters, and real steps are taken (plan/harness.h); numbers leave: this
 * file's, the algorithms of the allreduce side by side (algorithms.h), scaling studies (study.h). What
 * people look at is made of them in report/.
 *
 * The sections of a step are timed in the step: the rows that it measures itself (step/spans.h), and its
 * kernels (plan/timed_kernels.h). What is left is said, as the time that is unaccounted for.
 */
#ifndef DT_BENCH_PROFILE_H
#define DT_BENCH_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/dtype.h"
#include "base/status.h"
#include "bench/peak.h"
#include "bench/statistics.h"
#include "comm/world.h"
#include "config/config.h"
#include "model/layout.h"

/** One section of a step. Times are over all repetitions and ranks. */
typedef struct dt_profile_row {
    const char *name;
    int64_t calls;         /**< of all threads in a step, on the rank that makes the most; or all is 0 */
    dt_statistics seconds; /**< of all calls of a step, as in step/spans.h */
    double flop, bytes;    /**< of a step of a rank, the mean over ranks; flop is 0 but for matrix products */
} dt_profile_row;

typedef struct dt_profile {
    int ranks, threads, hosts;
    const char *kernels, *core;              /**< which kernels run: this program's, and OpenBLAS's */
    dt_dtype compute;                        /**< what products multiply */
    dt_products products;                    /**< whose they are */
    int64_t repetitions, parameters, tokens; /**< tokens of a step */
    double model_flop;                       /**< of a step, by model/flop.h */
    dt_peak peak;                            /**< of a rank: the mean over ranks */

    int64_t count;
    dt_profile_row *row; /**< [count]: the kernels, then the rest of the step */
    double sum_seconds;  /**< of the rows in a step: the median over steps and ranks */

    dt_statistics step;   /**< seconds of a whole step that was timed section by section */
    double plain_seconds; /**< of one that was not: the median */
    double other_seconds; /**< the same with the other's products, OpenBLAS's or dtrain's own; NaN in bf16 and
                             where OpenBLAS is not installed */
    double exposed_seconds; /**< of the allreduce in it: the median */
    double alone_seconds;   /**< the allreduce with nothing beside it: the median; 0 with one rank */
    int64_t resident_bytes; /**< in memory after the steps, of the largest rank */
    int64_t computed_bytes; /**< by the tables, of the largest rank */

    double loss;      /**< of the last step */
    bool losses_hold; /**< every step's loss is finite and has the same bits on all ranks */
} dt_profile;

/**
 * Takes two steps to warm up and then `repetitions` pairs of a step as training takes it and one that is
 * timed section by section, then `repetitions` allreduces alone and as many steps with the other's products,
 * and measures the ceilings. `config` and `repetitions` must agree. A failure before the measurements reaches
 * all ranks; one inside ends the job. The profile is complete on all ranks and is to be freed also on
 * failure. Collective.
 */
dt_status dt_profile_run(dt_profile *profile, const dt_world *world, const dt_config *config, int threads,
                         int64_t repetitions);

/** Frees; all zero is fine. Local. */
void dt_profile_free(dt_profile *profile);

/** The step's time that no section has: step - sum, in seconds. Local. */
double dt_profile_unaccounted(const dt_profile *profile);

/** What the allreduce takes alone beyond what was exposed of it: the backward pass hid it. 0 or more. Local.
 */
double dt_profile_hidden(const dt_profile *profile);

/** Writes a sentence into `text` where more than a tenth of the step, and more than 0.3 ms, is unaccounted
 * for: then the table does not explain the step. Returns false where it does. Local. */
bool dt_profile_warning(const dt_profile *profile, char *text, size_t text_bytes);

/** What a rank's products could reach: multiply-adds of floats, or with compute dtype bf16 the dot products
 * of a processor that has them and has them quicker, FLOP/s. Local. */
double dt_profile_roof(const dt_profile *profile);

/** Model FLOP a second over the roof of all ranks together, from 0 to 1. Local. */
double dt_profile_model_utilisation(const dt_profile *profile);

#endif
