/* The pieces are the allgather's; what travels beside steps goes piece by piece, between rank 0 and another.
 */
#include "optim/moments.h"

#include <stdlib.h>
#include <string.h>

#include "allreduce/buckets.h"
#include "base/assert.h"
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

/* Brings one vector together on rank 0. */
static dt_status collect(const dt_moments *m, const dt_state *state, const float *mine, float *all) {
    const dt_pieces *pieces = dt_allreduce_pieces(m->gather);
    for (int64_t r = 0; r < state->runs; mine += state->run[r++].count)
        if (m->world->rank != 0)
            DT_TRY(dt_world_send(m->world, 0, mine, state->run[r].count * (int64_t)sizeof *mine));
        else
            memcpy(all + state->run[r].first, mine, (size_t)state->run[r].count * sizeof *mine);
    for (int rank = 1; m->world->rank == 0 && rank < m->world->size; rank++)
        for (int64_t b = 0; b < pieces->buckets; b++) {
            const dt_slice piece = dt_pieces_of(pieces, rank, b);
            DT_TRY(dt_world_receive(m->world, rank, all + piece.first, piece.count * (int64_t)sizeof *all));
        }
    return DT_OK;
}

static dt_status spread(const dt_moments *m, const dt_state *state, float *mine, const float *all) {
    const dt_pieces *pieces = dt_allreduce_pieces(m->gather);
    for (int rank = 1; m->world->rank == 0 && rank < m->world->size; rank++)
        for (int64_t b = 0; b < pieces->buckets; b++) {
            const dt_slice piece = dt_pieces_of(pieces, rank, b);
            DT_TRY(dt_world_send(m->world, rank, all + piece.first, piece.count * (int64_t)sizeof *all));
        }
    for (int64_t r = 0; r < state->runs; mine += state->run[r++].count)
        if (m->world->rank != 0)
            DT_TRY(dt_world_receive(m->world, 0, mine, state->run[r].count * (int64_t)sizeof *mine));
        else
            memcpy(mine, all + state->run[r].first, (size_t)state->run[r].count * sizeof *mine);
    return DT_OK;
}

dt_status dt_moments_collect(const dt_moments *m, const dt_state *state, float *exp_avg, float *exp_avg_sq) {
    DT_COLLECTIVE(m->world, DT_SAME_INT(state->step));
    DT_TRY(collect(m, state, state->exp_avg, exp_avg));
    return collect(m, state, state->exp_avg_sq, exp_avg_sq);
}

dt_status dt_moments_spread(const dt_moments *m, dt_state *state, const float *exp_avg,
                            const float *exp_avg_sq) {
    DT_COLLECTIVE(m->world, DT_SAME_INT(state->layout->elements));
    DT_TRY(spread(m, state, state->exp_avg, exp_avg));
    return spread(m, state, state->exp_avg_sq, exp_avg_sq);
}
