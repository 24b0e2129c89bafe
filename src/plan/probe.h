/**
 * What the parts of a step cost a rank: measured briefly, on all ranks at once, for predictions.
 *
 * Ranks that share a host's caches and memory, or take turns on its cores, are slower together than alone,
 * and in a step the slowest sets the pace. Which one that is changes: what a core shares with its neighbours
 * may cost it a fifth for a tenth of a second. So ranks start together again and again, as in steps, work
 * about as long as between two allreduces, a *round*, and what counts is the mean of the slowest rank's
 * times.
 */
#ifndef DT_PLAN_PROBE_H
#define DT_PLAN_PROBE_H

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"

/** Costs of a rank that has its cores to itself. */
typedef struct dt_probe {
    int threads;
    int teams;                                /**< micro-batches that the threads have at once */
    double forward_seconds, backward_seconds; /**< of one micro-batch on each thread at once */
    double add_seconds;                       /**< of one float of a tree addition, all threads sharing it */
    double add_alone_seconds;                 /**< the same on one thread, as the allreduce adds */
    double update_seconds;                    /**< the gradient's norm and AdamW, over the whole model */
} dt_probe;

/** A probe under way, and what it needs for that. */
typedef struct dt_probing dt_probing;

/**
 * Prepares a probe of `config`'s model with `threads` threads a rank, and finds out how much makes a round.
 * `config` and `threads` must agree. To be freed also on failure, which all ranks share. Collective.
 */
dt_status dt_probe_create(dt_probing **created, const dt_world *world, const dt_config *config, int threads);

/** One round, of 0.4 seconds where a micro-batch does not take longer. Collective. */
dt_status dt_probe_round(dt_probing *probing);

/**
 * What the rounds so far, at least one, say on average; the same on every rank that gives the same
 * `threads_per_core`. Where that many threads take turns on a core, each number is the part of the time that
 * a rank had. Local.
 */
dt_probe dt_probe_read(const dt_probing *probing, double threads_per_core);

/** Frees; NULL is allowed. Collective, unless NULL. */
void dt_probe_free(dt_probing *probing);

/** Creates a probe, reads it after some rounds, and frees it: some seconds, more where a micro-batch takes
 * long. Arguments as above. What other programs do meanwhile shows in the result. Collective. */
dt_status dt_probe_run(dt_probe *probe, const dt_world *world, const dt_config *config, int threads,
                       double threads_per_core);

#endif
