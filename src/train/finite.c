/* Looked for where something is wrong already, or before a save: speed matters little here. */
#include "train/finite.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

/* What is not at most the largest number is infinite, or a NaN, for which every comparison is false. */
bool dt_finite_all(const float *x, int64_t count) {
    int odd = 0;
#pragma omp simd reduction(| : odd)
    for (int64_t i = 0; i < count; i++)
        odd |= !(fabsf(x[i]) <= FLT_MAX);
    return odd == 0;
}

double dt_finite_plain(double x) {
    return isnan(x) ? fabs(x) : x;
}

const dt_tensor *dt_finite_first(const dt_layout *layout, const float *vector) {
    for (int64_t t = 0; t < layout->tensors; t++)
        if (!dt_finite_all(vector + layout->tensor[t].offset, layout->tensor[t].count))
            return &layout->tensor[t];
    return NULL;
}

dt_status dt_finite_check(const dt_state *state) {
    const struct {
        const char *name;
        const float *vector;
    } parts[] = {{"", state->parameters}, {"exp_avg.", state->exp_avg}, {"exp_avg_sq.", state->exp_avg_sq}};
    for (int i = 0; i < 3; i++) {
        const dt_tensor *tensor = dt_finite_first(state->layout, parts[i].vector);
        if (tensor)
            return dt_fail("step %" PRId64 " was not saved: expected finite numbers, found others in tensor "
                           "%s%s; lower learning_rate or set grad_clip, and go on from the last checkpoint",
                           state->step, parts[i].name, tensor->name);
    }
    return DT_OK;
}
