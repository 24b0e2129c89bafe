/* Where tensors lie; the hash itself is checksum.c's. */
#include "optim/fingerprint.h"

#include <stdio.h>

#include "base/checksum.h"

enum { VECTORS = 3 };

int64_t dt_fingerprint_tensors(const dt_layout *layout) {
    return VECTORS * layout->tensors;
}

float *dt_fingerprint_elements(const dt_state *state, int64_t index, int64_t *count) {
    float *const vectors[VECTORS] = {state->parameters, state->exp_avg, state->exp_avg_sq};
    const dt_tensor *tensor = &state->layout->tensor[index % state->layout->tensors];
    *count = tensor->count;
    return vectors[index / state->layout->tensors] + tensor->offset;
}

void dt_fingerprint_name(const dt_layout *layout, int64_t index, char *text, size_t text_bytes) {
    static const char *const kinds[VECTORS] = {"", "exp_avg.", "exp_avg_sq."};
    snprintf(text, text_bytes, "%s%s", kinds[index / layout->tensors],
             layout->tensor[index % layout->tensors].name);
}

uint64_t dt_fingerprint_tensor(const dt_state *state, int64_t index) {
    int64_t count;
    const float *elements = dt_fingerprint_elements(state, index, &count);
    return dt_checksum_64(elements, (size_t)count * sizeof *elements);
}

uint64_t dt_fingerprint_whole(const uint64_t *row, int64_t tensors) {
    return dt_checksum_64(row, (size_t)tensors * sizeof *row);
}
