/* Where parts lie; the hash itself is checksum.c's. */
#include "optim/fingerprint.h"

#include <stdio.h>

#include "base/checksum.h"

enum { VECTORS = 3 };

int64_t dt_fingerprint_parts(const dt_layout *layout) {
    return VECTORS * layout->tensors;
}

float *dt_fingerprint_elements(const dt_state *state, int64_t part, int64_t *count) {
    float *const vectors[VECTORS] = {state->parameters, state->exp_avg, state->exp_avg_sq};
    const dt_tensor *tensor = &state->layout->tensor[part % state->layout->tensors];
    *count = tensor->count;
    return vectors[part / state->layout->tensors] + tensor->offset;
}

void dt_fingerprint_name(const dt_layout *layout, int64_t part, char *text, size_t text_bytes) {
    static const char *const kinds[VECTORS] = {"", "exp_avg.", "exp_avg_sq."};
    snprintf(text, text_bytes, "%s%s", kinds[part / layout->tensors],
             layout->tensor[part % layout->tensors].name);
}

uint64_t dt_fingerprint_part(const dt_state *state, int64_t part) {
    int64_t count;
    const float *elements = dt_fingerprint_elements(state, part, &count);
    return dt_checksum_64(elements, (size_t)count * sizeof *elements);
}

uint64_t dt_fingerprint_whole(const uint64_t *row, int64_t parts) {
    return dt_checksum_64(row, (size_t)parts * sizeof *row);
}
