/**
 * What the ranks of a host may use of its processors together. Each alone may be bound to a core of its own,
 * which is good, or to the same core as its neighbours; the difference shows in all of them.
 */
#ifndef DT_COMM_CPUS_H
#define DT_COMM_CPUS_H

#include "base/cpu_quota.h"
#include "comm/topology.h"

/** What leaves the ranks fewer cores than the host has. */
typedef enum dt_cpus_limit {
    DT_CPUS_ALL,
    DT_CPUS_SLURM,
    DT_CPUS_CPUSET,
    DT_CPUS_MASK,
    DT_CPUS_QUOTA
} dt_cpus_limit;

typedef struct dt_cpus {
    int cores, threads;      /**< what the ranks may use: cores, and hardware threads of these */
    dt_topology_counts host; /**< what the host has */
    dt_cpus_limit limit;     /**< why that is more, when it is */
} dt_cpus;

/** What one rank may use. */
typedef struct dt_cpus_own {
    dt_topology_set allowed; /**< its affinity mask */
    dt_cpu_quota quota;
} dt_cpus_own;

/** Looks at this rank. Local. */
dt_cpus_own dt_cpus_look(const dt_topology *topology);

/**
 * Joins what the `ranks` ranks of a host may use. Masks that do not overlap are a launcher's way to give each
 * rank its place and limit nothing here. A quota is rounded down to whole cores, at least one; ranks that
 * share none of the same group add theirs. `given` is how many CPUs Slurm gave to the job, 0 where it did not
 * say. Local.
 */
dt_cpus dt_cpus_join(const dt_cpus_own *own, int ranks, int given, const dt_topology *topology);

#endif
