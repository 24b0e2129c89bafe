/* Everything comes from comm/topology.c and the environment: MPI itself does not tell how it was placed. */
#include "comm/placement.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/assert.h"
#include "base/plural.h"

/* A launcher's count, or 0. "4(x2)" and "4,3", Slurm's ways to speak of several hosts, begin with the first
 * host's. */
static int count_from(const char *variable) {
    const char *text = getenv(variable);
    const long count = text ? strtol(text, NULL, 10) : 0;
    return count > 0 && count < 1000000 ? (int)count : 0;
}

int dt_placement_given_cpus(void) {
    return count_from("SLURM_CPUS_ON_NODE");
}

/* Where Slurm itself has started this program, it has started it as task 0 too, whose sentence is enough.
 * Below a script, and in a shell that has kept the variables, this may be the only one. */
dt_status dt_placement_check_launch(int ranks) {
    DT_ASSERT(ranks >= 0);
    const int slurm = count_from("SLURM_STEP_NUM_TASKS"), pmi = count_from("PMI_SIZE");
    const int tasks = slurm > pmi ? slurm : pmi;
    const char *task = getenv("SLURM_PROCID");
    const char *process = getenv("SLURM_TASK_PID");
    const bool told_by_task0 =
        task && strcmp(task, "0") != 0 && process && strtol(process, NULL, 10) == getpid();
    /* mpirun starts its ranks from tasks of Slurm's that are not ranks. */
    if (tasks < 2 || ranks > 1 || getenv("OMPI_COMM_WORLD_SIZE"))
        return DT_OK;
    if (ranks == 0 && (pmi > 0 || getenv("PMIX_RANK")))
        return DT_OK;
    if (told_by_task0)
        return dt_usage("%s", "");
    return dt_usage(
        "the launcher started %d tasks that do not find each other, so that each would be a job of its "
        "own, rank 0 of 1: expected one job of %d ranks; launch with srun --mpi=pmix -n %d, or with "
        "mpirun -np %d",
        tasks, tasks, tasks, tasks);
}

/* Whether ranks that wait give their core away. */
#define YIELD "OMPI_MCA_mpi_yield_when_idle"

/* Longer than any part of a bucket of 1 MiB that one rank sends another. */
#define EAGER_BYTES "1048576"

/* Jobs of fewer ranks than this learn all addresses at the start; in larger ones the memory would count. */
#define LEARN_ALL_BELOW "4097"

/* TCP leaves this family of addresses out. */
#define IPV6 "6"

/* The host's hardware threads, or as many as Slurm gave to the job. */
static int count_threads(void) {
    const dt_topology *topology = dt_topology_here();
    const dt_topology_set online = dt_topology_online(topology);
    const int threads = dt_topology_count(topology, &online).threads, given = dt_placement_given_cpus();
    return given > 0 && given < threads ? given : threads;
}

/*
 * Beside a backward pass MPI is called every few milliseconds. Over TCP it asks the receiver first whether a
 * message longer than 64 KiB may come, and each question and answer waits for the next call on the other
 * side; so buckets are made to travel unasked.
 *
 * Open MPI asks the launcher for the address of a rank on another host when it first sends there. Where a
 * rank or a node has died the launcher may not answer, and the call does not return: the watchdog
 * (comm/watchdog.c) could not ask around in the very moment it is there for. So the addresses are asked for
 * at the start.
 *
 * On a host with IPv6, each rank of Open MPI 5.0 finds no pair for this second address among those of its
 * neighbours (open-mpi/ompi, 14079) and prints a line about it, though ranks of one host do not use TCP.
 */
void dt_placement_prepare(void) {
    const int ranks = count_from("OMPI_COMM_WORLD_SIZE");
    if (ranks > 0 && ranks == count_from("OMPI_COMM_WORLD_LOCAL_SIZE"))
        (void)setenv("OMPI_MCA_btl_tcp_disable_family", IPV6, 0);
    (void)setenv("OMPI_MCA_btl_tcp_eager_limit", EAGER_BYTES, 0);
    (void)setenv("OMPI_MCA_mpi_add_procs_cutoff", LEARN_ALL_BELOW, 0);
    if (count_from("SLURM_STEP_TASKS_PER_NODE") > count_threads())
        (void)setenv(YIELD, "1", 0);
}

/*
 * Open MPI reads its parameter once, when it starts, and only mpirun knows of the ranks of a host before.
 * What mpirun knows are slots: of masks that are set after it, and of quotas, it is not told. The function is
 * Open MPI's own, there since its first release; where another MPI lacks it, the warning is all that can be
 * done.
 */
extern void opal_progress_set_yield_when_idle(bool yield) __attribute__((weak));

void dt_placement_settle(const dt_world *world) {
    if (world->host_ranks > world->cpus.threads && getenv(YIELD) == NULL && opal_progress_set_yield_when_idle)
        opal_progress_set_yield_when_idle(true);
}

