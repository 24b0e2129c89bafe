/* Which of the two ways each part takes; the ways are optim/'s and arrival.c's. */
#include "step/update.h"

#include "base/assert.h"
#include "base/memory.h"
#include "optim/clip.h"

dt_status dt_update_create(dt_update *u, const dt_world *world, dt_state *state, const dt_moments *moments,
                           bool whole, const dt_gpt *gpt, const dt_weights *weights, dt_spans *spans) {
    DT_ASSERT((moments != NULL) == state->sharded && (whole || moments != NULL));
    *u = (dt_update){.state = state, .spans = spans, .whole = whole};
    if (whole) {
        u->partial =
            dt_memory_alloc(dt_clip_chunks(state->layout->elements), sizeof *u->partial, "partial norms");
        if (u->partial == NULL)
            return DT_FAILED;
    } else
        DT_TRY(dt_shared_norm_create(&u->shared_norm, world, dt_allreduce_pieces(moments->gather)));
    if (moments == NULL)
        return DT_OK;
    if (weights->panels > 0)
        DT_TRY(dt_repack_create(&u->repack, gpt, weights, spans));
    return dt_arrival_create(&u->arrival, moments, state->parameters, u->repack, spans);
}

void dt_update_free(dt_update *u) {
    dt_arrival_free(u->arrival);
    dt_repack_free(u->repack);
    dt_shared_norm_free(&u->shared_norm);
    dt_memory_free(u->partial);
    *u = (dt_update){0};
}

dt_allreduce_options dt_update_sum_options(const dt_update *u, const dt_moments *moments,
                                           const dt_allreduce_options *options) {
    dt_allreduce_options sum = moments ? moments->options : *options;
    if (u->whole)
        sum.form = DT_FORM_ALLREDUCE;
    return sum;
}

dt_status dt_update_norm(dt_update *u, const float *sum, double *norm, uint64_t *bits) {
    const int64_t elements = u->whole ? u->state->layout->elements : u->state->moments;
    const double begun = dt_spans_begin(u->spans);
    if (u->whole)
        *norm = dt_clip_norm(sum, elements, u->partial, bits);
    else
        DT_TRY(dt_shared_norm_of(&u->shared_norm, sum, norm, bits));
    dt_spans_end(u->spans, DT_SPAN_NORM, begun, (double)elements);
    return DT_OK;
}

dt_status dt_update_take(dt_update *u, const dt_adamw *adamw, int64_t step, const float *sum) {
    dt_state *state = u->state;
    const double begun = dt_spans_begin(u->spans);
    if (state->sharded)
        dt_adamw_step_runs(state->layout, adamw, step, state->run, state->runs, sum, state->parameters,
                           state->exp_avg, state->exp_avg_sq);
    else
        dt_adamw_step(state->layout, adamw, step, sum, state->parameters, state->exp_avg, state->exp_avg_sq);
    dt_spans_end(u->spans, DT_SPAN_ADAMW, begun, (double)state->moments);
    if (u->arrival == NULL) {
        dt_state_end_update(state, step);
        return DT_OK;
    }
    const double sending = dt_spans_begin(u->spans);
    dt_state_count_step(state, step);
    DT_TRY(dt_arrival_start(u->arrival));
    dt_spans_end(u->spans, DT_SPAN_WEIGHTS, sending, 0.0);
    return DT_OK;
}

bool dt_update_is_under_way(const dt_update *u) {
    return dt_arrival_is_under_way(u->arrival);
}

void dt_update_add_times(dt_update *u, dt_overlap_times *times) {
    times->total += u->times.total;
    times->exposed += u->times.exposed;
    u->times = (dt_overlap_times){0};
}

dt_status dt_update_complete(dt_update *u) {
    DT_TRY(dt_arrival_finish(u->arrival, &u->times));
    dt_state_end_update(u->state, u->state->step);
    return DT_OK;
}
