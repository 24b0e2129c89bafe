/* MPI programs are usually run with one thread a rank, so that is what no OMP_NUM_THREADS means here. */
#include "step/workers.h"

#include <errno.h>
#include <omp.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/plural.h"

/* OpenMP's environment may hold it to fewer (OMP_THREAD_LIMIT, OMP_MAX_ACTIVE_LEVELS). */
static int allowed(int threads) {
    const int limit = omp_get_max_active_levels() > 0 ? omp_get_thread_limit() : 1;
    return threads < limit ? threads : limit;
}

dt_status dt_workers_count(int *threads) {
    const char *text = getenv("OMP_NUM_THREADS");
    *threads = 1;
    if (text == NULL || *text == 0)
        return DT_OK;
    char *end;
    errno = 0;
    long count = strtol(text, &end, 10);
    /* A list, "4,2", is for nested regions: the first number is the one that counts here. */
    if (errno != 0 || end == text || (*end != 0 && *end != ',') || count < 1 || count > 4096)
        return dt_usage("OMP_NUM_THREADS: expected a number of threads from 1 to 4096, found \"%s\"", text);
    *threads = allowed((int)count);
    return DT_OK;
}

/* What OpenMP gives in the end a region tells. */
static int granted(int threads) {
    int found = 1;
    omp_set_dynamic(0);
    omp_set_num_threads(threads);
#pragma omp parallel
#pragma omp single
    found = omp_get_num_threads();
    omp_set_num_threads(found);
    return found;
}

dt_status dt_workers_create(dt_workers *workers, int threads, const dt_kernels *kernels,
                            const dt_shape *shape, int64_t sequences, dt_recompute recompute) {
    DT_ASSERT(threads > 0 && sequences > 0);
    workers->threads = granted(threads);
    workers->activations = calloc((size_t)workers->threads, sizeof *workers->activations);
    if (workers->activations == NULL)
        return dt_fail("out of memory for the activations of %d thread%s", workers->threads,
                       dt_plural_s(workers->threads));
    for (int t = 0; t < workers->threads; t++)
        DT_TRY(dt_activations_create(&workers->activations[t], kernels, shape, sequences, recompute));
    return DT_OK;
}

/* Panels that a thread packs at a time: few enough that the threads end together. */
#define PACKED_TOGETHER 4

void dt_workers_pack(const dt_workers *workers, const dt_gpt *gpt, const dt_weights *weights) {
    if (weights->panels == 0)
        return;
#pragma omp parallel for schedule(static, 1) num_threads(workers->threads)
    for (int64_t first = 0; first < weights->panels; first += PACKED_TOGETHER) {
        const int64_t end = first + PACKED_TOGETHER;
        dt_weights_pack(weights, gpt, first, end < weights->panels ? end : weights->panels);
    }
}

void dt_workers_free(dt_workers *workers) {
    for (int t = 0; workers->activations && t < workers->threads; t++)
        dt_activations_free(&workers->activations[t]);
    free(workers->activations);
    *workers = (dt_workers){0};
}
