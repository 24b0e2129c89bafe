/**
 * AdamW (Loshchilov, Hutter, "Decoupled Weight Decay Regularization", 2019), as torch.optim.AdamW computes
 * it.
 *
 *     p -= lr wd p                      where the tensor decays
 *     m = b1 m + (1 - b1) g             g: the gradient times the clipping scale
 *     v = b2 v + (1 - b2) g^2
 *     p -= lr / (1 - b1^t) m / (sqrt(v) / sqrt(1 - b2^t) + eps)
 *
 * In bits: keep = 1 - lr wd, rest1 = 1 - b1, rest2 = 1 - b2, rate = lr / (1 - b1^t) and root = sqrt(1 - b2^t)
 * are worked out in double and rounded to float once, as b1, b2, eps and the scale are. Each element then
 * takes these operations in float, each rounded by itself:
 *
 *     g = gradient scale
 *     m = (b1 m) + (rest1 g)
 *     v = (b2 v) + ((rest2 g) g)
 *     p = (p keep) - (rate (m / ((sqrt(v) / root) + eps)))
 */
#ifndef DT_OPTIM_ADAMW_H
#define DT_OPTIM_ADAMW_H

#include <stdint.h>

#include "allreduce/partition.h"
#include "model/layout.h"

#define DT_ADAMW_EPS 1e-8

typedef struct dt_adamw {
    double learning_rate, weight_decay, beta1, beta2;
    double gradient_scale; /**< from clipping; 1 for none */
} dt_adamw;

/**
 * Takes step `step` (from 1). All vectors have layout->elements floats; `gradient` is only read. Shared out
 * among OpenMP threads in fixed chunks, so the bits do not depend on how many there are. Local.
 */
void dt_adamw_step(const dt_layout *layout, const dt_adamw *options, int64_t step, const float *gradient,
                   float *parameters, float *exp_avg, float *exp_avg_sq);

/**
 * The same for the elements of run[runs] alone, which rise and do not overlap, and whose moments stand one
 * after another in exp_avg and exp_avg_sq; the other vectors are whole. Runs that are all elements are the
 * step, bit for bit. Local.
 */
void dt_adamw_step_runs(const dt_layout *layout, const dt_adamw *options, int64_t step, const dt_slice *run,
                        int64_t runs, const float *gradient, float *parameters, float *exp_avg,
                        float *exp_avg_sq);

#endif
