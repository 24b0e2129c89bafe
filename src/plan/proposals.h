/**
 * What to change where a config does not fit its hosts: first what keeps the bits, last what does not.
 *
 * A proposal is timed as a config is: its passes are probed here, where this machine has the memory for that,
 * and its step on the planned hosts is predicted from them.
 */
#ifndef DT_PLAN_PROPOSALS_H
#define DT_PLAN_PROPOSALS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "plan/plan.h"

/** More than there are ways to halve a micro-batch, and what keeps the bits. */
#define DT_PROPOSALS_MAX 48

/** Room for what dt_proposals_name writes. */
#define DT_PROPOSAL_BYTES 128

typedef struct dt_proposal {
    bool auto_teams; /**< threads_per_micro_batch: auto */
    dt_recompute recompute;
    bool shard_optimizer;
    int64_t micro_batch_size;
    bool same_bits; /**< as the config that it is for */
    dt_plan_memory memory;
    bool fits;           /**< the planned hosts */
    bool timed;          /**< step_seconds is known */
    double step_seconds; /**< predicted */
} dt_proposal;

/** What is to fit, and where. */
typedef struct dt_proposals_inputs {
    const dt_config *config;
    const dt_layout *layout;
    const dt_plan_machine *machine; /**< its links and hosts; the probe is not read */
    int ranks, rank_threads;        /**< that are planned, and the threads of each */
    int threads;                    /**< of a rank here, which probes */
    double threads_per_core;        /**< of this job, for the probe */
    int64_t node_bytes;             /**< that a planned host has for its ranks */
    int64_t here_bytes;             /**< that this host has */
} dt_proposals_inputs;

/**
 * Fills proposals[DT_PROPOSALS_MAX]: all that keep the bits, and if none of them fits smaller and smaller
 * micro-batches up to the first that does. `*count` is how many there are. The same on every rank that has
 * the same inputs. Collective.
 */
dt_status dt_proposals_find(const dt_world *world, const dt_proposals_inputs *inputs, dt_proposal *proposals,
                            int *count);

/** Whether a probe of `config`, by this job's ranks with `threads` threads each, fits into `here_bytes` of a
 * host. Local. */
bool dt_proposals_probe_fits(const dt_world *world, const dt_config *config, const dt_layout *layout,
                             int threads, int64_t here_bytes);

/** Writes what has to be set instead of what `config` says: "recompute: layer, micro_batch_size: 4". Local.
 */
const char *dt_proposals_name(const dt_proposal *proposal, const dt_config *config,
                              char text[DT_PROPOSAL_BYTES]);

#endif
