/*
 * Counters of the process, the only relaxed atomics there are. That is enough also on processors that reorder
 * accesses, Arm's among them: no other memory is read on the strength of one (phases are static text), nobody
 * waits for one, and the watchdog judges by what has stood still for parts of a second at least, when every
 * store has long been seen. A look that finds two of them in another order than they were written names the
 * phase before.
 */
#include "base/progress.h"

#include <stdatomic.h>

#include "base/assert.h"

static atomic_int_fast64_t marks, arrivals, step_under_way;
static const char *_Atomic phase_under_way = "starting";

void dt_progress_mark(void) {
    atomic_fetch_add_explicit(&marks, 1, memory_order_relaxed);
}

void dt_progress_enter(int64_t step, const char *phase) {
    DT_ASSERT(step >= 0 && phase != NULL);
    atomic_store_explicit(&step_under_way, step, memory_order_relaxed);
    atomic_store_explicit(&phase_under_way, phase, memory_order_relaxed);
    dt_progress_mark();
}

void dt_progress_arrive(void) {
    atomic_fetch_add_explicit(&arrivals, 1, memory_order_relaxed);
    dt_progress_mark();
}

dt_progress dt_progress_look(void) {
    return (dt_progress){.marks = atomic_load_explicit(&marks, memory_order_relaxed),
                         .arrivals = atomic_load_explicit(&arrivals, memory_order_relaxed),
                         .step = atomic_load_explicit(&step_under_way, memory_order_relaxed),
                         .phase = atomic_load_explicit(&phase_under_way, memory_order_relaxed)};
}
