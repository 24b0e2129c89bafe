/* A rank's word on stopping and on its state stands in each of its rows: so all rows are alike, and one
 * gathering is all. */
#include "step/micro_batch_values.h"

#include <string.h>

#include "allreduce/tree.h"
#include "base/assert.h"
#include "base/memory.h"
#include "comm/contract.h"

/* The doubles of a row; hooks' follow. */
enum { LOSS, STOP, STATE, HOOKS };

dt_status dt_micro_batch_values_create(dt_micro_batch_values *values, const dt_world *world,
                                       int64_t micro_batches, int64_t hook_values) {
    DT_ASSERT(micro_batches > 0 && hook_values >= 0);
    *values = (dt_micro_batch_values){.micro_batches = micro_batches, .stride = HOOKS + hook_values};
    dt_tree_run(micro_batches, world->rank, world->size, &values->first, &values->end);
    values->rows = dt_memory_alloc(micro_batches * values->stride, sizeof *values->rows,
                                   "the values of the micro-batches");
    values->losses =
        dt_memory_alloc(micro_batches, sizeof *values->losses, "the losses of the micro-batches");
    values->counts =
        dt_memory_alloc(world->size, sizeof *values->counts, "the ranks' numbers of micro-batches");
    if (!values->rows || !values->losses || !values->counts)
        return DT_FAILED;
    for (int r = 0; r < world->size; r++) {
        int64_t first, end;
        dt_tree_run(micro_batches, r, world->size, &first, &end);
        values->counts[r] = end - first;
    }
    return DT_OK;
}

void dt_micro_batch_values_free(dt_micro_batch_values *values) {
    dt_memory_free(values->rows);
    dt_memory_free(values->losses);
    dt_memory_free(values->counts);
    *values = (dt_micro_batch_values){0};
}

static double *row_of(const dt_micro_batch_values *values, int64_t index) {
    DT_ASSERT(index >= 0 && index < values->micro_batches);
    return values->rows + index * values->stride;
}

double *dt_micro_batch_values_loss(const dt_micro_batch_values *values, int64_t index) {
    return &row_of(values, index)[LOSS];
}

double *dt_micro_batch_values_hooks(const dt_micro_batch_values *values, int64_t index) {
    return &row_of(values, index)[HOOKS];
}

/* A hash in a place for a double: its bytes travel as they are, whatever number they would be. */
static void put_hash(double *into, uint64_t hash) {
    _Static_assert(sizeof *into == sizeof hash, "a hash takes the place of one double");
    memcpy(into, &hash, sizeof hash);
}

/* Of two reasons to stop the smaller, 0 being none: a signal comes before what another rank has heard of it.
 */
static int sooner(int a, int b) {
    return a == 0 || (b != 0 && b < a) ? b : a;
}

dt_status dt_micro_batch_values_gather(dt_micro_batch_values *values, const dt_world *world, int stop,
                                       uint64_t state_hash, dt_micro_batch_findings *findings) {
    DT_COLLECTIVE(world, DT_SAME_INT(values->micro_batches), DT_SAME_INT(values->stride));
    for (int64_t i = values->first; i < values->end; i++) {
        row_of(values, i)[STOP] = (double)stop;
        put_hash(&row_of(values, i)[STATE], state_hash);
    }
    DT_TRY(
        dt_world_gather_all(world, values->rows, values->stride * (int64_t)sizeof(double), values->counts));
    *findings = (dt_micro_batch_findings){.same_state = true};
    for (int64_t i = 0; i < values->micro_batches; i++) {
        const double *row = row_of(values, i);
        values->losses[i] = row[LOSS];
        findings->stop = sooner(findings->stop, (int)row[STOP]);
        findings->same_state &= memcmp(&row[STATE], &row_of(values, 0)[STATE], sizeof(double)) == 0;
    }
    findings->loss = dt_tree_sum(values->losses, values->micro_batches);
    return DT_OK;
}
