/* The host's hardware threads, less what Slurm, cpusets, affinity masks and quotas take away. */
#include "comm/cpus.h"

#include <stdbool.h>

#include "base/assert.h"

dt_cpus_own dt_cpus_look(const dt_topology *topology) {
    return (dt_cpus_own){.allowed = dt_topology_mask(topology), .quota = dt_cpu_quota_find("")};
}

/* The quotas of all groups, each once, in thousandths of a CPU; without a limit where one rank has none. */
static int64_t add_quotas(const dt_cpus_own *own, int ranks) {
    int64_t sum = 0;
    for (int r = 0; r < ranks; r++) {
        bool counted = false;
        if (own[r].quota.thousandths >= INT64_MAX - sum)
            return INT64_MAX;
        for (int before = 0; before < r; before++)
            counted |= own[before].quota.group == own[r].quota.group;
        sum += counted ? 0 : own[r].quota.thousandths;
    }
    return sum;
}

static void hold_to(dt_cpus *cpus, int cores, int threads, dt_cpus_limit limit) {
    if (threads < cpus->threads)
        cpus->threads = threads;
    if (cores >= cpus->cores)
        return;
    cpus->cores = cores;
    cpus->limit = limit;
}

/* Where ranks together have fewer cores than each of them alone, added up, they meet on some. */
static void hold_to_masks(dt_cpus *cpus, const dt_cpus_own *own, int ranks, const dt_topology_set *together,
                          const dt_topology *topology) {
    const dt_topology_counts counts = dt_topology_count(topology, together);
    int added = 0;
    for (int r = 0; r < ranks; r++)
        added += dt_topology_count(topology, &own[r].allowed).cores;
    if (added > counts.cores)
        hold_to(cpus, counts.cores, counts.threads, DT_CPUS_MASK);
}

dt_cpus dt_cpus_join(const dt_cpus_own *own, int ranks, int given, const dt_topology *topology) {
    DT_ASSERT(ranks > 0 && given >= 0);
    dt_topology_set online = dt_topology_online(topology), cpuset = dt_topology_allowed(topology),
                    together = {0};
    for (int r = 0; r < ranks; r++)
        together = dt_topology_join(&together, &own[r].allowed);
    /* Where the host is known by masks alone, it is that of all ranks. */
    online = dt_topology_join(&online, &together);
    cpuset = dt_topology_join(&cpuset, &together);
    const dt_topology_counts host = dt_topology_count(topology, &online),
                             allowed = dt_topology_count(topology, &cpuset);
    dt_cpus cpus = {.cores = host.cores, .threads = host.threads, .host = host};
    /* Slurm counts hardware threads or cores, as it is set up. */
    if (given > 0)
        hold_to(&cpus, given, given, DT_CPUS_SLURM);
    hold_to(&cpus, allowed.cores, allowed.threads, DT_CPUS_CPUSET);
    hold_to_masks(&cpus, own, ranks, &together, topology);
    const int64_t quota = add_quotas(own, ranks), whole = quota >= 1000 ? quota / 1000 : 1;
    if (whole < cpus.threads)
        hold_to(&cpus, (int)whole, (int)whole, DT_CPUS_QUOTA);
    return cpus;
}
