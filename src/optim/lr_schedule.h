/**
 * The learning rate of each step.
 */
#ifndef DT_OPTIM_LR_SCHEDULE_H
#define DT_OPTIM_LR_SCHEDULE_H

#include <stdint.h>

#include "config/choices.h"

typedef struct dt_lr_schedule {
    dt_lr_shape shape;
    double peak, min;     /**< learning_rate, min_learning_rate */
    int64_t warmup_steps; /**< linear from 0 */
    int64_t decay_steps;  /**< length of wsd's decay */
    int64_t max_steps;
} dt_lr_schedule;

/**
 * The learning rate of step `step`, from 1. During warm-up peak x step / warmup_steps; after it
 *     constant  peak
 *     cosine    min + (peak - min) (1 + cos(pi z)) / 2, z from 0 to 1 between warm-up and max_steps
 *               (Loshchilov, Hutter, "SGDR", 2017, without restarts)
 *     wsd       peak, then in the last decay_steps linearly to `min`; a decay that would begin before
 *               the end of the warm-up begins there (warm-up, stable, decay: Hu et al., "MiniCPM", 2024)
 * so that step max_steps has `min`, if the warm-up leaves room: with 0 it changes no weight. Past max_steps
 * the rate stays where it ended. Local.
 */
double dt_lr_schedule_rate(const dt_lr_schedule *schedule, int64_t step);

#endif
