/* Hashes of tensors, and what follows from comparing them. */
#include "train/drift.h"

#include <inttypes.h>
#include <string.h>
#include <xxhash.h>

#include "base/memory.h"
#include "comm/agree.h"
#include "comm/odd.h"
#include "config/config.h"

enum { VECTORS = 3 };

static bool wanted(const dt_drift *drift) {
    return drift != NULL && !dt_is_null_int(drift->cadence) && drift->world->size > 1;
}

dt_status dt_drift_create(dt_drift *drift, const dt_world *world, const dt_state *state, int64_t cadence) {
    *drift = (dt_drift){.world = world, .state = state, .cadence = cadence};
    drift->parts = VECTORS * state->layout->tensors;
    if (!wanted(drift))
        return DT_OK;
    drift->hashes =
        dt_memory_alloc(world->size * drift->parts, sizeof *drift->hashes, "the hashes of the replicas");
    return drift->hashes ? DT_OK : DT_FAILED;
}

void dt_drift_free(dt_drift *drift) {
    dt_memory_free(drift->hashes);
    *drift = (dt_drift){0};
}

/* One hash of this rank's row: parts are the tensors of the weights, then those of each moment. */
static uint64_t hash_state(dt_drift *drift) {
    const dt_state *state = drift->state;
    const dt_layout *layout = state->layout;
    const float *const vectors[VECTORS] = {state->parameters, state->exp_avg, state->exp_avg_sq};
    uint64_t *row = drift->hashes + drift->world->rank * drift->parts;
    drift->looked = true;
#pragma omp parallel for schedule(dynamic, 1)
    for (int64_t part = 0; part < drift->parts; part++) {
        const dt_tensor *tensor = &layout->tensor[part % layout->tensors];
        row[part] = XXH3_64bits(vectors[part / layout->tensors] + tensor->offset,
                                (size_t)tensor->count * sizeof(float));
    }
    return XXH3_64bits(row, (size_t)drift->parts * sizeof *row);
}

uint64_t dt_drift_look(dt_drift *drift) {
    if (!wanted(drift) || (drift->looked && drift->state->step % drift->cadence != 0))
        return DT_DRIFT_UNSEEN;
    return hash_state(drift);
}

/* The first part that is not the same on all ranks. */
static int64_t first_difference(const dt_drift *drift) {
    int64_t part = 0;
    for (bool same = true; same && part < drift->parts; part += same)
        for (int r = 1; r < drift->world->size; r++)
            same &= drift->hashes[r * drift->parts + part] == drift->hashes[part];
    return part;
}

static dt_status gather_hashes(const dt_drift *drift) {
    int64_t *ones = dt_memory_alloc(drift->world->size, sizeof *ones, "a count a rank");
    dt_status status = dt_agree(drift->world, ones ? DT_OK : DT_FAILED);
    for (int r = 0; status == DT_OK && r < drift->world->size; r++)
        ones[r] = 1;
    if (status == DT_OK)
        status = dt_world_gather_all(drift->world, drift->hashes,
                                     drift->parts * (int64_t)sizeof *drift->hashes, ones);
    dt_memory_free(ones);
    return status;
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
    DT_TRY(gather_hashes(drift));
    return dt_agree(drift->world, judge(drift));
}

dt_status dt_drift_check(dt_drift *drift) {
    if (!wanted(drift))
        return DT_OK;
    (void)hash_state(drift);
    return dt_drift_name(drift);
}
