/* The pieces are the allgather's; what is read from a checkpoint goes from rank 0 to whose it is. */
#include "optim/moments.h"

#include <stdlib.h>
#include <string.h>

#include "allreduce/buckets.h"
#include "base/assert.h"
#include "base/minmax.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "optim/clip.h"

_Static_assert(DT_CLIP_CHUNK == DT_FORM_CHUNK_FLOATS, "a rank's pieces are whole chunks of the norm");

dt_status dt_moments_create(dt_moments *m, const dt_world *world, int64_t micro_batches, int64_t elements,
                            int64_t bucket_bytes, const dt_allreduce_options *options) {
    DT_COLLECTIVE(world, DT_SAME_INT(elements), DT_SAME_INT(bucket_bytes));
    *m = (dt_moments){.world = world, .options = *options};
    const dt_allreduce_options gather = {.algorithm = options->algorithm,
                                         .dtype = DT_DTYPE_FP32,
                                         .host_ranks = options->host_ranks,
                                         .form = DT_FORM_ALLGATHER};
    DT_TRY(dt_agree(
        world, dt_buckets_cut(elements, bucket_bytes, gather.form, world->size, &m->bounds, &m->buckets)));
    DT_TRY(dt_allreduce_create(&m->gather, world, micro_batches, elements, m->bounds, m->buckets, &gather));
    m->options.algorithm = dt_allreduce_algorithm(m->gather);
    m->options.form = DT_FORM_REDUCE_SCATTER;
    return DT_OK;
}

void dt_moments_free(dt_moments *m) {
    dt_allreduce_free(m->gather);
    free(m->bounds);
    *m = (dt_moments){0};
}

dt_status dt_moments_create_state(const dt_moments *m, dt_state *state, const dt_layout *layout) {
    return dt_state_create_sharded(state, layout, dt_allreduce_pieces(m->gather), m->world->rank);
}

/* What comes before the elements of a message: whose place they have; of none at the end. */
typedef struct dealt {
    int64_t vector, first, count;
} dealt;

/* That place in this rank's state. */
static float *target_of(const dt_moments *m, dt_state *state, const dealt *what) {
    const int64_t at = dt_pieces_before(dt_allreduce_pieces(m->gather), m->world->rank, what->first);
    DT_ASSERT(what->vector >= 0 && what->vector < 2 && at + what->count <= state->moments);
    return (what->vector == 0 ? state->exp_avg : state->exp_avg_sq) + at;
}

/* To another rank, as what dt_moments_receive expects. */
static dt_status deal_to(const dt_moments *m, int rank, const dealt *what, const float *elements) {
    DT_TRY(dt_world_send(m->world, rank, what, (int64_t)sizeof *what));
    return dt_world_send(m->world, rank, elements, what->count * (int64_t)sizeof *elements);
}

dt_status dt_moments_deal(const dt_moments *m, dt_state *state, int vector, int64_t first,
                          const float *elements, int64_t count) {
    const dt_pieces *pieces = dt_allreduce_pieces(m->gather);
    DT_ASSERT(m->world->rank == 0 && first >= 0 && count > 0 && first + count <= pieces->elements);
    const int64_t last = (first + count - 1) / pieces->bucket_floats;
    for (int64_t b = first / pieces->bucket_floats; b <= last; b++)
        for (int rank = 0; rank < m->world->size; rank++) {
            const dt_slice piece = dt_pieces_of(pieces, rank, b);
            const int64_t from = dt_max(first, piece.first),
                          end = dt_min(first + count, piece.first + piece.count);
            const dealt what = {vector, from, end - from};
            if (from >= end)
                continue;
            if (rank == 0)
                memcpy(target_of(m, state, &what), elements + (from - first),
                       (size_t)what.count * sizeof *elements);
            else
                DT_TRY(deal_to(m, rank, &what, elements + (from - first)));
        }
    return DT_OK;
}

dt_status dt_moments_deal_end(const dt_moments *m) {
    const dealt nothing = {0};
    for (int rank = 1; rank < m->world->size; rank++)
        DT_TRY(dt_world_send(m->world, rank, &nothing, (int64_t)sizeof nothing));
    return DT_OK;
}

dt_status dt_moments_receive(const dt_moments *m, dt_state *state) {
    dealt what;
    for (;;) {
        DT_TRY(dt_world_receive(m->world, 0, &what, (int64_t)sizeof what));
        if (what.count == 0)
            return DT_OK;
        DT_TRY(
            dt_world_receive(m->world, 0, target_of(m, state, &what), what.count * (int64_t)sizeof(float)));
    }
}