bool dt_placement_has_threads(const dt_world *world, int threads) {
    return (int64_t)world->host_ranks * threads <= world->cpus.threads;
}

dt_placement dt_placement_look(const dt_world *world, int threads) {
    DT_ASSERT(threads > 0);
    const dt_topology *topology = dt_topology_here();
    const dt_topology_set mask = dt_topology_mask(topology);
    return (dt_placement){.usable_cores = world->cpus.cores,
                          .usable_threads = world->cpus.threads,
                          .host_ranks = world->host_ranks,
                          .threads = threads,
                          .hosts = world->hosts,
                          .limit = world->cpus.limit,
                          .host = world->cpus.host,
                          .own = dt_topology_count(topology, &mask),
                          .fault = dt_topology_fault(topology)};
}

int dt_placement_node_threads(const dt_topology_counts *own, int threads) {
    DT_ASSERT(own->numa_nodes > 0 && threads > 0);
    return (threads + own->numa_nodes - 1) / own->numa_nodes;
}

/* ---- what is said ---- */

/* Who leaves ranks fewer cores than there are, whether a warning says so, and what else than fewer ranks
 * would help then. */
typedef struct reason {
    const char *word, *name;
    bool warned;
    const char *remedy;
} reason;

static const reason reasons[] = {[DT_CPUS_ALL] = {"none", "", false, ""},
                                 [DT_CPUS_SLURM] = {"slurm", "the share that Slurm gave", false, ""},
                                 [DT_CPUS_CPUSET] = {"cpuset", "a cpuset", true, ", or widen the cpuset"},
                                 [DT_CPUS_MASK] = {"mask", "an affinity mask", true, ", or widen the mask"},
                                 [DT_CPUS_QUOTA] = {"quota", "a CPU quota", true, ", or raise the quota"}};

const char *dt_placement_limit_name(dt_cpus_limit limit) {
    return reasons[limit].word;
}

/* "1 core", "2 cores". */
#define COUNT_BYTES 32

static const char *write_count(int count, const char *noun, char text[COUNT_BYTES]) {
    snprintf(text, COUNT_BYTES, "%d %s%s", count, noun, dt_plural_s(count));
    return text;
}

/* What the host has. Without hwloc's word a hardware thread is all that is known. */
static void write_host(const dt_placement *p, char *text, size_t bytes) {
    char cores[COUNT_BYTES], threads[COUNT_BYTES], packages[COUNT_BYTES], nodes[COUNT_BYTES];
    write_count(p->host.cores, "core", cores);
    write_count(p->host.threads, "hardware thread", threads);
    write_count(p->host.packages, "package", packages);
    write_count(p->host.numa_nodes, "NUMA node", nodes);
    if (p->fault)
        snprintf(text, bytes, "%s, of cores unknown", threads);
    else
        snprintf(text, bytes, "%s%s%s in %s and %s", cores, p->host.threads > p->host.cores ? " with " : "",
                 p->host.threads > p->host.cores ? threads : "", packages, nodes);
}

void dt_placement_describe(const dt_placement *p, int rank, char text[DT_PLACEMENT_BYTES]) {
    char host[5 * COUNT_BYTES], cores[COUNT_BYTES], nodes[COUNT_BYTES], ranks[COUNT_BYTES], left[160] = "";
    char bound[2 * COUNT_BYTES + 16] = "not bound";
    write_host(p, host, sizeof host);
    if (p->usable_cores < p->host.cores)
        snprintf(left, sizeof left, "; %s leaves %s to %s", reasons[p->limit].name,
                 write_count(p->usable_cores, "core", cores), write_count(p->host_ranks, "rank", ranks));
    if (p->own.threads < p->host.threads)
        snprintf(bound, sizeof bound, "bound to %s in %s", write_count(p->own.cores, "core", cores),
                 write_count(p->own.numa_nodes, "NUMA node", nodes));
    snprintf(text, DT_PLACEMENT_BYTES, "%s%s; rank %d is %s", host, left, rank, bound);
}

static void write_reason(const dt_placement *p, char *text, size_t bytes) {
    *text = 0;
    if (reasons[p->limit].warned)
        snprintf(text, bytes, ", where %s leaves %s %d of %d", reasons[p->limit].name,
                 dt_plural(p->host_ranks, "it", "them"), p->usable_cores, p->host.cores);
}

static bool is_unknown(const dt_placement *p, char *text, size_t bytes) {
    snprintf(text, bytes, "%s", p->fault ? p->fault : "");
    return p->fault != NULL;
}

/* "4 ranks", "4 ranks of 2 threads", "2 threads of 1 rank": those that share. */
#define WHO_BYTES (2 * COUNT_BYTES + 4)

