/**
 * What a step would take on any number of ranks: memory, time and what of the allreduce is not hidden.
 *
 * This room predicts. A config, a machine (machine.h) and a few measured costs (probe.h) enter; memory,
 * time and bytes of a step on any number of ranks leave.
 *
 * With p ranks, t threads a rank and L = ceil(B / u) micro-batches, the rank with the most micro-batches sets
 * the pace:
 *
 *     step     = waves x (forward + backward) + tree additions + exposed + gather of losses + update
 *     waves    = ceil(L / p) / m
 *     gather   = ceil(log2 p) x latency
 *
 * m is how many micro-batches the probe's t threads had at once, m = t where each had one. Fewer are taken to
 * be shared out evenly among all threads, but with products: blas, which are not: there waves are whole.
 * Ranks of another number of threads than the probe's take what passes.h says; additions and update are taken
 * to be shared evenly among them.
 *
 * With shard_optimizer norm and AdamW work on a p-th, and what travels is a reduce-scatter beside the
 * backward pass and an allgather beside the forward pass.
 *
 * What of the allreduce is exposed is allreduce/cost.h's model over the counts of its schedules.
 */
#ifndef DT_PLAN_PLAN_H
#define DT_PLAN_PLAN_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "plan/probe.h"
#include "comm/link.h"
#include "config/config.h"
#include "plan/memory.h"

/** What is known or assumed of the machine. */
typedef struct dt_plan_machine {
    dt_probe probe;
    dt_link link;       /**< between hosts: what a host's ranks share */
    dt_link inside;     /**< between ranks of a host, whose cores move the messages */
    int host_ranks;     /**< ranks on a host */
    int threads;        /**< of a planned rank; 0: as many as the probe's ranks have */
    int64_t node_bytes; /**< of memory of a host, for threads_per_micro_batch: auto; 0: as much as it takes */
    bool same_host;     /**< all ranks share a host, however many they are */
    bool link_measured; /**< otherwise the link is given or assumed */
} dt_plan_machine;

typedef struct dt_plan_point {
    int ranks;
    int64_t batch, micro_batches;
    dt_plan_memory memory;
    int64_t memory_bytes; /**< of the rank that needs the most */
    dt_algorithm algorithm;
    int64_t sent_messages; /**< a step, of the busiest rank */
    int64_t sent_bytes;
    double compute_seconds; /**< forward, backward and tree additions of the own micro-batches */
    double allreduce_seconds, exposed_seconds; /**< of the step's time */
    double seen_seconds;                       /**< exposed as a rank sees it: see step/overlap.h */
    double update_seconds;
    double step_seconds, tokens_per_second;
} dt_plan_point;

/** The link between hosts that is assumed where none is measured or given: 1.5 us and 100 Gbit/s. Local. */
dt_link dt_plan_assumed_link(void);

/** The link inside a host that is assumed where none is measured: 1 us and 4 GB/s. Local. */
dt_link dt_plan_assumed_inside(void);

/** Threads of a planned rank. Local. */
int dt_plan_threads(const dt_plan_machine *machine);

/**
 * Predicts `config` with `batch` for its batch_size on `ranks` ranks. `threads_per_core` is how many threads
 * take turns on a core, 1 where each has its own; it slows all that a core does, but not the network. Fails
 * with DT_USAGE with more ranks than micro-batches. Local.
 */
dt_status dt_plan_predict(const dt_plan_machine *machine, const dt_config *config, int64_t batch, int ranks,
                          double threads_per_core, dt_plan_point *point);

#endif
