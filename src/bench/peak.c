/* Each measurement: all threads start together, do a slice of work that takes some milliseconds, and the
 * slowest counts. */
#include "bench/peak.h"

#include <math.h>
#include <omp.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "math/matmul.h"
#include "step/ceiling.h"

/* Many short tries rather than a few long ones: on a busy machine some of them are not interrupted. */
#define TRIES       30
#define SGEMM_FLOP  1e8                /* of a thread in a try, or one product where that is more */
#define COPY_BYTES  ((int64_t)1 << 26) /* of all threads: beyond the caches that a rank has to itself */
#define COPY_FLOATS (COPY_BYTES / (int64_t)sizeof(float))
#define COPY_SLICES 8

/* Of a loop in registers a try takes about a millisecond. */
static const dt_ceiling_effort loops = {.flop = 1e8, .tries = 100, .max_seconds = INFINITY};

/* Where the results of loops end up that exist only to be timed. */
static volatile float kept;

/* A try is a slice of the blocks that takes a millisecond, and the next try is the next slice: when its turn
 * comes again, no cache has it any more. */
static double measure_copy(float *to, const float *from, int threads) {
    const int64_t slices = threads < COPY_SLICES ? COPY_SLICES / threads : 1, floats = COPY_FLOATS / slices;
    double best = 0.0;
    for (int64_t try = 0; try < TRIES * slices; try++) {
        const int64_t at = try % slices * floats;
        const double start = dt_clock_seconds();
#pragma omp parallel num_threads(threads)
        {
            const int64_t t = omp_get_thread_num(), first = at + floats * t / threads,
                          end = at + floats * (t + 1) / threads;
            memcpy(to + first, from + first, (size_t)(end - first) * sizeof *to);
        }
        kept = to[at];
        const double rate = 2.0 * (double)floats * sizeof *to / (dt_clock_seconds() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

/* One product of the model: y[m, n] = op(a) op(b) over k. */
typedef struct form {
    bool transpose_a, transpose_b;
    int64_t m, n, k;
} form;

/* The rate of one product on all threads, each with its own `floats` floats for a, b and y. */
static double measure_product(const form *p, float *block, int64_t floats, int threads) {
    const double flop = 2.0 * (double)p->m * (double)p->n * (double)p->k;
    const int64_t calls = (int64_t)(SGEMM_FLOP / flop) + 1;
    double best = 0.0;
    for (int try = 0; try < TRIES; try++) {
        const double start = dt_clock_seconds();
#pragma omp parallel num_threads(threads)
        {
            float *a = block + omp_get_thread_num() * floats;
            float *b = a + dt_memory_round_floats(p->m * p->k), *y = b + dt_memory_round_floats(p->k * p->n);
            for (int64_t call = 0; call < calls; call++)
                dt_matmul_sgemm(&(dt_product){.transpose_a = p->transpose_a,
                                              .transpose_b = p->transpose_b,
                                              .m = p->m,
                                              .n = p->n,
                                              .k = p->k,
                                              .a = a,
                                              .a_stride = p->transpose_a ? p->m : p->k,
                                              .b = b,
                                              .b_stride = p->transpose_b ? p->k : p->n,
                                              .c = y,
                                              .c_stride = p->n});
        }
        const double rate = flop * (double)calls * threads / (dt_clock_seconds() - start);
        best = rate > best ? rate : best;
    }
    return best;
}

/* y = x w, dx = dy w^T and dw = x^T dy for each of the model's four kinds of layer weights, and the head's.
 */
static dt_status measure_sgemm(double *best, int threads, const dt_shape *s, int64_t sequences) {
    const int64_t n = sequences * s->T, C = s->C, F = s->F;
    const int64_t sides[][2] = {{C, 3 * C}, {C, C}, {C, F}, {F, C}, {C, s->V}};
    const int64_t wide = 3 * C > F ? 3 * C : F, widest = wide > s->V ? wide : s->V;
    const int64_t longer = dt_max(C, F);
    const int64_t floats = dt_memory_round_floats(n * longer) + dt_memory_round_floats(n * widest) +
                           dt_memory_round_floats(longer * widest);
    float *block =
        dt_memory_alloc(floats * threads, sizeof *block, "the matrices that sgemm's peak is measured on");
    if (block == NULL)
        return DT_FAILED;
    for (int64_t i = 0; i < floats * threads; i++)
        block[i] = 0.01f * (float)(i % 101);
    *best = 0.0;
    for (size_t i = 0; i < sizeof sides / sizeof *sides; i++) {
        const int64_t in = sides[i][0], out = sides[i][1];
        const form forms[] = {
            {false, false, n, out, in}, {false, true, n, in, out}, {true, false, in, out, n}};
        for (size_t j = 0; j < sizeof forms / sizeof *forms; j++) {
            const double rate = measure_product(&forms[j], block, floats, threads);
            *best = rate > *best ? rate : *best;
        }
    }
    dt_memory_free(block);
    return DT_OK;
}

dt_status dt_peak_measure(dt_peak *peak, int threads, const dt_shape *shape, int64_t sequences) {
    DT_ASSERT(threads > 0 && sequences > 0);
    float *blocks = dt_memory_alloc(2 * COPY_FLOATS, sizeof *blocks, "the blocks that memory is measured on");
    if (blocks == NULL)
        return DT_FAILED;
    peak->copy_bytes = measure_copy(blocks, blocks + COPY_FLOATS, threads);
    dt_memory_free(blocks);
    peak->fma_flops = dt_ceiling_measure(DT_DTYPE_FP32, threads, &loops);
    peak->bf16_flops = dt_ceiling_measure(DT_DTYPE_BF16, threads, &loops);
    if (dt_matmul_open() != DT_OK) {
        dt_log_warn("the column sgemm stays empty: %s", dt_error());
        peak->sgemm_flops = NAN;
        return DT_OK;
    }
    return measure_sgemm(&peak->sgemm_flops, threads, shape, sequences);
}
