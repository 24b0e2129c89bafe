/* One pass over contiguous memory: everything that an element needs is read and written once. */
#include "optim/adamw.h"

#include <math.h>
#include <omp.h>

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

/* What both kinds of tensors take. */
typedef struct step_coefficients {
    coefficients plain, decaying;
} step_coefficients;

static step_coefficients prepare(const dt_adamw *options, int64_t step) {
    const double correction1 = 1.0 - dt_elementary_power(options->beta1, step);
    const double correction2 = 1.0 - dt_elementary_power(options->beta2, step);
    step_coefficients k = {.plain = {
                               .keep = 1.0f,
                               .beta1 = (float)options->beta1,
                               .rest1 = (float)(1.0 - options->beta1),
                               .beta2 = (float)options->beta2,
                               .rest2 = (float)(1.0 - options->beta2),
                               .step_size = (float)(options->learning_rate / correction1),
                               .root = (float)sqrt(correction2),
                               .scale = (float)options->gradient_scale,
                           }};
    k.decaying = k.plain;
    k.decaying.keep = (float)(1.0 - options->learning_rate * options->weight_decay);
    return k;
}

void dt_adamw_step(const dt_layout *layout, const dt_adamw *options, int64_t step, const float *gradient,
                   float *parameters, float *exp_avg, float *exp_avg_sq) {
    DT_ASSERT(step >= 1);
    DT_ASSERT_APART(gradient, layout->elements * (int64_t)sizeof *gradient, parameters,
                    layout->elements * (int64_t)sizeof *parameters);
    const step_coefficients k = prepare(options, step);
#pragma omp parallel
    for (int64_t t = 0; t < layout->tensors; t++) {
        const dt_tensor *tensor = &layout->tensor[t];
        const int64_t chunks = (tensor->count + CHUNK - 1) / CHUNK;
#pragma omp for schedule(static) nowait
        for (int64_t c = 0; c < chunks; c++) {
            const int64_t at = tensor->offset + c * CHUNK, count = dt_min(tensor->count - c * CHUNK, CHUNK);
            update(tensor->decay ? &k.decaying : &k.plain, count, gradient + at, parameters + at,
                   exp_avg + at, exp_avg_sq + at);
        }
    }
}

/* Runs are many and may be short, so a thread takes every so many parts of them, whatever run they are of. */
void dt_adamw_step_runs(const dt_layout *layout, const dt_adamw *options, int64_t step, const dt_slice *run,
                        int64_t runs, const float *gradient, float *parameters, float *exp_avg,
                        float *exp_avg_sq) {
    DT_ASSERT(step >= 1 && runs >= 0);
    const step_coefficients k = prepare(options, step);
#pragma omp parallel
    for (int64_t r = 0, t = 0, moment = 0, section = 0; r < runs; moment += run[r++].count) {
        const int64_t end = run[r].first + run[r].count;
        while (t > 0 && (t == layout->tensors || layout->tensor[t].offset > run[r].first))
            t--;
        for (; t < layout->tensors && layout->tensor[t].offset < end; t++) {
            const dt_tensor *tensor = &layout->tensor[t];
            const int64_t first = dt_max(tensor->offset, run[r].first),
                          last = dt_min(tensor->offset + tensor->count, end);
            for (int64_t at = first; at < last; at += CHUNK, section++)
                if (section % omp_get_num_threads() == omp_get_thread_num())
                    update(tensor->decay ? &k.decaying : &k.plain, dt_min(last - at, CHUNK), gradient + at,
                           parameters + at, exp_avg + (moment + at - run[r].first),
                           exp_avg_sq + (moment + at - run[r].first));
        }
    }
}
