/* MPI programs are usually run with one thread a rank, so that is what no OMP_NUM_THREADS means here. */
#include "step/workers.h"

#include <errno.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/minmax.h"
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

int dt_workers_teams(int threads, int64_t team_threads, int64_t micro_batches) {
    DT_ASSERT(threads > 0 && team_threads > 0 && micro_batches > 0);
    return (int)dt_max(dt_min(threads / team_threads, micro_batches), 1);
}

static dt_status create_barriers(dt_workers *workers, bool spin) {
    workers->barrier = dt_memory_alloc(workers->teams, sizeof *workers->barrier, "the teams of threads");
    if (workers->barrier == NULL)
        return DT_FAILED;
    for (int b = 0; b < workers->teams; b++)
        if (dt_barrier_create(&workers->barrier[b], spin) != DT_OK) {
            while (b-- > 0)
                dt_barrier_free(&workers->barrier[b]);
            dt_memory_free(workers->barrier);
            workers->barrier = NULL;
            return DT_FAILED;
        }
    return DT_OK;
}

bool dt_workers_straddle(int threads, int teams, int node_threads) {
    DT_ASSERT(teams > 0 && teams <= threads && node_threads > 0);
    for (int team = 0, first = 0; team < teams; team++) {
        const int size = threads / teams + (team < threads % teams);
        if (first / node_threads != (first + size - 1) / node_threads)
            return true;
        first += size;
    }
    return false;
}

dt_status dt_workers_create_by_threads(const dt_workers *workers,
                                       dt_status (*make)(void *context, const dt_team *team, int own,
                                                         int thread),
                                       void *context) {
    dt_status status = DT_OK;
    char why[DT_ERROR_BYTES] = "";
#pragma omp parallel num_threads(workers->threads)
    {
        dt_team team;
        const int thread = omp_get_thread_num(),
                  own = dt_workers_join(workers, workers->teams, thread, &team);
        const dt_status mine = make(context, &team, own, thread);
        if (mine != DT_OK)
#pragma omp critical(dt_workers_create_by_threads)
        {
            status = mine;
            snprintf(why, sizeof why, "%s", dt_error());
        }
    }
    if (status != DT_OK)
        dt_status_record("%s", why);
    return status;
}

/* What the threads' own memory is made of. */
typedef struct own_memory {
    dt_workers *workers;
    const dt_kernels *kernels;
    const dt_shape *shape;
    int64_t sequences;
    dt_recompute recompute;
} own_memory;

static dt_status make_own_memory(void *context, const dt_team *team, int own, int thread) {
    const own_memory *m = context;
    if (team->index == 0)
        DT_TRY(dt_activations_create(&m->workers->activations[own], m->kernels, m->shape, m->sequences,
                                     m->recompute));
    return dt_scratch_create(&m->workers->scratch[thread], m->kernels, m->shape, m->sequences);
}

dt_status dt_workers_create(dt_workers *workers, const dt_workers_plan *plan, const dt_kernels *kernels,
                            const dt_shape *shape, int64_t sequences, dt_recompute recompute) {
    DT_ASSERT(plan->teams > 0 && plan->teams <= plan->threads && sequences > 0);
    *workers = (dt_workers){.threads = granted(plan->threads)};
    workers->teams = plan->teams < workers->threads ? plan->teams : workers->threads;
    workers->activations = calloc((size_t)workers->teams, sizeof *workers->activations);
    workers->scratch = calloc((size_t)workers->threads, sizeof *workers->scratch);
    if (workers->activations == NULL || workers->scratch == NULL)
        return dt_fail("out of memory for the activations of %d thread%s", workers->threads,
                       dt_plural_s(workers->threads));
    DT_TRY(create_barriers(workers, plan->own_cores));
    own_memory own = {workers, kernels, shape, sequences, recompute};
    return dt_workers_create_by_threads(workers, make_own_memory, &own);
}

int dt_workers_join(const dt_workers *workers, int64_t micro_batches, int thread, dt_team *team) {
    DT_ASSERT(micro_batches > 0 && micro_batches <= workers->teams);
    DT_ASSERT(thread >= 0 && thread < workers->threads);
    const int teams = (int)micro_batches, each = workers->threads / teams;
    /* The first `longer` teams have one thread more. */
    const int longer = workers->threads % teams, in_longer = longer * (each + 1);
    const bool is_longer = thread < in_longer;
    const int size = is_longer ? each + 1 : each, position = is_longer ? thread : thread - in_longer;
    const int own = position / size + (is_longer ? 0 : longer);
    *team = (dt_team){.size = size,
                      .index = position % size,
                      .barrier = &workers->barrier[own],
                      .scratch = &workers->scratch[thread]};
    return own;
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
    for (int a = 0; workers->activations && a < workers->teams; a++)
        dt_activations_free(&workers->activations[a]);
    for (int t = 0; workers->scratch && t < workers->threads; t++)
        dt_scratch_free(&workers->scratch[t]);
    for (int b = 0; workers->barrier && b < workers->teams; b++)
        dt_barrier_free(&workers->barrier[b]);
    free(workers->activations);
    free(workers->scratch);
    dt_memory_free(workers->barrier);
    *workers = (dt_workers){0};
}
