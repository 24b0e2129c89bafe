/**
 * The threads of a rank, the teams that they form, and the memory these work in, for training and evaluation
 * alike.
 *
 * A team runs one micro-batch (model/team.h). Micro-batches are worked on in waves of one per team; in a wave
 * of fewer all threads form as many teams as it has micro-batches, so that none is idle.
 */
#ifndef DT_STEP_WORKERS_H
#define DT_STEP_WORKERS_H

#include <stdint.h>

#include "base/status.h"
#include "model/activations.h"
#include "model/team.h"
#include "model/weights.h"

typedef struct dt_workers {
    int threads;                 /**< how many a parallel region really has */
    int teams;                   /**< the most micro-batches that they work on at once */
    dt_activations *activations; /**< [teams]: of the micro-batches of a wave */
    dt_scratch *scratch;         /* [threads] */
    dt_barrier *barrier;         /* [teams] */
} dt_workers;

/**
 * How many threads a rank runs: OMP_NUM_THREADS, or 1 where it is not set, but no more than OpenMP's
 * environment allows (OMP_THREAD_LIMIT). Fails on a value that is no count. Local.
 */
dt_status dt_workers_count(int *threads);

/** How many teams `threads` threads form for a run of `micro_batches`, 1 or more, of which a team has at
 * least `team_threads` threads, or all. Local. */
int dt_workers_teams(int threads, int64_t team_threads, int64_t micro_batches);

/** Whom workers are made of. */
typedef struct dt_workers_plan {
    int threads, teams; /**< 1 <= teams <= threads */
    bool own_cores; /**< each thread has a core to itself: who waits for another may look before it sleeps */
} dt_workers_plan;

/**
 * Makes plan->threads the number of OpenMP's threads, or as many of them as it can have, and allocates what
 * they and their teams, no more than there are threads, need for micro-batches of `sequences`, with
 * `recompute` as model/activations.h has it: a team's activations by its first thread, a thread's scratch by
 * itself, so that both are on their NUMA node. To be freed also on failure. Local.
 */
dt_status dt_workers_create(dt_workers *workers, const dt_workers_plan *plan, const dt_kernels *kernels,
                            const dt_shape *shape, int64_t sequences, dt_recompute recompute);

/** Whom thread `thread` works with in a wave of `micro_batches`, from 1 to workers->teams: its place, into
 * `*team`. Returns which of the wave's micro-batches is theirs. Local; any thread. */
int dt_workers_join(const dt_workers *workers, int64_t micro_batches, int thread, dt_team *team);

/** Whether some team would have threads on two NUMA nodes where `teams` teams share out `threads` threads, of
 * which each `node_threads` after each other are on a node. Local. */
bool dt_workers_straddle(int threads, int teams, int node_threads);

/**
 * Calls make(context, team, own, thread) on every thread, of which `own` is the number of its team where
 * there are as many teams as there can be. What a thread allocates so is touched by it first, and comes from
 * its own NUMA node. Returns the first failure, with its sentence. Local; outside parallel regions.
 */
dt_status dt_workers_create_by_threads(const dt_workers *workers,
                                       dt_status (*make)(void *context, const dt_team *team, int own,
                                                         int thread),
                                       void *context);

/** Packs all panels of the model's weights from these as they are, by all threads together. To be called
 * whenever they have changed. Does nothing in fp32. Local. */
void dt_workers_pack(const dt_workers *workers, const dt_gpt *gpt, const dt_weights *weights);

/** Frees; all zero is fine. Local. */
void dt_workers_free(dt_workers *workers);

#endif
