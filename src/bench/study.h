/**
 * The result of a scaling study: its points, and what follows from them.
 *
 * All functions are local.
 */
#ifndef DT_BENCH_STUDY_H
#define DT_BENCH_STUDY_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "plan/machine.h"
#include "plan/plan.h"
#include "plan/ranks.h"
#include "bench/statistics.h"
#include "config/config.h"

/** Strong and weak, each with every number of ranks. */
#define DT_STUDY_POINTS ((int64_t)2 * DT_RANKS_COUNT)

typedef struct dt_study_point {
    bool weak;
    int ranks;
    int64_t batch;           /**< sequences, of all ranks together */
    char reason[256];        /**< why the point could not be measured; "" when it was */
    double threads_per_core; /**< threads that took turns on a core; 1 when each had its own */

    dt_statistics step;                        /**< seconds */
    double allreduce_seconds, exposed_seconds; /**< means, as in step/overlap.h */
    dt_plan_point plan;

    /* What dt_study_derive makes of the above. */
    double tokens_per_second;
    double speedup, speedup_half_width; /**< against the first measured point of its kind */
    double efficiency;                  /**< speedup / ranks */
    double serial_fraction;             /**< Karp and Flatt's; NaN for one rank */
    double plan_speedup;
} dt_study_point;

typedef struct dt_study {
    const dt_config *config;
    int64_t parameters; /**< of the model */
    int64_t repetitions, warmups;
    dt_machine machine;  /**< of the largest job, where several were joined */
    json_t *other_hosts; /**< names of hosts that ran smaller jobs alone; NULL or empty for none */
    dt_plan_machine measured;
    int64_t count;
    dt_study_point point[DT_STUDY_POINTS];
} dt_study;

/**
 * e = (1 / S - 1 / p) / (1 - 1 / p), the part of the work that acts as if it ran on one rank alone, of a
 * speed-up S on p ranks; NaN for p = 1. (A. H. Karp, H. P. Flatt, "Measuring parallel processor performance",
 * CACM 33(5), 1990.)
 */
double dt_study_serial_fraction(double speedup, int ranks);

/** Whether the point was measured; otherwise its `reason` says why not. */
bool dt_study_measured(const dt_study_point *point);

/**
 * Completes all points from their step times. With R tokens/s, the speed-up on p ranks is S = p0 R(p) /
 * R(p0), where p0 is the smallest number of ranks that was measured, normally 1. That is T(1) / T(p) in
 * strong scaling and the scaled speed-up p T(1) / T(p) in weak scaling (J. L. Gustafson, CACM 31(5), 1988).
 * Its interval adds the relative half-widths of both step times in squares.
 */
void dt_study_derive(dt_study *study);

/**
 * Two points of the two kinds that are the same work (as many ranks, the same batch) and yet took times whose
 * 95 % intervals do not meet: what else ran on the machine changed between them, or its clock rate. Writes
 * the `index`-th such pair (from 0) as a sentence into `text`; returns false when there are not so many.
 */
bool dt_study_disagreement(const dt_study *study, int index, char *text, size_t text_bytes);

#endif
