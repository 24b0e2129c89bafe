/**
 * Where threads that work together wait for each other.
 *
 * Unlike OpenMP's barrier, which is for all threads of a region, there can be several, each for some of them.
 * A thread that waits looks again and again for as long as it is told to, a few microseconds at most, and
 * then sleeps, so that others can have its core. All functions are local.
 */
#ifndef DT_BASE_BARRIER_H
#define DT_BASE_BARRIER_H

#include <pthread.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/status.h"

typedef struct dt_barrier {
    alignas(64) atomic_int arrived; /* threads that wait, less the one that will come last */
    alignas(64) atomic_uint round;  /* how often all have come: what those who wait look at */
    int looks;                      /* before a thread sleeps */
    pthread_mutex_t mutex;
    pthread_cond_t all_came;
} dt_barrier;

/** Makes a barrier. `spins` lets a thread look for a while before it sleeps, which is for threads with a core
 * each. To be freed, unless it fails. */
dt_status dt_barrier_create(dt_barrier *barrier, bool spins);

/** Waits until `threads` threads have called this; what each wrote before, all can read after. Threads that
 * are not among them may use the barrier, in any number, once these have left it. */
void dt_barrier_wait(dt_barrier *barrier, int threads);

/** Frees what it holds; nobody may wait. */
void dt_barrier_free(dt_barrier *barrier);

#endif
