/**
 * The processors of this host, as hwloc tells of them: packages (sockets), NUMA nodes, cores, and the
 * hardware threads of a core, which Linux numbers and calls CPUs. Nothing but topology.c knows hwloc.
 *
 * Where hwloc cannot tell, the affinity mask of the process stands for the host: one package, one NUMA node,
 * and every hardware thread in the mask a core. dt_topology_fault() is then a sentence about it.
 *
 * All functions are local.
 */
#ifndef DT_COMM_TOPOLOGY_H
#define DT_COMM_TOPOLOGY_H

/** More hardware threads than Linux can be built for; those beyond are left out. */
#define DT_TOPOLOGY_THREADS 8192

/** A set of hardware threads, plain data that ranks can send: bit after bit, from the first word's lowest. */
typedef struct dt_topology_set {
    unsigned long words[DT_TOPOLOGY_THREADS / 8 / sizeof(unsigned long)];
} dt_topology_set;

/** What a set of hardware threads comes to. A core, a package or a NUMA node counts when a thread of it is in
 * the set. NUMA nodes that are local to the same threads, such as those of two kinds of memory, count once.
 */
typedef struct dt_topology_counts {
    int threads, cores, packages, numa_nodes;
    int node_cores; /**< cores of the set in the NUMA node that has the fewest of them */
} dt_topology_counts;

typedef struct dt_topology dt_topology;

/**
 * This host's, loaded by the first call and kept until the process ends: some milliseconds. Never NULL. The
 * main thread alone calls it.
 */
const dt_topology *dt_topology_here(void);

/**
 * Loads one that the caller frees: this host's for NULL, else that of a machine made up for tests, in hwloc's
 * words ("pack:2 numa:1 core:4 pu:2") or in hwloc's XML. NULL when out of memory.
 */
dt_topology *dt_topology_create(const char *description);

/** Frees one of dt_topology_create; NULL is fine. */
void dt_topology_free(dt_topology *topology);

/** Why hwloc did not tell, a sentence; NULL where it did. */
const char *dt_topology_fault(const dt_topology *topology);

/** The hardware threads that are switched on. */
dt_topology_set dt_topology_online(const dt_topology *topology);

/** Of these, those that the cpuset of the process's control group allows. */
dt_topology_set dt_topology_allowed(const dt_topology *topology);

/** The affinity mask of the calling thread; where OpenMP binds threads, those of all threads of a parallel
 * region together. All that is online on a machine that is made up. */
dt_topology_set dt_topology_mask(const dt_topology *topology);

/** What a set comes to. Threads of it that hwloc tells nothing of count as a core each. At least one of each
 * is counted, since a process that asks runs somewhere. */
dt_topology_counts dt_topology_count(const dt_topology *topology, const dt_topology_set *set);

/** The threads that are in one set or the other. */
dt_topology_set dt_topology_join(const dt_topology_set *a, const dt_topology_set *b);

/** The processor's name as its maker writes it, "unknown processor" where nobody tells. */
const char *dt_topology_processor(const dt_topology *topology);

#endif
