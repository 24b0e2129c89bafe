/* Counters of the process. Nobody waits for them, so no order beside their own is asked for. */
#include "base/progress.h"

#include <stdatomic.h>

static atomic_int_fast64_t marks, meetings, step_under_way;
static const char *_Atomic phase_under_way = "starting";

void dt_progress_mark(void) {
    atomic_fetch_add_explicit(&marks, 1, memory_order_relaxed);
}

void dt_progress_enter(int64_t step, const char *phase) {
    atomic_store_explicit(&step_under_way, step, memory_order_relaxed);
    atomic_store_explicit(&phase_under_way, phase, memory_order_relaxed);
    dt_progress_mark();
}

void dt_progress_meet(void) {
    atomic_fetch_add_explicit(&meetings, 1, memory_order_relaxed);
    dt_progress_mark();
}

dt_progress dt_progress_look(void) {
    return (dt_progress){.marks = atomic_load_explicit(&marks, memory_order_relaxed),
                         .meetings = atomic_load_explicit(&meetings, memory_order_relaxed),
                         .step = atomic_load_explicit(&step_under_way, memory_order_relaxed),
                         .phase = atomic_load_explicit(&phase_under_way, memory_order_relaxed)};
}
