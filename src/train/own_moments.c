/* Where spans lie in a rank's vectors, which have its pieces one after another. */
#include "train/own_moments.h"

#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/memory.h"
#include "base/minmax.h"

int64_t dt_own_moments_spans(const dt_pieces *pieces) {
    return (pieces->elements + DT_OWN_MOMENTS_SPAN_FLOATS - 1) / DT_OWN_MOMENTS_SPAN_FLOATS;
}

void dt_own_moments_span(const dt_pieces *pieces, int64_t span, int64_t *first, int64_t *end) {
    DT_ASSERT(span >= 0 && span < dt_own_moments_spans(pieces));
    *first = span * DT_OWN_MOMENTS_SPAN_FLOATS;
    *end = dt_min(*first + DT_OWN_MOMENTS_SPAN_FLOATS, pieces->elements);
}

int64_t dt_own_moments_count(const dt_pieces *pieces, int rank, int64_t span) {
    int64_t first, end;
    dt_own_moments_span(pieces, span, &first, &end);
    return dt_pieces_before(pieces, rank, end) - dt_pieces_before(pieces, rank, first);
}

dt_status dt_own_moments_create(dt_own_moments *own, const dt_pieces *pieces, int rank) {
    *own = (dt_own_moments){.pieces = pieces, .rank = rank, .step = -1};
    for (int64_t v = 0; v < DT_OWN_MOMENTS_VECTORS; v++)
        if ((own->vector[v] = dt_memory_alloc(dt_pieces_floats(pieces, rank), sizeof(float),
                                              "the copy of a rank's moments")) == NULL)
            return DT_FAILED;
    own->hashes = dt_memory_alloc(DT_OWN_MOMENTS_VECTORS * dt_own_moments_spans(pieces), sizeof *own->hashes,
                                  "the hashes of a rank's moments");
    return own->hashes ? DT_OK : DT_FAILED;
}

void dt_own_moments_free(dt_own_moments *own) {
    for (int64_t v = 0; v < DT_OWN_MOMENTS_VECTORS; v++)
        dt_memory_free(own->vector[v]);
    dt_memory_free(own->hashes);
    *own = (dt_own_moments){0};
}

void dt_own_moments_take(dt_own_moments *own, const dt_state *from) {
    DT_ASSERT(dt_state_is_held(from) && from->phase == DT_STATE_COMPLETE && from->sharded);
    DT_ASSERT(from->moments == dt_pieces_floats(own->pieces, own->rank));
    const float *const live[DT_OWN_MOMENTS_VECTORS] = {from->exp_avg, from->exp_avg_sq};
    const int64_t spans = dt_own_moments_spans(own->pieces);
    for (int64_t v = 0; v < DT_OWN_MOMENTS_VECTORS; v++)
        for (int64_t span = 0, at = 0; span < spans; span++) {
            const int64_t count = dt_own_moments_count(own->pieces, own->rank, span);
            const size_t bytes = (size_t)count * sizeof(float);
            own->hashes[v * spans + span] = dt_checksum_64(live[v] + at, bytes);
            memcpy(own->vector[v] + at, live[v] + at, bytes);
            at += count;
        }
    own->step = from->step;
}

dt_own_moments_slice dt_own_moments_slice_of(const dt_own_moments *own, int64_t vector, int64_t span) {
    DT_ASSERT(vector >= 0 && vector < DT_OWN_MOMENTS_VECTORS);
    int64_t first, end;
    dt_own_moments_span(own->pieces, span, &first, &end);
    return (dt_own_moments_slice){own->vector[vector] + dt_pieces_before(own->pieces, own->rank, first),
                                  dt_own_moments_count(own->pieces, own->rank, span),
                                  own->hashes[vector * dt_own_moments_spans(own->pieces) + span]};
}
