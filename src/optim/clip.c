/* Clipping itself is a factor that AdamW applies as it reads the gradient. */
#include "optim/clip.h"

#include <math.h>
#include <string.h>

#include "allreduce/tree.h"
#include "base/assert.h"

/* Part of every result, as the chunk is. */
#define LANES 16

int64_t dt_clip_chunks(int64_t elements) {
    DT_ASSERT(elements >= 0);
    return (elements + DT_CLIP_CHUNK - 1) / DT_CLIP_CHUNK;
}

/* Squares of floats are exact in double, so only additions round: element i goes to lane i mod 16, whatever
 * the width of a vector. */
static double chunk_squares(const float *x, int64_t count) {
    double lane[LANES] = {0};
    int64_t i = 0;
    for (; i + LANES <= count; i += LANES)
        for (int64_t l = 0; l < LANES; l++)
            lane[l] += (double)x[i + l] * (double)x[i + l];
    for (int64_t l = 0; i + l < count; l++)
        lane[l] += (double)x[i + l] * (double)x[i + l];
    for (int64_t half = LANES / 2; half > 0; half /= 2)
        for (int64_t l = 0; l < half; l++)
            lane[l] += lane[l + half];
    return lane[0];
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

/* The bits while the chunk is in the cache. An odd factor for each chunk tells them apart. */
double dt_clip_chunk(const float *x, int64_t count, int64_t chunk, uint64_t *bits) {
    *bits += (uint64_t)(2 * chunk + 1) * chunk_bits(x, count);
    return chunk_squares(x, count);
}

double dt_clip_norm(const float *vector, int64_t elements, double *partial, uint64_t *bits) {
    const int64_t chunks = dt_clip_chunks(elements);
    uint64_t all = 0;
#pragma omp parallel for schedule(static) reduction(+ : all)
    for (int64_t c = 0; c < chunks; c++) {
        const int64_t first = c * DT_CLIP_CHUNK,
                      count = elements - first < DT_CLIP_CHUNK ? elements - first : DT_CLIP_CHUNK;
        partial[c] = dt_clip_chunk(vector + first, count, c, &all);
    }
    *bits = all;
    return sqrt(dt_tree_sum(partial, chunks));
}

double dt_clip_scale(double norm, double limit) {
    DT_ASSERT(!(norm < 0.0));
    if (isnan(limit))
        return 1.0;
    double scale = limit / (norm + 1e-6);
    return scale < 1.0 ? scale : 1.0;
}
