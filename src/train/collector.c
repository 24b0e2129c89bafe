/* Spans from parts: asked for from all ranks at once, received one after another. */
#include "train/collector.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/checksum.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "optim/finite.h"
#include "train/giver.h"

struct dt_collector {
    const dt_world *world;
    const dt_channel *channel;
    const dt_layout *layout;
    const dt_own_moments *own;
    int64_t spans;    /* of a vector */
    float *span;      /* [DT_OWN_MOMENTS_SPAN_FLOATS], or all elements */
    float *slice;     /* a rank's part of it */
    uint64_t *live;   /* [size]: of the parts of the span, in their ranks' states */
    int64_t at;       /* which span it is, of both vectors together; -1 for none */
    uint64_t *hashes; /* the caller's, of the state's slices */
};

/* The most that a rank has of a span. */
static int64_t largest_slice(const dt_pieces *pieces) {
    int64_t largest = 0;
    for (int rank = 0; rank < pieces->size; rank++)
        for (int64_t span = 0; span < dt_own_moments_spans(pieces); span++)
            largest = dt_max(largest, dt_own_moments_count(pieces, rank, span));
    return largest;
}

dt_status dt_collector_create(dt_collector **created, const dt_world *world, const dt_channel *channel,
                              const dt_layout *layout, const dt_own_moments *own) {
    dt_collector *c = *created = calloc(1, sizeof *c);
    if (c == NULL)
        return dt_fail("out of memory for what collects moments");
    *c = (dt_collector){.world = world, .channel = channel, .layout = layout, .own = own};
    c->spans = dt_own_moments_spans(own->pieces);
    c->span = dt_memory_alloc(dt_min(DT_OWN_MOMENTS_SPAN_FLOATS, layout->elements), sizeof *c->span,
                              "a span of moments");
    c->slice = dt_memory_alloc(largest_slice(own->pieces), sizeof *c->slice, "a rank's part of a span");
    c->live = dt_memory_alloc(world->size, sizeof *c->live, "the hashes of ranks' moments");
    return c->span && c->slice && c->live ? DT_OK : DT_FAILED;
}

void dt_collector_free(dt_collector *c) {
    if (c == NULL)
        return;
    dt_memory_free(c->span);
    dt_memory_free(c->slice);
    dt_memory_free(c->live);
    free(c);
}

static dt_status send_to(const dt_collector *c, int rank, const dt_giver_request *request) {
    return dt_channel_send(c->channel, rank, request, (int64_t)sizeof *request);
}

dt_status dt_collector_ask(dt_collector *c, int64_t step, int64_t *common) {
    const dt_giver_request request = {.topic = DT_GIVER_COPY, .step = step};
    *common = step;
    for (int rank = 1; rank < c->world->size; rank++)
        DT_TRY(send_to(c, rank, &request));
    for (int rank = 1; rank < c->world->size; rank++) {
        int64_t copied;
        DT_TRY(dt_channel_receive(c->channel, rank, &copied, (int64_t)sizeof copied));
        *common = dt_max(*common, copied);
    }
    return DT_OK;
}

dt_status dt_collector_release(dt_collector *c, bool asked) {
    const dt_giver_request request = {.topic = asked ? DT_GIVER_RETURN : DT_GIVER_RELEASE};
    for (int rank = 1; rank < c->world->size; rank++)
        DT_TRY(send_to(c, rank, &request));
    return DT_OK;
}

/* ---- a span ---- */

/* Copies rank `rank`'s part of the span that is held from `slice` to its places, or back. */
static void copy_slice(const dt_collector *c, int rank, float *slice, bool back) {
    const dt_pieces *pieces = c->own->pieces;
    int64_t first, end;
    dt_own_moments_span(pieces, c->at % c->spans, &first, &end);
    for (int64_t b = first / pieces->bucket_floats; b <= (end - 1) / pieces->bucket_floats; b++) {
        const dt_slice piece = dt_pieces_of(pieces, rank, b);
        const int64_t from = dt_max(first, piece.first), to = dt_min(end, piece.first + piece.count);
        if (from >= to)
            continue;
        const size_t bytes = (size_t)(to - from) * sizeof *slice;
        float *there = c->span + (from - first);
        memcpy(back ? slice : there, back ? there : slice, bytes);
        slice += to - from;
    }
}

/* What has been written of the span is still what its ranks have. */
static dt_status expect_live(const dt_collector *c) {
    static const char *const names[DT_OWN_MOMENTS_VECTORS] = {"exp_avg", "exp_avg_sq"};
    int64_t first, end;
    if (c->at < 0)
        return DT_OK;
    dt_own_moments_span(c->own->pieces, c->at % c->spans, &first, &end);
    for (int rank = 0; rank < c->world->size; rank++) {
        const int64_t count = dt_own_moments_count(c->own->pieces, rank, c->at % c->spans);
        copy_slice(c, rank, c->slice, true);
        const uint64_t found = dt_checksum_64(c->slice, (size_t)count * sizeof *c->slice);
        if (count > 0 && found != c->live[rank])
            return dt_fail("the copy of rank %d's moments that was to be written, %s from element %" PRId64
                           " to %" PRId64 ", has XXH3-64 %016" PRIx64
                           ", but the state of the rank has %016" PRIx64
                           "; a bit has flipped in the memory of its host, or of this one",
                           rank, names[c->at / c->spans], first, end, found, c->live[rank]);
    }
    return DT_OK;
}

