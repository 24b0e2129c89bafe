/* Two arrays in one block, as long as the largest call of a pass needs. */
#include "model/scratch.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "math/dropout.h"
#include "model/activations.h"

int64_t dt_scratch_products_floats(const dt_kernels *kernels, const dt_shape *s, int64_t rows) {
    DT_ASSERT(rows > 0);
    int64_t (*const of)(int64_t, int64_t, int64_t) = kernels->linear->workspace_floats;
    const int64_t attention = dt_max(of(rows, s->C, 3 * s->C), of(rows, s->C, s->C));
    const int64_t mlp = dt_max(of(rows, s->C, s->F), of(rows, s->F, s->C));
    return dt_max(of(dt_min(dt_activations_logits_rows(s, rows) + 1, rows), s->V, s->C),
                  dt_max(attention, mlp));
}

static int64_t attention_floats(const dt_kernels *kernels, const dt_shape *s) {
    return kernels->attention->scratch_floats(s->T, s->C / s->H) + DT_DROPOUT_FLOATS(s->C);
}

int64_t dt_scratch_floats(const dt_kernels *kernels, const dt_shape *s, int64_t sequences) {
    if (dt_activations_floats(kernels, s, sequences, DT_RECOMPUTE_NONE) == INT64_MAX)
        return INT64_MAX;
    return dt_memory_round_floats(dt_scratch_products_floats(kernels, s, sequences * s->T)) +
           dt_memory_round_floats(attention_floats(kernels, s));
}

dt_status dt_scratch_create(dt_scratch *scratch, const dt_kernels *kernels, const dt_shape *s,
                            int64_t sequences) {
    *scratch = (dt_scratch){0};
    scratch->block =
        dt_memory_alloc(dt_scratch_floats(kernels, s, sequences), sizeof(float), "a thread's scratch");
    if (scratch->block == NULL)
        return DT_FAILED;
    scratch->products = scratch->block;
    scratch->attention =
        scratch->block + dt_memory_round_floats(dt_scratch_products_floats(kernels, s, sequences * s->T));
    return DT_OK;
}

void dt_scratch_free(dt_scratch *scratch) {
    dt_memory_free(scratch->block);
    *scratch = (dt_scratch){0};
}
