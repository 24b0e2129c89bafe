/* Clipping itself is a factor that AdamW applies as it reads the gradient. */
#include "optim/clip.h"

#include <math.h>

#define CHUNK 4096

int64_t dt_clip_chunks(int64_t elements) {
    return (elements + CHUNK - 1) / CHUNK;
}

static double chunk_squares(const float *x, int64_t count) {
    double sum = 0.0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++)
        sum += (double)x[i] * (double)x[i];
    return sum;
}

double dt_clip_norm(const float *vector, int64_t elements, double *partial) {
    const int64_t chunks = dt_clip_chunks(elements);
#pragma omp parallel for schedule(static)
    for (int64_t c = 0; c < chunks; c++) {
        const int64_t first = c * CHUNK;
        partial[c] = chunk_squares(vector + first, elements - first < CHUNK ? elements - first : CHUNK);
    }
    double sum = 0.0;
    for (int64_t c = 0; c < chunks; c++)
        sum += partial[c];
    return sqrt(sum);
}

double dt_clip_scale(double norm, double limit) {
    if (isnan(limit))
        return 1.0;
    double scale = limit / (norm + 1e-6);
    return scale < 1.0 ? scale : 1.0;
}
