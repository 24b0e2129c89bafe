/* Clipping itself is a factor that AdamW applies as it reads the gradient. */
#include "optim/clip.h"

#include <math.h>
#include <string.h>

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

/* A turned bit adds a power of two that 32 bits hold, either way. */
static uint32_t chunk_bits(const float *x, int64_t count) {
    uint32_t sum = 0;
#pragma omp simd reduction(+ : sum)
    for (int64_t i = 0; i < count; i++) {
        uint32_t bits;
        memcpy(&bits, &x[i], sizeof bits);
        sum += bits;
    }
    return sum;
}

double dt_clip_norm(const float *vector, int64_t elements, double *partial, uint64_t *bits) {
    const int64_t chunks = dt_clip_chunks(elements);
    uint64_t all = 0;
    /* The bits while the chunk is in the cache. An odd factor for each chunk tells them apart. */
#pragma omp parallel for schedule(static) reduction(+ : all)
    for (int64_t c = 0; c < chunks; c++) {
        const int64_t first = c * CHUNK, count = elements - first < CHUNK ? elements - first : CHUNK;
        partial[c] = chunk_squares(vector + first, count);
        all += (uint64_t)(2 * c + 1) * chunk_bits(vector + first, count);
    }
    *bits = all;
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