static void write_who(const dt_placement *p, char who[WHO_BYTES]) {
    char ranks[COUNT_BYTES], threads[COUNT_BYTES];
    write_count(p->host_ranks, "rank", ranks);
    write_count(p->threads, "thread", threads);
    if (p->threads == 1)
        snprintf(who, WHO_BYTES, "%s", ranks);
    else if (p->host_ranks > 1)
        snprintf(who, WHO_BYTES, "%s of %s", ranks, threads);
    else
        snprintf(who, WHO_BYTES, "%s of %s", threads, ranks);
}

/* As many threads per rank as there is a core for. */
static int count_fitting(const dt_placement *p) {
    return p->usable_cores > p->host_ranks ? p->usable_cores / p->host_ranks : 1;
}

/* Whether the rank lacks cores that its share of the host has; fewer of its threads alone would not help as
 * much as another binding. */
static bool is_bound_below_fitting(const dt_placement *p) {
    return p->threads > p->own.cores && p->own.cores < count_fitting(p);
}

/* One thread per core: fewer threads where ranks have several, else fewer ranks. */
static void write_fitting(const dt_placement *p, char *text, size_t bytes) {
    const int fitting = count_fitting(p);
    const int job = p->hosts * p->usable_cores;
    const char *remedy = reasons[p->limit].remedy;
    if (p->threads > 1)
        snprintf(text, bytes, "set OMP_NUM_THREADS=%d%s", fitting, remedy);
    else
        snprintf(text, bytes, "use mpirun -np %d, or srun -n %d --ntasks-per-node=%d, on %s%s", job, job,
                 p->usable_cores, p->hosts == 1 ? "it" : "these hosts", remedy);
}

/* What of a warning is left to bench where threads have a hardware thread each, but not a core. */
#define WORTH                                                                                                \
    "what a second one of a core is worth dtrain bench --scaling strong measures here; for a core each "

static bool is_oversubscribed(const dt_placement *p, char *text, size_t bytes) {
    char who[WHO_BYTES], cores[COUNT_BYTES], why[128], fitting[200];
    const int threads = p->host_ranks * p->threads;
    write_who(p, who);
    write_reason(p, why, sizeof why);
    write_fitting(p, fitting, sizeof fitting);
    write_count(p->usable_cores, "core", cores);
    if (threads > p->usable_threads)
        snprintf(text, bytes, "%s share %s on this host%s%s and slow each other down; %s", who, cores, why,
                 *why ? "," : "", fitting);
    else
        snprintf(text, bytes, "%s share the %d hardware threads of %s on this host%s; " WORTH "%s", who,
                 p->usable_threads, cores, why, fitting);
    return threads > p->usable_cores && !is_bound_below_fitting(p);
}

static bool is_bound_too_tightly(const dt_placement *p, char *text, size_t bytes) {
    char cores[COUNT_BYTES], fewer[2 * COUNT_BYTES] = "", fitting[192];
    const int threads = p->threads < count_fitting(p) ? p->threads : count_fitting(p);
    write_count(p->own.cores, "core", cores);
    if (threads < p->threads)
        snprintf(fewer, sizeof fewer, "set OMP_NUM_THREADS=%d and ", threads);
    snprintf(fitting, sizeof fitting,
             "%slaunch with mpirun --map-by slot:PE=%d --bind-to core, or srun --cpus-per-task=%d", fewer,
             threads, threads);
    if (p->threads > p->own.threads)
        snprintf(text, bytes, "a rank with %d threads is bound to %s, on which its threads take turns; %s",
                 p->threads, cores, fitting);
    else
        snprintf(text, bytes, "a rank with %d threads is bound to the %d hardware threads of %s; " WORTH "%s",
                 p->threads, p->own.threads, cores, fitting);
    return is_bound_below_fitting(p);
}

/* A rank whose threads would fit into one NUMA node. */
static bool is_spread_over_nodes(const dt_placement *p, char *text, size_t bytes) {
    snprintf(
        text, bytes,
        "a rank with %d threads may run on %d NUMA nodes, where its threads reach the memory of another one; "
        "launch with mpirun --map-by numa:PE=%d --bind-to core, or srun --cpus-per-task=%d --cpu-bind=cores",
        p->threads, p->own.numa_nodes, p->threads, p->threads);
    return p->threads > 1 && p->own.numa_nodes > 1 && p->threads <= p->host.node_cores &&
           p->host_ranks * p->threads <= p->usable_cores;
}

bool dt_placement_warning(const dt_placement *placement, int index, char *text, size_t text_bytes) {
    DT_ASSERT(index >= 0 && placement->host_ranks > 0 && placement->threads > 0);
    bool (*const checks[])(const dt_placement *, char *, size_t) = {
        is_unknown, is_oversubscribed, is_bound_too_tightly, is_spread_over_nodes};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i](placement, text, text_bytes) && index-- == 0)
            return true;
    return false;
}
