/* Parts are copied one by one, each hashed while it is in the cache. */
#include "train/saver_copy.h"

#include <inttypes.h>
#include <string.h>

#include "base/memory.h"
#include "optim/fingerprint.h"
#include "optim/finite.h"

dt_status dt_saver_copy_create(dt_saver_copy *copy, const dt_layout *layout) {
    DT_TRY(dt_state_create(&copy->state, layout));
    copy->hashes =
        dt_memory_alloc(dt_fingerprint_tensors(layout), sizeof *copy->hashes, "the hashes of what is saved");
    return copy->hashes ? DT_OK : DT_FAILED;
}

void dt_saver_copy_free(dt_saver_copy *copy) {
    dt_state_free(&copy->state);
    dt_memory_free(copy->hashes);
    copy->hashes = NULL;
}

void dt_saver_copy_take(dt_saver_copy *copy, const dt_state *from) {
    for (int64_t index = 0; index < dt_fingerprint_tensors(from->layout); index++) {
        int64_t count;
        const float *elements = dt_fingerprint_elements(from, index, &count);
        float *into = dt_fingerprint_elements(&copy->state, index, &count);
        copy->hashes[index] = dt_fingerprint_tensor(from, index);
        memcpy(into, elements, (size_t)count * sizeof *into);
    }
    copy->state.step = from->step;
    copy->waited_seconds = from->waited_seconds;
}

dt_status dt_saver_copy_expect(const dt_saver_copy *copy, uint64_t compared) {
    const uint64_t copied = dt_fingerprint_whole(copy->hashes, dt_fingerprint_tensors(copy->state.layout));
    if (compared == copied)
        return DT_OK;
    return dt_fail("the state of the run had the hash %016" PRIx64
                   " when the ranks compared it, but %016" PRIx64 " "
                   "when it was copied to be written; a bit has flipped in the memory of this host",
                   compared, copied);
}

/* A bit that turns in the copy can make a number infinite too, which is no fault of the run's. */
dt_status dt_saver_copy_expect_finite(const dt_saver_copy *copy) {
    const int64_t index = dt_finite_first_tensor(&copy->state);
    char name[DT_TENSOR_NAME_BYTES + 16];
    if (index < 0 || dt_fingerprint_tensor(&copy->state, index) == copy->hashes[index])
        return dt_finite_check(&copy->state);
    dt_fingerprint_name(copy->state.layout, index, name, sizeof name);
    return dt_fail("cannot save step %" PRId64 ": tensor %s has changed since it was copied to be written; "
                   "a bit has flipped in the memory of this host",
                   copy->state.step, name);
}
