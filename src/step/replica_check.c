/* Hashes of slices, the thread that makes them beside a step, and what follows from comparing them. */
#include "step/replica_check.h"

#include <inttypes.h>
#include <omp.h>
#include <stdio.h>
#include <string.h>

#include "base/assert.h"
#include "base/clock.h"
#include "base/memory.h"
#include "base/minmax.h"
#include "base/narrow.h"
#include "base/plural.h"
#include "comm/agree.h"
#include "comm/contract.h"
#include "comm/mismatch.h"
#include "config/config.h"
#include "optim/fingerprint.h"
#include "optim/finite.h"

/* What a rank tells when looks have differed: the hash of its state, and 0, or 1 + the first tensor of it
 * that is not finite. */
enum { WHOLE, NONFINITE, VERDICT };

static bool compares(const dt_replica_check *check) {
    return check != NULL && !dt_is_null_int(check->cadence) && check->world->size > 1;
}

/* The hashes of the slices, and one of all of them. */
static uint64_t hash_state(const dt_replica_check *check, int threads) {
#pragma omp parallel for schedule(dynamic, 1) num_threads(threads)
    for (int64_t slice = 0; slice < check->slices; slice++)
        check->hashes[slice] = dt_fingerprint_slice(check->state, slice);
    return dt_fingerprint_whole(check->hashes, check->slices);
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
    check->slices = dt_state_common_slices(state);
    if (world->size == 1)
        return DT_OK;
    check->hashes = dt_memory_alloc(check->slices, sizeof *check->hashes, "the hashes of the replica");
    check->verdicts =
        dt_memory_alloc(world->size, VERDICT * sizeof *check->verdicts, "what ranks tell of their replicas");
    if (check->hashes == NULL || check->verdicts == NULL)
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
    dt_memory_free(check->verdicts);
    *check = (dt_replica_check){0};
}

/* ---- looks ---- */

bool dt_replica_check_want(dt_replica_check *check) {
    check->wanted = compares(check);
    return check->wanted;
}

void dt_replica_check_begin(dt_replica_check *check) {
    DT_ASSERT(check == NULL || !check->begun);
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

static uint64_t *verdict_of(const dt_replica_check *check, int rank) {
    return check->verdicts + rank * VERDICT;
}

/* Of two arrays of elements of so many bytes, 1 + the first element that differs, or 0. */
static int first_difference(const void *one, const void *other, int64_t count, size_t element_bytes) {
    const char *a = one, *b = other;
    for (int64_t i = 0; i < count; i++)
        if (memcmp(a + (size_t)i * element_bytes, b + (size_t)i * element_bytes, element_bytes) != 0)
            return dt_narrow(i + 1);
    return 0;
}

/*
 * The first of `count` elements that some rank has otherwise than rank 0, into `*first`; 0 where all have the
 * same, as when a bit was wrong only while it was looked at. `scratch` has room for them. Collective.
 */
static dt_status find_first(const dt_replica_check *check, const void *mine, void *scratch, int64_t count,
                            size_t element_bytes, int64_t *first) {
    int min;
    if (check->world->rank == 0)
        memcpy(scratch, mine, (size_t)count * element_bytes);
    DT_TRY(dt_world_broadcast(check->world, scratch, count * (int64_t)element_bytes));
    DT_TRY(dt_agree_min(check->world, first_difference(mine, scratch, count, element_bytes), &min));
    *first = min > 0 ? min - 1 : 0;
    return DT_OK;
}

/* The tensor of the first number that is not the same on all ranks. Collective. */
static dt_status find_tensor(const dt_replica_check *check, int64_t *tensor) {
    const int64_t hash_bytes = check->slices * (int64_t)sizeof *check->hashes,
                  slice_bytes = DT_STATE_SLICE_FLOATS * (int64_t)sizeof(float);
    int64_t slice = 0, element = 0, count;
    void *scratch = dt_memory_alloc(dt_max(hash_bytes, slice_bytes), 1, "another rank's slice");
    dt_status status = dt_agree(check->world, scratch ? DT_OK : DT_FAILED);
    if (status == DT_OK)
        status = find_first(check, check->hashes, scratch, check->slices, sizeof *check->hashes, &slice);
    const float *elements = dt_state_slice(check->state, slice, &count);
    if (status == DT_OK)
        status = find_first(check, elements, scratch, count, sizeof *elements, &element);
    dt_memory_free(scratch);
    *tensor = dt_state_tensor_at(check->state->layout, slice, element);
    return status;
}

/* A NaN or an infinity tells which rank is wrong, also of two; "" where all or none have some. `*tensor` is
 * the first of the lowest such rank. */
static dt_status find_nonfinite(const dt_replica_check *check, char found[DT_MISMATCH_BYTES],
                                int64_t *tensor) {
    const dt_world *world = check->world;
    int count;
    DT_TRY(dt_mismatch_list(world, verdict_of(check, world->rank)[NONFINITE] > 0, found, &count));
    if (count == world->size)
        *found = 0;
    const size_t used = strlen(found);
    if (used > 0)
        snprintf(found + used, DT_MISMATCH_BYTES - used, " alone %s NaN or infinity",
                 dt_plural(count, "has", "have"));
    for (int r = world->size - 1; *found && r >= 0; r--)
        if (verdict_of(check, r)[NONFINITE] > 0)
            *tensor = (int64_t)verdict_of(check, r)[NONFINITE] - 1;
    return DT_OK;
}

/* Compares what the ranks have told. Collective. */
static dt_status judge(const dt_replica_check *check) {
    char found[DT_MISMATCH_BYTES], nonfinite[DT_MISMATCH_BYTES], name[DT_STATE_TENSOR_BYTES];
    int64_t tensor = 0;
    DT_TRY(
        dt_mismatch_describe(check->world, check->verdicts, VERDICT * sizeof *check->verdicts, false, found));
    if (*found == 0)
        return DT_OK;
    DT_TRY(find_nonfinite(check, nonfinite, &tensor));
    if (*nonfinite == 0)
        DT_TRY(find_tensor(check, &tensor));
    dt_state_tensor_name(check->state->layout, tensor, name);
    return dt_fail(
        "the replicas are no longer equal: after step %" PRId64 " %s; first in tensor %s; "
        "this state was not saved; the cause is bad memory, a bad processor, or a hook that does not "
        "do the same on every rank; leave out that host, or fix the hook, and go on from the "
        "last checkpoint",
        check->state->step, *nonfinite ? nonfinite : found, name);
}

dt_status dt_replica_check_name(dt_replica_check *check) {
    DT_COLLECTIVE_CALL(check->world);
    uint64_t *mine = verdict_of(check, check->world->rank);
    mine[WHOLE] = dt_fingerprint_whole(check->hashes, check->slices);
    mine[NONFINITE] = (uint64_t)(dt_finite_first_tensor(check->state) + 1);
    DT_TRY(dt_world_gather_same(check->world, check->verdicts, VERDICT * (int64_t)sizeof *check->verdicts));
    return dt_agree(check->world, judge(check));
}

dt_status dt_replica_check_compare_now(dt_replica_check *check) {
    if (!compares(check))
        return DT_OK;
    DT_COLLECTIVE(check->world, DT_SAME_INT(check->state->step), DT_SAME_INT(check->cadence));
    check->looked = true;
    check->hash = hash_state(check, omp_get_max_threads());
    return dt_replica_check_name(check);
}
