/* The three vectors, and where in them tensors and slices lie. checkpoint/ moves them to disk and back. */
#include "optim/state.h"

#include <stddef.h>
#include <stdio.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"

/* ---- the vectors ---- */

/* The caller has set whose moments there are. */
static dt_status create_runs(dt_state *state, int64_t runs) {
    state->moments = 0;
    state->runs = runs;
    state->run = dt_memory_alloc(runs, sizeof *state->run, "the runs of AdamW's moments");
    return state->run ? DT_OK : DT_FAILED;
}

static dt_status create_vectors(dt_state *state, const dt_layout *layout) {
    for (int64_t r = 0; r < state->runs; r++)
        state->moments += state->run[r].count;
    state->parameters = dt_memory_alloc(layout->elements, sizeof(float), "the parameters");
    state->exp_avg = dt_memory_alloc(state->moments, sizeof(float), "AdamW's first moments");
    state->exp_avg_sq = dt_memory_alloc(state->moments, sizeof(float), "AdamW's second moments");
    return state->parameters && state->exp_avg && state->exp_avg_sq ? DT_OK : DT_FAILED;
}

static void begin(dt_state *state, const dt_layout *layout) {
    state->layout = layout;
    state->step = 0;
    state->phase = DT_STATE_ARRIVING;
    state->waited_seconds = 0.0;
    pthread_mutex_init(&state->at_rest, NULL);
    state->parameters = state->exp_avg = state->exp_avg_sq = NULL;
}

dt_status dt_state_create(dt_state *state, const dt_layout *layout) {
    begin(state, layout);
    state->sharded = false;
    DT_TRY(create_runs(state, 1));
    state->run[0] = (dt_slice){0, layout->elements};
    return create_vectors(state, layout);
}

dt_status dt_state_create_sharded(dt_state *state, const dt_layout *layout, const dt_pieces *pieces,
                                  int rank) {
    DT_ASSERT(pieces->elements == layout->elements);
    begin(state, layout);
    state->sharded = true;
    DT_TRY(create_runs(state, pieces->buckets));
    for (int64_t b = 0; b < pieces->buckets; b++)
        state->run[b] = dt_pieces_of(pieces, rank, b);
    return create_vectors(state, layout);
}

/* What this thread holds, so that whoever needs it held can ask without a lock. */
static _Thread_local const dt_state *held;

void dt_state_hold(dt_state *state) {
    DT_ASSERT(held == NULL);
    pthread_mutex_lock(&state->at_rest);
    held = state;
}

void dt_state_release(dt_state *state) {
    DT_ASSERT(held == state);
    held = NULL;
    pthread_mutex_unlock(&state->at_rest);
}

bool dt_state_is_held(const dt_state *state) {
    return held == state;
}

void dt_state_free(dt_state *state) {
    dt_memory_free(state->parameters);
    dt_memory_free(state->exp_avg);
    dt_memory_free(state->exp_avg_sq);
    dt_memory_free(state->run);
    state->run = NULL;
    state->parameters = state->exp_avg = state->exp_avg_sq = NULL;
}

void dt_state_arrive(dt_state *state, int64_t step) {
    state->step = step;
    state->phase = DT_STATE_COMPLETE;
}

void dt_state_begin_update(dt_state *state) {
    dt_state_hold(state);
    DT_ASSERT(state->phase == DT_STATE_COMPLETE);
    state->phase = DT_STATE_UPDATING;
}

void dt_state_count_step(dt_state *state, int64_t step) {
    DT_ASSERT(dt_state_is_held(state) && state->phase == DT_STATE_UPDATING);
    state->step = step;
}

void dt_state_end_update(dt_state *state, int64_t step) {
    DT_ASSERT(dt_state_is_held(state) && state->phase == DT_STATE_UPDATING);
    dt_state_arrive(state, step);
}

