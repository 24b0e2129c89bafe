/* Which bytes; the hash itself is checksum.c's. */
#include "optim/fingerprint.h"

#include "base/assert.h"
#include "base/checksum.h"
#include "base/memory.h"

uint64_t dt_fingerprint_slice(const dt_state *state, int64_t slice) {
    DT_ASSERT(state->phase == DT_STATE_COMPLETE);
    int64_t count;
    const float *elements = dt_state_slice(state, slice, &count);
    return dt_checksum_64(elements, (size_t)count * sizeof *elements);
}

uint64_t dt_fingerprint_whole(const uint64_t *row, int64_t slices) {
    return dt_checksum_64(row, (size_t)slices * sizeof *row);
}

dt_status dt_fingerprint_state(const dt_state *state, uint64_t *hash) {
    const int64_t slices = dt_state_slices(state->layout);
    uint64_t *row = dt_memory_alloc(slices, sizeof *row, "the hashes of a state");
    if (row == NULL)
        return DT_FAILED;
    for (int64_t slice = 0; slice < slices; slice++)
        row[slice] = dt_fingerprint_slice(state, slice);
    *hash = dt_fingerprint_whole(row, slices);
    dt_memory_free(row);
    return DT_OK;
}
