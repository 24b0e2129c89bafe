/* The host's hardware threads, less what Slurm, affinity masks and quotas take away. */
#include "comm/cpus.h"

#include <stdbool.h>

#include "base/assert.h"
#include "base/cores.h"

dt_cpus_own dt_cpus_look(void) {
    dt_cpus_own own = {.quota = dt_cpu_quota_find("")};
    if (sched_getaffinity(0, sizeof own.allowed, &own.allowed) != 0)
        own.allowed = dt_cores_online(DT_CORES_FOLDER);
    own.cores = dt_cores_count(DT_CORES_FOLDER, &own.allowed);
    return own;
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
static void hold_to_masks(dt_cpus *cpus, const dt_cpus_own *own, int ranks, const char *folder) {
    cpu_set_t together;
    int added = 0;
    CPU_ZERO(&together);
    for (int r = 0; r < ranks; r++) {
        CPU_OR(&together, &together, &own[r].allowed);
        added += own[r].cores;
    }
    const int cores = dt_cores_count(folder, &together);
    if (added > cores)
        hold_to(cpus, cores, CPU_COUNT(&together), DT_CPUS_MASK);
}

dt_cpus dt_cpus_join(const dt_cpus_own *own, int ranks, int given, const char *folder) {
    DT_ASSERT(ranks > 0 && given >= 0);
    const cpu_set_t online = dt_cores_online(folder);
    const int cores = dt_cores_count(folder, &online);
    dt_cpus cpus = {.cores = cores, .threads = CPU_COUNT(&online), .host_cores = cores};
    /* Slurm counts hardware threads or cores, as it is set up. */
    if (given > 0)
        hold_to(&cpus, given, given, DT_CPUS_SLURM);
    hold_to_masks(&cpus, own, ranks, folder);
    const int64_t quota = add_quotas(own, ranks), whole = quota >= 1000 ? quota / 1000 : 1;
    if (whole < cpus.threads)
        hold_to(&cpus, (int)whole, (int)whole, DT_CPUS_QUOTA);
    return cpus;
}
