/* Looked for where something is wrong already, or before a save: speed matters little here. */
#include "optim/finite.h"

#include <float.h>
#include <inttypes.h>
#include <math.h>

#include "base/assert.h"
#include "base/minmax.h"

/* What is not at most the largest number is infinite, or a NaN, for which every comparison is false. */
bool dt_finite_all(const float *x, int64_t count) {
    DT_ASSERT(count >= 0);
    int not_finite = 0;
#pragma omp simd reduction(| : not_finite)
    for (int64_t i = 0; i < count; i++)
        not_finite |= !(fabsf(x[i]) <= FLT_MAX);
    return not_finite == 0;
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

const dt_tensor *dt_finite_first_of(const dt_layout *layout, const float *vector, const dt_slice *run,
                                    int64_t runs) {
    for (int64_t r = 0; r < runs; r++)
        for (int64_t t = 0; t < layout->tensors; t++) {
            const dt_tensor *tensor = &layout->tensor[t];
            const int64_t first = dt_max(tensor->offset, run[r].first),
                          end = dt_min(tensor->offset + tensor->count, run[r].first + run[r].count);
            if (first < end && !dt_finite_all(vector + first, end - first))
                return tensor;
        }
    return NULL;
}

int64_t dt_finite_first_tensor(const dt_state *state) {
    const int64_t tensors = state->sharded ? state->layout->tensors : dt_state_tensors(state->layout);
    for (int64_t tensor = 0; tensor < tensors; tensor++) {
        int64_t count;
        const float *elements = dt_state_tensor(state, tensor, &count);
        if (!dt_finite_all(elements, count))
            return tensor;
    }
    return -1;
}

dt_status dt_finite_check(const dt_state *state) {
    char name[DT_STATE_TENSOR_BYTES];
    const int64_t tensor = dt_finite_first_tensor(state);
    if (tensor < 0)
        return DT_OK;
    dt_state_tensor_name(state->layout, tensor, name);
    return dt_fail("step %" PRId64 " was not saved: expected finite numbers, found NaN or infinity in "
                   "tensor %s; lower learning_rate or set grad_clip, and go on from the last checkpoint",
                   state->step, name);
}
