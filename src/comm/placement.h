/**
 * How ranks and threads stand on a host's cores, and what to tell a person when they stand badly.
 */
#ifndef DT_COMM_PLACEMENT_H
#define DT_COMM_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/status.h"
#include "comm/job.h"

/** What is known of one host, seen from one of its ranks. Cores are cores, not hardware threads. */
typedef struct dt_placement {
    int usable_cores;        /**< that the ranks of the host may use together (comm/cpus.h) */
    int usable_threads;      /**< hardware threads of these */
    int host_ranks;          /**< ranks of the job on this host */
    int threads;             /**< of each rank */
    int hosts;               /**< of the job */
    dt_cpus_limit limit;     /**< what makes usable_cores fewer than there are */
    dt_topology_counts host; /**< all that the host has */
    dt_topology_counts own;  /**< of that, where this rank may run, after the launcher bound it */
    const char *fault;       /**< why hwloc does not tell (comm/topology.h), or NULL */
} dt_placement;

/** Room for what is said of a placement. */
#define DT_PLACEMENT_BYTES 512

/** How many CPUs of this host Slurm gave to the job, hardware threads or cores as it is set up; 0 where it
 * does not say. Local. */
int dt_placement_given_cpus(void);

/**
 * Refuses, with DT_USAGE and the corrected command line, a launch of several tasks that do not find each
 * other, so that each would be a job of its own and do all of the work: srun without --mpi=pmix. `ranks` is
 * the size of the job that MPI has made, or 0 before it starts, where MPI itself would fail in many lines.
 * The sentence is that of the first task; it is empty on the others that Slurm itself has started. Local.
 */
dt_status dt_placement_check_launch(int ranks);

/**
 * Before MPI starts: where Slurm's variables tell of more tasks on this host than it has hardware threads,
 * asks Open MPI to give the core away while it waits, which mpirun does by itself; to send what is as long as
 * a bucket over TCP without asking the receiver first; to learn all ranks' addresses at the start, while
 * the launcher answers; and in a job of one host to leave IPv6 alone. A choice made in the environment
 * stands. Local.
 */
void dt_placement_prepare(void);

/**
 * Once the ranks have met: where they may use fewer hardware threads of this host than they are, by affinity
 * masks or quotas too, lets Open MPI give the core away while it waits. A choice made in the environment
 * stands. Local.
 */
void dt_placement_settle(const dt_world *world);

/** Whether the host has a hardware thread for each of `threads` threads of each of its ranks. Local. */
bool dt_placement_has_threads(const dt_world *world, int threads);

/** Looks at this host. Local. */
dt_placement dt_placement_look(const dt_world *world, int threads);

/** How many of a rank's `threads` threads one of the NUMA nodes has to itself that the rank may run on, where
 * they fill node after node; all of them where that is one node. Local. */
int dt_placement_node_threads(const dt_topology_counts *own, int threads);

/**
 * Writes warning `index` (from 0) of what is wrong with a placement, a sentence with the corrected command
 * line, into `text`. Returns false when there are not so many. Pure; local.
 */
bool dt_placement_warning(const dt_placement *placement, int index, char *text, size_t text_bytes);

/**
 * Writes what the host has, what of it the ranks may use, and where this rank may run: "16 cores with 32
 * hardware threads in 2 packages and 4 NUMA nodes; a CPU quota leaves 8 cores to 4 ranks; rank 0 is bound to
 * 4 cores in 1 NUMA node". Pure; local.
 */
void dt_placement_describe(const dt_placement *placement, int rank, char text[DT_PLACEMENT_BYTES]);

/** The word for a limit in JSON: "none", "slurm", "cpuset", "mask" or "quota". Pure; local. */
const char *dt_placement_limit_name(dt_cpus_limit limit);

#endif
