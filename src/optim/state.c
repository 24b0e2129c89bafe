/* Allocation of the three vectors; checkpoint.c moves them to disk and back. */
#include "optim/state.h"

#include <stddef.h>

#include "base/memory.h"

dt_status dt_state_create(dt_state *state, const dt_layout *layout) {
    state->layout = layout;
    state->step = 0;
    state->waited_seconds = 0.0;
    pthread_mutex_init(&state->at_rest, NULL);
    state->parameters = dt_memory_alloc(layout->elements, sizeof(float), "the parameters");
    state->exp_avg = dt_memory_alloc(layout->elements, sizeof(float), "AdamW's first moments");
    state->exp_avg_sq = dt_memory_alloc(layout->elements, sizeof(float), "AdamW's second moments");
    return state->parameters && state->exp_avg && state->exp_avg_sq ? DT_OK : DT_FAILED;
}

void dt_state_hold(dt_state *state) {
    pthread_mutex_lock(&state->at_rest);
}

void dt_state_release(dt_state *state) {
    pthread_mutex_unlock(&state->at_rest);
}

void dt_state_free(dt_state *state) {
    dt_memory_free(state->parameters);
    dt_memory_free(state->exp_avg);
    dt_memory_free(state->exp_avg_sq);
    state->parameters = state->exp_avg = state->exp_avg_sq = NULL;
}
