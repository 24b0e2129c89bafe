/**
 * What memory a rank of a run takes, and for what, and whether the host has that much.
 *
 * The numbers are those that the allocations themselves are made by: the length of the model's vector, the
 * activations' floats, the panels' bytes, the schedule's buffers and the allreduce's workspace. So `train`,
 * which refuses a run by them, and `plan`, which predicts one, cannot come to differ from each other or from
 * what is allocated.
 */
#ifndef DT_TRAIN_NEED_H
#define DT_TRAIN_NEED_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "model/layout.h"

/** What it is for, in the order of tables. */
typedef enum dt_need_kind {
    DT_NEED_WEIGHTS,
    DT_NEED_PACKED,      /**< weights rounded and packed for products, in bf16 */
    DT_NEED_GRADIENTS,   /**< the vectors that a rank holds at once */
    DT_NEED_MOMENTS,     /**< AdamW's two, or the rank's slice of them */
    DT_NEED_ACTIVATIONS, /**< of all teams of threads, and each thread's scratch */
    DT_NEED_ALLREDUCE,   /**< what it has on its way */
    DT_NEED_SAVER,   /**< the copy that is being saved: rank 0's, and each one's moments where they are shared
                        out */
    DT_NEED_SAMPLER, /**< keys and values of the sample that is generated: rank 0's */
    DT_NEED_CORPUS,  /**< the tokens that the rank trains and evaluates on, and its part of a batch */
    DT_NEED_PROGRAM, /**< program, libraries and MPI, where they are asked for */
    DT_NEED_KINDS
} dt_need_kind;

/** Bytes of each kind; INT64_MAX where no memory could hold them. */
typedef struct dt_need {
    int64_t bytes[DT_NEED_KINDS];
    int64_t held_bytes; /**< that the rank has and gives back before it takes these */
} dt_need;

/** Whose memory is asked for: a rank of a job that there need not be. */
typedef struct dt_need_job {
    const dt_layout *layout;
    const dt_config *config;
    int rank, size;
    int host_ranks;       /**< ranks on each host, as the allreduce sees them */
    int threads;          /**< of a rank */
    int node_threads;     /**< of these, on each NUMA node; 0: all */
    int64_t team_threads; /**< that work on a micro-batch together (step/workers.h) */
    int64_t corpus_bytes;
    int64_t held_bytes;    /**< that it has and gives back before (data/held_blocks.h) */
    int64_t program_bytes; /**< dt_need_program_bytes of who plans; 0 for a rank that has taken it already */
    bool saves;            /**< and samples where the config asks for it, as ranks of a run do */
} dt_need_job;

/**
 * What a rank needs, into `*need`. Fails where what is needed
 * cannot even be counted; those kinds are INT64_MAX then. Local.
 */
dt_status dt_need_of(const dt_need_job *job, dt_need *need);

/** What this process takes before it has allocated anything of the above: program, libraries, and MPI once it
 * is there. Measured by the first call, before anything else is allocated, and the same ever after. The main
 * thread; local. */
int64_t dt_need_program_bytes(void);

/** The teams that the rank's threads form. Local. */
int dt_need_teams(const dt_need_job *job);

/**
 * Sets job->team_threads as the config has it, and what the rank needs. Where the config leaves it to memory,
 * that is the fewest threads with which the ranks of every host find as much as they need, and with which no
 * team of several that a NUMA node could hold has threads on two; where none suffices, all threads of a rank.
 * Collective.
 */
dt_status dt_need_choose_teams(const dt_world *world, dt_need_job *job, dt_need *need);

/** What a table calls it: "weights". Local. */
const char *dt_need_name(dt_need_kind kind);

/** All kinds together, or INT64_MAX. Local. */
int64_t dt_need_total(const dt_need *need);

/** What a host must have left for a rank: the total, and some MB for what is not counted. Local. */
int64_t dt_need_capacity(const dt_need *need);

/**
 * Refuses a run whose ranks on a host need more than it can give, before they take it and the kernel ends
 * some process. `need` is this rank's, of `job`. The sentence names what would fit on every host, if anything
 * that keeps the bits does. Where a host refuses, rank 0 prints what its own need and its host's are made
 * of. Collective.
 */
dt_status dt_need_check(const dt_world *world, const dt_need_job *job, const dt_need *need);

#endif
