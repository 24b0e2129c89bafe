/* One pass over contiguous memory: everything that an element needs is read and written once. */
#include "optim/adamw.h"

#include <math.h>

#include "base/assert.h"
#include "base/elementary.h"
#include "base/minmax.h"

#define CHUNK 16384

/* The step's scalars, in the precision in which they meet the elements. */
typedef struct coefficients {
    float keep, beta1, rest1, beta2, rest2, step_size, root, scale;
} coefficients;

static void update(const coefficients *k, int64_t count, const float *restrict gradient,
                   float *restrict parameters, float *restrict exp_avg, float *restrict exp_avg_sq) {
    const coefficients c = *k;
#pragma omp simd
    for (int64_t i = 0; i < count; i++) {
        float g = gradient[i] * c.scale;
        float m = c.beta1 * exp_avg[i] + c.rest1 * g;
        float v = c.beta2 * exp_avg_sq[i] + c.rest2 * g * g;
        float denominator = sqrtf(v) / c.root + (float)DT_ADAMW_EPS;
        exp_avg[i] = m;
        exp_avg_sq[i] = v;
        parameters[i] = parameters[i] * c.keep - c.step_size * (m / denominator);
    }
}

void dt_adamw_step_range(const dt_layout *layout, const dt_adamw *options, int64_t step, int64_t first,
                         int64_t end, const float *gradient, float *parameters, float *exp_avg,
                         float *exp_avg_sq) {
    DT_ASSERT(step >= 1 && first >= 0 && first <= end && end <= layout->elements);
    DT_ASSERT_APART(gradient, layout->elements * (int64_t)sizeof *gradient, parameters,
                    layout->elements * (int64_t)sizeof *parameters);
    const double correction1 = 1.0 - dt_elementary_power(options->beta1, step);
    const double correction2 = 1.0 - dt_elementary_power(options->beta2, step);
    const coefficients plain = {
        .keep = 1.0f,
        .beta1 = (float)options->beta1,
        .rest1 = (float)(1.0 - options->beta1),
        .beta2 = (float)options->beta2,
        .rest2 = (float)(1.0 - options->beta2),
        .step_size = (float)(options->learning_rate / correction1),
        .root = (float)sqrt(correction2),
        .scale = (float)options->gradient_scale,
    };
    coefficients decaying = plain;
    decaying.keep = (float)(1.0 - options->learning_rate * options->weight_decay);
#pragma omp parallel
    for (int64_t t = 0; t < layout->tensors; t++) {
        const dt_tensor *tensor = &layout->tensor[t];
        const int64_t chunks = (tensor->count + CHUNK - 1) / CHUNK;
#pragma omp for schedule(static) nowait
        for (int64_t c = 0; c < chunks; c++) {
            const int64_t begun = tensor->offset + c * CHUNK, left = tensor->count - c * CHUNK;
            const int64_t at = dt_max(begun, first), to = dt_min(begun + dt_min(left, CHUNK), end);
            if (at < to)
                update(tensor->decay ? &decaying : &plain, to - at, gradient + at, parameters + at,
                       exp_avg + (at - first), exp_avg_sq + (at - first));
        }
    }
}

void dt_adamw_step(const dt_layout *layout, const dt_adamw *options, int64_t step, const float *gradient,
                   float *parameters, float *exp_avg, float *exp_avg_sq) {
    dt_adamw_step_range(layout, options, step, 0, layout->elements, gradient, parameters, exp_avg,
                        exp_avg_sq);
}
