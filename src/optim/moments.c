/* Slices are counted in chunks; all else is comm/world.h's gathering of runs. */
#include "optim/moments.h"

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "optim/clip.h"

void dt_moments_slice(int64_t elements, int rank, int size, int64_t *first, int64_t *end) {
    DT_ASSERT(elements > 0 && rank >= 0 && rank < size);
    const int64_t chunks = dt_clip_chunks(elements);
    const int64_t each = chunks / size, more = chunks % size;
    const int64_t begun = rank * each + dt_min(rank, more), own = each + (rank < more);
    *first = dt_min(begun * DT_CLIP_CHUNK, elements);
    *end = dt_min((begun + own) * DT_CLIP_CHUNK, elements);
}

dt_status dt_moments_create_state(dt_state *state, const dt_layout *layout, const dt_world *world) {
    int64_t first, end;
    dt_moments_slice(layout->elements, world->rank, world->size, &first, &end);
    return dt_state_create_sharded(state, layout, first, end);
}

int64_t *dt_moments_counts(int64_t elements, int size) {
    int64_t *counts = dt_memory_alloc(size, sizeof *counts, "the slices of the optimizer");
    for (int r = 0; counts && r < size; r++) {
        int64_t first, end;
        dt_moments_slice(elements, r, size, &first, &end);
        counts[r] = end - first;
    }
    return counts;
}

dt_status dt_moments_gather_weights(const dt_world *world, dt_state *state, const int64_t *counts) {
    DT_ASSERT(state->sharded && dt_state_is_held(state));
    return dt_world_gather_all(world, state->parameters, (int64_t)sizeof(float), counts);
}

dt_status dt_moments_collect(const dt_world *world, const dt_state *state, float *exp_avg,
                             float *exp_avg_sq) {
    DT_COLLECTIVE(world, DT_SAME_INT(state->step));
    int64_t *counts = dt_moments_counts(state->layout->elements, world->size);
    dt_status status = dt_agree(world, counts ? DT_OK : DT_FAILED);
    if (status == DT_OK)
        status = dt_world_collect(world, exp_avg, state->exp_avg, (int64_t)sizeof(float), counts);
    if (status == DT_OK)
        status = dt_world_collect(world, exp_avg_sq, state->exp_avg_sq, (int64_t)sizeof(float), counts);
    dt_memory_free(counts);
    return status;
}

dt_status dt_moments_spread(const dt_world *world, dt_state *state, const float *exp_avg,
                            const float *exp_avg_sq) {
    DT_COLLECTIVE(world, DT_SAME_INT(state->layout->elements));
    int64_t *counts = dt_moments_counts(state->layout->elements, world->size);
    dt_status status = dt_agree(world, counts ? DT_OK : DT_FAILED);
    if (status == DT_OK)
        status = dt_world_spread(world, exp_avg, state->exp_avg, (int64_t)sizeof(float), counts);
    if (status == DT_OK)
        status = dt_world_spread(world, exp_avg_sq, state->exp_avg_sq, (int64_t)sizeof(float), counts);
    dt_memory_free(counts);
    return status;
}
