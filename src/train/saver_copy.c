/* Slices are copied one by one, each hashed while it is in the cache. */
#include "train/saver_copy.h"

#include <inttypes.h>
#include <stdbool.h>
#include <string.h>

#include "base/assert.h"
#include "base/memory.h"
#include "optim/fingerprint.h"
#include "optim/finite.h"

/* A state of weights alone. */
static dt_status create_weights(dt_state *state, const dt_layout *layout) {
    *state = (dt_state){.layout = layout, .sharded = true};
    state->parameters = dt_memory_alloc(layout->elements, sizeof(float), "the copy of the weights");
    return state->parameters ? DT_OK : DT_FAILED;
}

dt_status dt_saver_copy_create(dt_saver_copy *copy, const dt_layout *layout, const dt_moments *moments) {
    DT_TRY(moments ? create_weights(&copy->state, layout) : dt_state_create(&copy->state, layout));
    if (moments)
        DT_TRY(dt_own_moments_create(&copy->own, dt_allreduce_pieces(moments->gather), moments->world->rank));
    copy->hashes =
        dt_memory_alloc(dt_state_slices(layout), sizeof *copy->hashes, "the hashes of what is saved");
    return copy->hashes ? DT_OK : DT_FAILED;
}

void dt_saver_copy_free(dt_saver_copy *copy) {
    dt_state_free(&copy->state);
    dt_own_moments_free(&copy->own);
    dt_memory_free(copy->hashes);
    copy->hashes = NULL;
}

void dt_saver_copy_take(dt_saver_copy *copy, const dt_state *from) {
    DT_ASSERT(dt_state_is_held(from) && from->phase == DT_STATE_COMPLETE);
    copy->state.phase = DT_STATE_ARRIVING;
    copy->common_slices = dt_state_common_slices(from);
    for (int64_t slice = 0; slice < copy->common_slices; slice++) {
        int64_t count;
        const float *elements = dt_state_slice(from, slice, &count);
        float *into = dt_state_slice(&copy->state, slice, &count);
        copy->hashes[slice] = dt_fingerprint_slice(from, slice);
        memcpy(into, elements, (size_t)count * sizeof *into);
    }
    if (from->sharded)
        dt_own_moments_take(&copy->own, from);
    dt_state_arrive(&copy->state, from->step);
    copy->waited_seconds = from->waited_seconds;
}

dt_status dt_saver_copy_expect(const dt_saver_copy *copy, uint64_t compared) {
    const uint64_t copied = dt_fingerprint_whole(copy->hashes, copy->common_slices);
    if (compared == copied)
        return DT_OK;
    return dt_fail("the state of the run had the hash %016" PRIx64
                   " when the ranks compared it, but %016" PRIx64 " "
                   "when it was copied to be written; a bit has flipped in the memory of this host",
                   compared, copied);
}

/* Whether a slice in which the tensor lies is no longer what was copied. */
static bool has_changed(const dt_saver_copy *copy, int64_t tensor) {
    int64_t first, end;
    bool changed = false;
    dt_state_slices_of_tensor(copy->state.layout, tensor, &first, &end);
    for (int64_t slice = first; slice < end; slice++)
        changed |= dt_fingerprint_slice(&copy->state, slice) != copy->hashes[slice];
    return changed;
}

/* A bit that turns in the copy can make a number infinite too, which is no fault of the run's. */
dt_status dt_saver_copy_expect_finite(const dt_saver_copy *copy) {
    const int64_t tensor = dt_finite_first_tensor(&copy->state);
    char name[DT_STATE_TENSOR_BYTES];
    if (tensor < 0 || !has_changed(copy, tensor))
        return dt_finite_check(&copy->state);
    dt_state_tensor_name(copy->state.layout, tensor, name);
    return dt_fail("cannot save step %" PRId64 ": tensor %s has changed since it was copied to be written; "
                   "a bit has flipped in the memory of this host",
                   copy->state.step, name);
}
