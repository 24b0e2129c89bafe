/* Hashes of tensors, the thread that makes them beside a step, and what follows from comparing them. */
#include "step/replica_check.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "comm/agree.h"
#include "comm/mismatch.h"
#include "config/config.h"
#include "optim/fingerprint.h"
#include "optim/finite.h"

/* Behind a rank's hashes: 0, or 1 + the first part of its state that is not finite. */
static int64_t row_columns(const dt_replica_check *drift) {
    return drift->parts + 1;
}

static uint64_t *row_of(const dt_replica_check *drift, int rank) {
    return drift->hashes + rank * row_columns(drift);
}

static bool compares(const dt_replica_check *drift) {
    return drift != NULL && !dt_is_null_int(drift->cadence) && drift->world->size > 1;
}

/* The hashes of this rank's row, and one of all of them. */
static uint64_t hash_state(const dt_replica_check *drift, int threads) {
    uint64_t *row = row_of(drift, drift->world->rank);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t part = 0; part < drift->parts; part++)
        row[part] = dt_fingerprint_part(drift->state, part);
    return dt_fingerprint_whole(row, drift->parts);
}

/* ---- the thread ---- */

static void *run_looker(void *argument) {
    dt_replica_check *drift = argument;
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

dt_status dt_replica_check_create(dt_replica_check *drift, const dt_world *world, const dt_state *state,
                                  int64_t cadence) {
    *drift = (dt_replica_check){.world = world, .state = state, .cadence = cadence};
    drift->parts = dt_fingerprint_parts(state->layout);
    if (world->size == 1)
        return DT_OK;
    drift->hashes = dt_memory_alloc(world->size * row_columns(drift), sizeof *drift->hashes,
                                    "the hashes of the replicas");
    if (drift->hashes == NULL)
        return DT_FAILED;
    if (!compares(drift))
        return DT_OK;
    pthread_mutex_init(&drift->mutex, NULL);
    pthread_cond_init(&drift->changed, NULL);
    const int failed = pthread_create(&drift->looker, NULL, run_looker, drift);
    drift->started = failed == 0;
    return drift->started ? DT_OK
                          : dt_fail("cannot start the thread that compares replicas: %s", strerror(failed));
}

void dt_replica_check_free(dt_replica_check *drift) {
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
    *drift = (dt_replica_check){0};
}

/* ---- looks ---- */

bool dt_replica_check_want(dt_replica_check *drift) {
    drift->wanted = compares(drift);
    return drift->wanted;
}

void dt_replica_check_begin(dt_replica_check *drift) {
    if (!compares(drift))
        return;
    drift->waited_seconds = 0.0;
    drift->begun = drift->wanted || !drift->looked || drift->state->step % drift->cadence == 0;
    drift->hash = DT_DRIFT_UNSEEN;
    if (!drift->begun)
        return;
    drift->wanted = false;
    drift->looked = true;
    pthread_mutex_lock(&drift->mutex);
    drift->looking = true;
    pthread_cond_broadcast(&drift->changed);
    pthread_mutex_unlock(&drift->mutex);
}

uint64_t dt_replica_check_end(dt_replica_check *drift) {
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

uint64_t dt_replica_check_look_now(dt_replica_check *drift) {
    if (drift == NULL || drift->world->size == 1)
        return DT_DRIFT_UNSEEN;
    return hash_state(drift, omp_get_max_threads());
}

/* ---- the verdict ---- */

/* The first part that is not the same on all ranks. */
static int64_t first_difference(const dt_replica_check *drift) {
    int64_t part = 0;
    for (bool same = true; same && part < drift->parts; part += same)
        for (int r = 1; r < drift->world->size; r++)
            same &= row_of(drift, r)[part] == row_of(drift, 0)[part];
    return part;
}

/* A NaN or an infinity tells which rank is wrong, also of two; "" where all or none have some. `*part` is the
 * first of the lowest such rank. */
static dt_status find_nonfinite(const dt_replica_check *drift, char found[DT_MISMATCH_BYTES], int64_t *part) {
    const dt_world *world = drift->world;
    int count;
    DT_TRY(dt_mismatch_list(world, row_of(drift, world->rank)[drift->parts] > 0, found, &count));
    if (count == world->size)
        *found = 0;
    const size_t used = strlen(found);
    if (used > 0)
        snprintf(found + used, DT_MISMATCH_BYTES - used, " alone %s NaN or infinity",
                 count == 1 ? "has" : "have");
    for (int r = world->size - 1; *found && r >= 0; r--)
        if (row_of(drift, r)[drift->parts] > 0)
            *part = (int64_t)row_of(drift, r)[drift->parts] - 1;
    return DT_OK;
}

/* Compares the gathered rows. */
static dt_status judge(const dt_replica_check *drift) {
    char found[DT_MISMATCH_BYTES], nonfinite[DT_MISMATCH_BYTES], name[DT_TENSOR_NAME_BYTES + 16];
    int64_t part = 0;
    DT_TRY(dt_mismatch_describe(drift->world, drift->hashes,
                                (size_t)row_columns(drift) * sizeof *drift->hashes, false, found));
    if (*found == 0)
        return DT_OK;
    DT_TRY(find_nonfinite(drift, nonfinite, &part));
    if (*nonfinite == 0)
        part = first_difference(drift);
    dt_fingerprint_name(drift->state->layout, part, name, sizeof name);
    return dt_fail(
        "the replicas are no longer equal: after step %" PRId64 " %s; first in tensor %s; "
        "this state was not saved; the cause is bad memory, a bad processor, or a hook that does not "
        "do the same on every rank; leave out that host, or fix the hook, and go on from the "
        "last checkpoint",
        drift->state->step, *nonfinite ? nonfinite : found, name);
}

dt_status dt_replica_check_name(dt_replica_check *drift) {
    const dt_state *state = drift->state;
    row_of(drift, drift->world->rank)[drift->parts] = (uint64_t)(dt_finite_first_part(state) + 1);
    DT_TRY(dt_world_gather_same(drift->world, drift->hashes,
                                row_columns(drift) * (int64_t)sizeof *drift->hashes));
    return dt_agree(drift->world, judge(drift));
}

dt_status dt_replica_check_check(dt_replica_check *drift) {
    if (!compares(drift))
        return DT_OK;
    drift->looked = true;
    drift->hash = hash_state(drift, omp_get_max_threads());
    return dt_replica_check_name(drift);
}
