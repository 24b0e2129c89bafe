/* Plays a step through once, with buffer numbers in place of buffers. */
#include "step/micro_batches.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/assert.h"
#include "base/memory.h"
#include "base/plural.h"

/* What the schedule is made from: all arrays have one place per micro-batch of the run. */
typedef struct rehearsal {
    dt_tree_node *node;
    dt_tree_add *tree_add;
    int64_t *free_buffer; /* a stack */
    int64_t free_count;
} rehearsal;

static int64_t take_buffer(dt_micro_batches *schedule, rehearsal *r) {
    return r->free_count > 0 ? r->free_buffer[--r->free_count] : schedule->buffers++;
}

static void rehearse(dt_micro_batches *schedule, int64_t micro_batches, rehearsal *r) {
    const int64_t run = schedule->end - schedule->first;
    for (int64_t i = 0; i < run; i++)
        r->node[i] = (dt_tree_node){schedule->first + i, schedule->first + i + 1};
    const int64_t adds = dt_tree_adds(micro_batches, r->node, run, r->tree_add);
    int64_t done = 0;
    for (int64_t wave = 0; wave < schedule->waves; wave++) {
        const int64_t ready =
            (wave + 1) * schedule->wave_micro_batches < run ? (wave + 1) * schedule->wave_micro_batches : run;
        for (int64_t i = wave * schedule->wave_micro_batches; i < ready; i++)
            schedule->buffer[i] = take_buffer(schedule, r);
        /* Additions stand in the order of a depth-first walk, so one is possible when its right operand's
         * first micro-batch is there: what sums the operands up stands before it. */
        for (; done < adds && r->tree_add[done].from < ready; done++) {
            const dt_tree_add *add = &r->tree_add[done];
            schedule->add[done] =
                (dt_micro_batches_add){schedule->buffer[add->into], schedule->buffer[add->from]};
            r->free_buffer[r->free_count++] = schedule->buffer[add->from];
        }
        schedule->wave_adds_end[wave] = done;
    }
    dt_tree_node cover[DT_TREE_COVER_MAX];
    schedule->cover_count = dt_tree_cover(micro_batches, schedule->first, schedule->end, cover);
    for (int64_t c = 0; c < schedule->cover_count; c++)
        schedule->cover_buffer[c] = schedule->buffer[cover[c].first - schedule->first];
}

dt_status dt_micro_batches_schedule(dt_micro_batches *schedule, int64_t micro_batches, int64_t first,
                                    int64_t end, int teams) {
    DT_ASSERT(first >= 0 && first <= end && teams > 0);
    const size_t run = (size_t)(end - first);
    const size_t bytes_per_micro_batch = sizeof *schedule->buffer + sizeof *schedule->add +
                                         sizeof *schedule->wave_adds_end + sizeof(dt_tree_node) +
                                         sizeof(dt_tree_add) + sizeof(int64_t);
    *schedule = (dt_micro_batches){.first = first, .end = end, .wave_micro_batches = teams};
    schedule->waves = (end - first + teams - 1) / teams;
    DT_TRY(dt_memory_expect(end - first, bytes_per_micro_batch, "the schedule of a rank's micro-batches"));
    schedule->buffer = calloc(run, sizeof *schedule->buffer);
    schedule->add = calloc(run, sizeof *schedule->add);
    schedule->wave_adds_end = calloc((size_t)schedule->waves, sizeof *schedule->wave_adds_end);
    rehearsal r = {calloc(run, sizeof *r.node), calloc(run, sizeof *r.tree_add),
                   calloc(run, sizeof *r.free_buffer), 0};
    dt_status status = DT_OK;
    if (schedule->buffer && schedule->add && schedule->wave_adds_end && r.node && r.tree_add && r.free_buffer)
        rehearse(schedule, micro_batches, &r);
    else
        status = dt_fail("out of memory for the schedule of %" PRId64 " %s", end - first,
                         dt_plural(end - first, "micro-batch", "micro-batches"));
    free(r.node);
    free(r.tree_add);
    free(r.free_buffer);
    return status;
}

void dt_micro_batches_free(dt_micro_batches *schedule) {
    free(schedule->buffer);
    free(schedule->add);
    free(schedule->wave_adds_end);
    *schedule = (dt_micro_batches){0};
}
