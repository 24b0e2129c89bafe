/* Made by the threads that will write to them. */
#include "step/gradients.h"

#include <inttypes.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/plural.h"

/* What the threads are told. */
typedef struct making {
    dt_gradients *gradients;
    const dt_micro_batches *schedule;
    const dt_layout *layout;
} making;

/* The team that first writes to `buffer`. */
static int first_team(const dt_micro_batches *schedule, int64_t buffer) {
    const int64_t run = schedule->end - schedule->first;
    int64_t index = 0;
    while (index < run - 1 && schedule->buffer[index] != buffer)
        index++;
    return (int)(index % schedule->wave_micro_batches);
}

static dt_status make(void *context, const dt_team *team, int own, int thread) {
    const making *m = context;
    (void)thread;
    for (int64_t b = 0; team->index == 0 && b < m->gradients->count; b++) {
        if (first_team(m->schedule, b) != own)
            continue;
        float *vector = dt_memory_alloc(m->layout->elements, sizeof(float), "a micro-batch's gradient");
        m->gradients->vector[b] = vector;
        if (vector == NULL)
            return DT_FAILED;
        DT_TRY(dt_gpt_view_create(&m->gradients->view[b], m->layout, vector));
    }
    return DT_OK;
}

dt_status dt_gradients_create(dt_gradients *g, const dt_workers *workers, const dt_micro_batches *schedule,
                              const dt_layout *layout) {
    *g = (dt_gradients){.vector = calloc((size_t)schedule->buffers, sizeof *g->vector),
                        .view = calloc((size_t)schedule->buffers, sizeof *g->view)};
    if (g->vector == NULL || g->view == NULL)
        return dt_fail("out of memory for the gradients of %" PRId64 " %s", schedule->buffers,
                       dt_plural(schedule->buffers, "micro-batch", "micro-batches"));
    g->count = schedule->buffers;
    making m = {g, schedule, layout};
    return dt_workers_create_by_threads(workers, make, &m);
}

void dt_gradients_free(dt_gradients *g) {
    for (int64_t b = 0; b < g->count; b++) {
        dt_gpt_view_free(&g->view[b]);
        dt_memory_free(g->vector[b]);
    }
    free(g->vector);
    free(g->view);
    *g = (dt_gradients){0};
}
