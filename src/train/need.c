/* The tables' sizes summed up, and held against base/available.h. */
#include "train/need.h"

#include "base/assert.h"
#include "base/available.h"
#include "base/minmax.h"
#include "base/plural.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "model/activations.h"
#include "model/weights.h"
#include "step/overlap.h"
#include "step/step.h"
#include "train/products.h"

int64_t dt_need_sum(const dt_layout *layout, const dt_config *config, int threads, int64_t gradients,
                    int64_t workspace_bytes, int64_t tokens) {
    DT_ASSERT(threads > 0 && gradients >= 0 && workspace_bytes >= 0 && tokens >= 0);
    const dt_kernels *kernels = dt_products_kernels(config);
    const int64_t activations = dt_activations_floats(kernels, &layout->shape, config->micro_batch_size,
                                                      (dt_recompute)config->recompute);
    int64_t vectors, own, bytes;
    if (__builtin_mul_overflow(3 + gradients, layout->elements, &vectors) ||
        __builtin_mul_overflow((int64_t)threads, activations, &own) ||
        __builtin_add_overflow(vectors, own, &own) ||
        __builtin_mul_overflow(own, (int64_t)sizeof(float), &bytes) ||
        __builtin_add_overflow(bytes, tokens, &bytes) ||
        __builtin_add_overflow(bytes, dt_weights_panel_bytes(kernels, &layout->shape), &bytes) ||
        __builtin_add_overflow(bytes, workspace_bytes, &bytes))
        return INT64_MAX;
    return bytes;
}

int64_t dt_need_bytes(const dt_layout *layout, const dt_config *config, const dt_world *world,
                      const dt_allreduce_options *options, int threads, int64_t tokens) {
    const int64_t micro_batches = dt_step_micro_batches(config->batch_size, config->micro_batch_size);
    int64_t gradients = 0, workspace_bytes = 0, first, end;
    if (dt_step_gradient_buffers(micro_batches, world->rank, world->size, threads, &gradients) != DT_OK ||
        dt_overlap_workspace_bytes(world, micro_batches, layout->elements, config->bucket_bytes, options,
                                   &workspace_bytes) != DT_OK)
        return INT64_MAX;
    /* The batch, as the model takes it, beside the corpus. */
    dt_step_slots(config->batch_size, config->micro_batch_size, world->rank, world->size, &first, &end);
    const int64_t batch = (end - first) * (layout->shape.T + 1) * (int64_t)sizeof(int32_t);
    return dt_need_sum(layout, config, threads, gradients, workspace_bytes, tokens + batch);
}

/* Also the sum over a host's ranks must fit 63 bits: no host has as much as one of these. */
#define LARGEST_BYTES ((int64_t)1 << 52)

dt_status dt_need_check(const dt_world *world, int64_t bytes) {
    DT_COLLECTIVE_CALL(world);
    const int64_t own = dt_min(bytes, LARGEST_BYTES);
    const int64_t available = dt_available_bytes("");
    int64_t all = own;
    DT_TRY(dt_world_host_sum(world, &all));
    dt_status status = DT_OK;
    if (all > available)
        status = dt_usage(
            "not enough memory on host %s: expected %s%.1f MB available for %d rank%s, of which rank %d takes "
            "%.1f MB, found %.1f MB%s; use a smaller model, micro_batch_size, bucket_bytes or "
            "OMP_NUM_THREADS, or fewer ranks per host",
            world->host, own < LARGEST_BYTES ? "at least " : "more than ", (double)all / 1e6,
            world->host_ranks, dt_plural_s(world->host_ranks), world->rank, (double)own / 1e6,
            (double)available / 1e6,
            dt_available_is_limited("")
                ? ", which the memory limit of its control group leaves (a container's, "
                  "or a job's)"
                : "");
    return dt_agree(world, status);
}