static float *vector_of(const dt_state *state, int64_t vector) {
    DT_ASSERT(vector == 0 || !state->sharded);
    float *const vectors[DT_STATE_VECTORS] = {state->parameters, state->exp_avg, state->exp_avg_sq};
    return vectors[vector];
}

/* ---- tensors ---- */

int64_t dt_state_tensors(const dt_layout *layout) {
    return DT_STATE_VECTORS * layout->tensors;
}

float *dt_state_tensor(const dt_state *state, int64_t index, int64_t *count) {
    DT_ASSERT(index >= 0 && index < dt_state_tensors(state->layout));
    const dt_tensor *tensor = &state->layout->tensor[index % state->layout->tensors];
    *count = tensor->count;
    return vector_of(state, index / state->layout->tensors) + tensor->offset;
}

void dt_state_tensor_name(const dt_layout *layout, int64_t index, char name[DT_STATE_TENSOR_BYTES]) {
    DT_ASSERT(index >= 0 && index < dt_state_tensors(layout));
    static const char *const kinds[DT_STATE_VECTORS] = {"", "exp_avg.", "exp_avg_sq."};
    snprintf(name, DT_STATE_TENSOR_BYTES, "%s%s", kinds[index / layout->tensors],
             layout->tensor[index % layout->tensors].name);
}

/* ---- slices ---- */

/* Of one vector. */
static int64_t slices_per_vector(const dt_layout *layout) {
    return (layout->elements + DT_STATE_SLICE_FLOATS - 1) / DT_STATE_SLICE_FLOATS;
}

/* Where slice `index` begins in its vector. */
static int64_t start_of(const dt_layout *layout, int64_t index) {
    return index % slices_per_vector(layout) * DT_STATE_SLICE_FLOATS;
}

int64_t dt_state_slices(const dt_layout *layout) {
    return DT_STATE_VECTORS * slices_per_vector(layout);
}

int64_t dt_state_common_slices(const dt_state *state) {
    return state->sharded ? slices_per_vector(state->layout) : dt_state_slices(state->layout);
}

float *dt_state_slice(const dt_state *state, int64_t index, int64_t *count) {
    DT_ASSERT(index >= 0 && index < dt_state_slices(state->layout));
    const int64_t first = start_of(state->layout, index);
    *count = dt_min(DT_STATE_SLICE_FLOATS, state->layout->elements - first);
    return vector_of(state, index / slices_per_vector(state->layout)) + first;
}

void dt_state_slices_of_tensor(const dt_layout *layout, int64_t index, int64_t *first, int64_t *end) {
    const dt_tensor *tensor = &layout->tensor[index % layout->tensors];
    const int64_t before = index / layout->tensors * slices_per_vector(layout);
    *first = before + tensor->offset / DT_STATE_SLICE_FLOATS;
    *end = before + (tensor->offset + tensor->count - 1) / DT_STATE_SLICE_FLOATS + 1;
}

int64_t dt_state_tensor_at(const dt_layout *layout, int64_t slice, int64_t element) {
    const int64_t at = start_of(layout, slice) + element;
    int64_t found = 0;
    while (found + 1 < layout->tensors && layout->tensor[found + 1].offset <= at)
        found++;
    return slice / slices_per_vector(layout) * layout->tensors + found;
}

void dt_state_slice_name(const dt_layout *layout, int64_t index, char name[DT_STATE_SLICE_BYTES]) {
    char first[DT_STATE_TENSOR_BYTES], last[DT_STATE_TENSOR_BYTES];
    const int64_t count = dt_min(DT_STATE_SLICE_FLOATS, layout->elements - start_of(layout, index));
    const int64_t from = dt_state_tensor_at(layout, index, 0),
                  to = dt_state_tensor_at(layout, index, count - 1);
    dt_state_tensor_name(layout, from, first);
    dt_state_tensor_name(layout, to, last);
    if (from == to)
        snprintf(name, DT_STATE_SLICE_BYTES, "tensor %s", first);
    else
        snprintf(name, DT_STATE_SLICE_BYTES, "tensors %s to %s", first, last);
}
