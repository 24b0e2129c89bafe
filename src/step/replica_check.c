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

/* Behind a rank's hashes: 0, or 1 + the first tensor of its state that is not finite. */
static int64_t row_columns(const dt_replica_check *check) {
    return check->tensors + 1;
}

static uint64_t *row_of(const dt_replica_check *check, int rank) {
    return check->hashes + rank * row_columns(check);
}

static bool compares(const dt_replica_check *check) {
    return check != NULL && !dt_is_null_int(check->cadence) && check->world->size > 1;
}

/* The hashes of this rank's row, and one of all of them. */
static uint64_t hash_state(const dt_replica_check *check, int threads) {
    uint64_t *row = row_of(check, check->world->rank);
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t index = 0; index < check->tensors; index++)
        row[index] = dt_fingerprint_tensor(check->state, index);
    return dt_fingerprint_whole(row, check->tensors);
}

/* ---- the thread ---- */

static void *run_looker(void *argument) {
    dt_replica_check *check = argument;
    pthread_mutex_lock(&check->mutex);
    for (;;) {
        while (!check->looking && !check->leaving)
            pthread_cond_wait(&check->changed, &check->mutex);
        if (!check->looking)
            break;
        pthread_mutex_unlock(&check->mutex);
        const uint64_t hash = hash_state(check, 1);
        pthread_mutex_lock(&check->mutex);
        check->hash = hash;
        check->looking = false;
        pthread_cond_broadcast(&check->changed);
    }
    pthread_mutex_unlock(&check->mutex);
    return NULL;
}

dt_status dt_replica_check_create(dt_replica_check *check, const dt_world *world, const dt_state *state,
                                  int64_t cadence) {
    *check = (dt_replica_check){.world = world, .state = state, .cadence = cadence};
    check->tensors = dt_fingerprint_tensors(state->layout);
    if (world->size == 1)
        return DT_OK;
    check->hashes = dt_memory_alloc(world->size * row_columns(check), sizeof *check->hashes,
                                    "the hashes of the replicas");
    if (check->hashes == NULL)
        return DT_FAILED;
    if (!compares(check))
        return DT_OK;
    pthread_mutex_init(&check->mutex, NULL);
    pthread_cond_init(&check->changed, NULL);
    const int failed = pthread_create(&check->looker, NULL, run_looker, check);
    check->started = failed == 0;
    return check->started ? DT_OK
                          : dt_fail("cannot start the thread that compares replicas: %s", strerror(failed));
}

void dt_replica_check_free(dt_replica_check *check) {
    if (check->started) {
        pthread_mutex_lock(&check->mutex);
        check->leaving = true;
        pthread_cond_broadcast(&check->changed);
        pthread_mutex_unlock(&check->mutex);
        pthread_join(check->looker, NULL);
        pthread_cond_destroy(&check->changed);
        pthread_mutex_destroy(&check->mutex);
    }
    dt_memory_free(check->hashes);
    *check = (dt_replica_check){0};
}

/* ---- looks ---- */

bool dt_replica_check_want(dt_replica_check *check) {
    check->wanted = compares(check);
    return check->wanted;
}

void dt_replica_check_begin(dt_replica_check *check) {
    if (!compares(check))
        return;
    check->waited_seconds = 0.0;
    check->begun = check->wanted || !check->looked || check->state->step % check->cadence == 0;
    check->hash = DT_REPLICA_CHECK_UNSEEN;
    if (!check->begun)
        return;
    check->wanted = false;
    check->looked = true;
    pthread_mutex_lock(&check->mutex);
    check->looking = true;
    pthread_cond_broadcast(&check->changed);
    pthread_mutex_unlock(&check->mutex);
}

uint64_t dt_replica_check_end(dt_replica_check *check) {
    if (check == NULL || !check->begun)
        return DT_REPLICA_CHECK_UNSEEN;
    const double asked = dt_clock_seconds();
    pthread_mutex_lock(&check->mutex);
    while (check->looking)
        pthread_cond_wait(&check->changed, &check->mutex);
    pthread_mutex_unlock(&check->mutex);
    check->begun = false;
    check->waited_seconds = dt_clock_seconds() - asked;
    return check->hash;
}

uint64_t dt_replica_check_look_now(dt_replica_check *check) {
    if (check == NULL || check->world->size == 1)
        return DT_REPLICA_CHECK_UNSEEN;
    return hash_state(check, omp_get_max_threads());
}

/* ---- the verdict ---- */

/* The first tensor that is not the same on all ranks. */
static int64_t first_difference(const dt_replica_check *check) {
    int64_t index = 0;
    for (bool same = true; same && index < check->tensors; index += same)
        for (int r = 1; r < check->world->size; r++)
            same &= row_of(check, r)[index] == row_of(check, 0)[index];
    return index;
}

/* A NaN or an infinity tells which rank is wrong, also of two; "" where all or none have some. `*index` is
 * the first of the lowest such rank. */
static dt_status find_nonfinite(const dt_replica_check *check, char found[DT_MISMATCH_BYTES],
                                int64_t *index) {
    const dt_world *world = check->world;
    int count;
    DT_TRY(dt_mismatch_list(world, row_of(check, world->rank)[check->tensors] > 0, found, &count));
    if (count == world->size)
        *found = 0;
    const size_t used = strlen(found);
    if (used > 0)
        snprintf(found + used, DT_MISMATCH_BYTES - used, " alone %s NaN or infinity",
                 count == 1 ? "has" : "have");
    for (int r = world->size - 1; *found && r >= 0; r--)
        if (row_of(check, r)[check->tensors] > 0)
            *index = (int64_t)row_of(check, r)[check->tensors] - 1;
    return DT_OK;
}

/* Compares the gathered rows. */
static dt_status judge(const dt_replica_check *check) {
    char found[DT_MISMATCH_BYTES], nonfinite[DT_MISMATCH_BYTES], name[DT_TENSOR_NAME_BYTES + 16];
    int64_t index = 0;
    DT_TRY(dt_mismatch_describe(check->world, check->hashes,
                                (size_t)row_columns(check) * sizeof *check->hashes, false, found));
    if (*found == 0)
        return DT_OK;
    DT_TRY(find_nonfinite(check, nonfinite, &index));
    if (*nonfinite == 0)
        index = first_difference(check);
    dt_fingerprint_name(check->state->layout, index, name, sizeof name);
    return dt_fail(
        "the replicas are no longer equal: after step %" PRId64 " %s; first in tensor %s; "
        "this state was not saved; the cause is bad memory, a bad processor, or a hook that does not "
        "do the same on every rank; leave out that host, or fix the hook, and go on from the "
        "last checkpoint",
        check->state->step, *nonfinite ? nonfinite : found, name);
}

dt_status dt_replica_check_name(dt_replica_check *check) {
    const dt_state *state = check->state;
    row_of(check, check->world->rank)[check->tensors] = (uint64_t)(dt_finite_first_tensor(state) + 1);
    DT_TRY(dt_world_gather_same(check->world, check->hashes,
                                row_columns(check) * (int64_t)sizeof *check->hashes));
    return dt_agree(check->world, judge(check));
}

dt_status dt_replica_check_compare_now(dt_replica_check *check) {
    if (!compares(check))
        return DT_OK;
    check->looked = true;
    check->hash = hash_state(check, omp_get_max_threads());
    return dt_replica_check_name(check);
}