/* The tensors of the span in turn: what is not finite is looked for where it is known to be. */
static dt_status expect_finite(const dt_collector *c) {
    int64_t first, end;
    dt_own_moments_span(c->own->pieces, c->at % c->spans, &first, &end);
    if (dt_finite_all(c->span, end - first))
        return DT_OK;
    DT_TRY(expect_live(c));
    for (int64_t t = 0; t < c->layout->tensors; t++) {
        const dt_tensor *tensor = &c->layout->tensor[t];
        const int64_t from = dt_max(first, tensor->offset), to = dt_min(end, tensor->offset + tensor->count);
        char name[DT_STATE_TENSOR_BYTES];
        if (from >= to || dt_finite_all(c->span + (from - first), to - from))
            continue;
        dt_state_tensor_name(c->layout, (1 + c->at / c->spans) * c->layout->tensors + t, name);
        return dt_fail("expected finite numbers, found NaN or infinity in tensor %s; lower learning_rate or "
                       "set grad_clip, and go on from the last checkpoint",
                       name);
    }
    return DT_OK;
}

/* Spans are whole slices of the state, but for the last. */
static void hash_slices(const dt_collector *c) {
    const int64_t per_vector = dt_state_slices(c->layout) / DT_STATE_VECTORS;
    int64_t first, end;
    dt_own_moments_span(c->own->pieces, c->at % c->spans, &first, &end);
    uint64_t *hash = c->hashes + (1 + c->at / c->spans) * per_vector + first / DT_STATE_SLICE_FLOATS;
    for (int64_t at = first; at < end; at += DT_STATE_SLICE_FLOATS)
        *hash++ = dt_checksum_64(c->span + (at - first),
                                 (size_t)dt_min(end - at, DT_STATE_SLICE_FLOATS) * sizeof *c->span);
}

/* Rank `rank`'s part of the span, which it has been asked for. */
static dt_status receive_slice(dt_collector *c, int rank, int64_t count) {
    DT_TRY(dt_channel_receive(c->channel, rank, &c->live[rank], (int64_t)sizeof c->live[rank]));
    DT_TRY(dt_channel_receive(c->channel, rank, c->slice, count * (int64_t)sizeof *c->slice));
    copy_slice(c, rank, c->slice, false);
    return DT_OK;
}

static dt_status fetch(dt_collector *c, int64_t at) {
    const int64_t vector = at / c->spans, span = at % c->spans;
    const dt_giver_request request = {
        .topic = DT_GIVER_SLICE, .step = c->own->step, .vector = vector, .span = span};
    DT_TRY(expect_live(c));
    c->at = at;
    for (int rank = 1; rank < c->world->size; rank++)
        if (dt_own_moments_count(c->own->pieces, rank, span) > 0)
            DT_TRY(send_to(c, rank, &request));
    const dt_own_moments_slice own = dt_own_moments_slice_of(c->own, vector, span);
    c->live[0] = own.hash;
    memcpy(c->slice, own.elements, (size_t)own.count * sizeof *c->slice);
    copy_slice(c, 0, c->slice, false);
    for (int rank = 1; rank < c->world->size; rank++) {
        const int64_t count = dt_own_moments_count(c->own->pieces, rank, span);
        if (count > 0)
            DT_TRY(receive_slice(c, rank, count));
    }
    hash_slices(c);
    return expect_finite(c);
}

/* ---- for the file ---- */

/* Also spans in which no tensor lies, between the last and the vector's end, have a slice's hash. */
static dt_status move_to(dt_collector *c, int64_t at) {
    while (c->at < at)
        DT_TRY(fetch(c, c->at + 1));
    return DT_OK;
}

static dt_status give(void *context, int section, int64_t first, const float **elements, int64_t *count) {
    dt_collector *c = context;
    const int64_t span = first / DT_OWN_MOMENTS_SPAN_FLOATS, at = section * c->spans + span;
    int64_t begin, end;
    DT_TRY(move_to(c, at));
    DT_ASSERT(c->at == at);
    dt_own_moments_span(c->own->pieces, span, &begin, &end);
    *elements = c->span + (first - begin);
    *count = end - first;
    return DT_OK;
}

static dt_status end_all(void *context) {
    dt_collector *c = context;
    DT_TRY(move_to(c, DT_OWN_MOMENTS_VECTORS * c->spans - 1));
    return expect_live(c);
}

dt_checkpoint_moments dt_collector_begin(dt_collector *c, uint64_t *hashes) {
    c->at = -1;
    c->hashes = hashes;
    return (dt_checkpoint_moments){{give, c}, end_all};
}
