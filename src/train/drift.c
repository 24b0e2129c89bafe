/* Hashes of tensors, the thread that makes them beside a step, and what follows from comparing them. */
#include "train/drift.h"

#include <inttypes.h>
#include <omp.h>
#include <string.h>
#include <xxhash.h>

#include "base/clock.h"
#include "base/memory.h"
#include "comm/agree.h"
#include "comm/odd.h"
#include "config/config.h"

enum { VECTORS = 3 };

static bool compares(const dt_drift *drift) {
    return drift != NULL && !dt_is_null_int(drift->cadence) && drift->world->size > 1;
}

/* One hash of this rank's row: parts are the tensors of the weights, then those of each moment. */
static uint64_t hash_state(const dt_drift *drift, int threads) {
    const dt_state *state = drift->state;
    const dt_layout *layout = state->layout;
    const float *const vectors[VECTORS] = {state->parameters, state->exp_avg, state->exp_avg_sq};
    uint64_t *row = drift->hashes + drift->world->rank * drift->parts;
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t part = 0; part < drift->parts; part++) {
        const dt_tensor *tensor = &layout->tensor[part % layout->tensors];
        row[part] = XXH3_64bits(vectors[part / layout->tensors] + tensor->offset,
                                (size_t)tensor->count * sizeof(float));
    }
    return XXH3_64bits(row, (size_t)drift->parts * sizeof *row);
}

/* ---- the thread ---- */

static void *run_looker(void *argument) {
    dt_drift *drift = argument;
    pthread_mutex_lock(&drift->mutex);
    for (;;) {
        while (!drift->looking && !drift->leaving)
            pthread_cond_wait(&drift->changed, &drift->mutex);
        if (!drift->looking)
            break;
        pthread_mutex_unlock(&drift->mutex);
        const uint64_t hash = hash_state(drift, 1);
        pthread_mutex_lock(&drift->mutex);
        drift->hash = hash;
        drift->looking = false;
        pthread_cond_broadcast(&drift->changed);
    }
    pthread_mutex_unlock(&drift->mutex);
    return NULL;
}

dt_status dt_drift_create(dt_drift *drift, const dt_world *world, const dt_state *state, int64_t cadence) {
    *drift = (dt_drift){.world = world, .state = state, .cadence = cadence};
    drift->parts = VECTORS * state->layout->tensors;
    if (!compares(drift))
        return DT_OK;
    drift->hashes =
        dt_memory_alloc(world->size * drift->parts, sizeof *drift->hashes, "the hashes of the replicas");
    if (drift->hashes == NULL)
        return DT_FAILED;
    pthread_mutex_init(&drift->mutex, NULL);
    pthread_cond_init(&drift->changed, NULL);
    const int failed = pthread_create(&drift->looker, NULL, run_looker, drift);
    drift->started = failed == 0;
    return drift->started ? DT_OK
                          : dt_fail("cannot start the thread that compares replicas: %s", strerror(failed));
}

void dt_drift_free(dt_drift *drift) {
    if (drift->started) {
        pthread_mutex_lock(&drift->mutex);
        drift->leaving = true;
        pthread_cond_broadcast(&drift->changed);
        pthread_mutex_unlock(&drift->mutex);
        pthread_join(drift->looker, NULL);
        pthread_cond_destroy(&drift->changed);
        pthread_mutex_destroy(&drift->mutex);
    }
    dt_memory_free(drift->hashes);
    *drift = (dt_drift){0};
}

/* ---- looks ---- */

bool dt_drift_want(dt_drift *drift) {
    drift->wanted = compares(drift);
    return drift->wanted;
}

void dt_drift_begin(dt_drift *drift) {
    if (!compares(drift))
        return;
    drift->waited_seconds = 0.0;
    drift->begun = drift->wanted || !drift->looked || drift->state->step % drift->cadence == 0;
    if (!drift->begun)
        return;
    drift->wanted = false;
    drift->looked = true;
    pthread_mutex_lock(&drift->mutex);
    drift->looking = true;
    pthread_cond_broadcast(&drift->changed);
    pthread_mutex_unlock(&drift->mutex);
}

uint64_t dt_drift_end(dt_drift *drift) {
    if (drift == NULL || !drift->begun)
        return DT_DRIFT_UNSEEN;
    const double asked = dt_clock_seconds();
    pthread_mutex_lock(&drift->mutex);
    while (drift->looking)
        pthread_cond_wait(&drift->changed, &drift->mutex);
    pthread_mutex_unlock(&drift->mutex);
    drift->begun = false;
    drift->waited_seconds = dt_clock_seconds() - asked;
    return drift->hash;
}

/* ---- the verdict ---- */

/* The first part that is not the same on all ranks. */
static int64_t first_difference(const dt_drift *drift) {
    int64_t part = 0;
    for (bool same = true; same && part < drift->parts; part += same)
        for (int r = 1; r < drift->world->size; r++)
            same &= drift->hashes[r * drift->parts + part] == drift->hashes[part];
    return part;
}

/* Compares the gathered rows. */
static dt_status judge(const dt_drift *drift) {
    static const char *const kinds[VECTORS] = {"", "exp_avg.", "exp_avg_sq."};
    const dt_layout *layout = drift->state->layout;
    char found[DT_ODD_BYTES];
    DT_TRY(dt_odd_describe(drift->world, drift->hashes, (size_t)drift->parts * sizeof *drift->hashes, false,
                           found));
    if (*found == 0)
        return DT_OK;
    const int64_t part = first_difference(drift);
    return dt_fail("the replicas are no longer equal: after step %" PRId64
                   " %s; first in tensor %s%s; nothing "
                   "was saved; the cause is bad memory, a bad processor, or a hook that does not do the same "
                   "on every rank; leave out that host, or mend the hook, and go on from the last checkpoint",
                   drift->state->step, found, kinds[part / layout->tensors],
                   layout->tensor[part % layout->tensors].name);
}

dt_status dt_drift_name(dt_drift *drift) {
    DT_TRY(dt_world_gather_same(drift->world, drift->hashes, drift->parts * (int64_t)sizeof *drift->hashes));
    return dt_agree(drift->world, judge(drift));
}

dt_status dt_drift_check(dt_drift *drift) {
    if (!compares(drift))
        return DT_OK;
    drift->looked = true;
    (void)hash_state(drift, omp_get_max_threads());
    return dt_drift_name(drift);
}
