/* Everything is read from the kernel and the environment: MPI itself does not tell how it was placed. */
#include "comm/placement.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/assert.h"
#include "base/cores.h"

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

dt_status dt_placement_check_launch(int ranks) {
    DT_ASSERT(ranks >= 0);
    const int slurm = count_from("SLURM_STEP_NUM_TASKS"), pmi = count_from("PMI_SIZE");
    const int tasks = slurm > pmi ? slurm : pmi;
    const char *task = getenv("SLURM_PROCID");
    /* mpirun starts its ranks from tasks of Slurm's that are not ranks. */
    if (tasks < 2 || ranks > 1 || getenv("OMPI_COMM_WORLD_SIZE"))
        return DT_OK;
    if (ranks == 0 && (pmi > 0 || getenv("PMIX_RANK")))
        return DT_OK;
    if (task && strcmp(task, "0") != 0)
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

/*
 * Beside a backward pass MPI is called every few milliseconds. Over TCP it asks the receiver first whether a
 * message longer than 64 KiB may come, and each question and answer waits for the next call on the other
 * side; so buckets are made to travel unasked.
 *
 * Open MPI asks the launcher for the address of a rank on another host when it first sends there. Where a
 * rank or a node has died the launcher may not answer, and the call does not return: the watchdog
 * (comm/watchdog.c) could not ask around in the very moment it is there for. So the addresses are asked for
 * at the start.
 */
void dt_placement_prepare(void) {
    (void)setenv("OMPI_MCA_btl_tcp_eager_limit", EAGER_BYTES, 0);
    (void)setenv("OMPI_MCA_mpi_add_procs_cutoff", LEARN_ALL_BELOW, 0);
    const cpu_set_t online = dt_cores_online(DT_CORES_FOLDER);
    const int threads = CPU_COUNT(&online), given = dt_placement_given_cpus();
    if (count_from("SLURM_STEP_TASKS_PER_NODE") > (given > 0 && given < threads ? given : threads))
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

dt_placement dt_placement_look(const dt_world *world, int threads) {
    DT_ASSERT(threads > 0);
    return (dt_placement){.host_cores = world->cpus.cores,
                          .own_cores = dt_cpus_look().cores,
                          .host_ranks = world->host_ranks,
                          .threads = threads,
                          .hosts = world->hosts,
                          .limit = world->cpus.limit,
                          .all_cores = world->cpus.host_cores};
}

/* The clause that says why the cores are so few, and what else than fewer ranks would help. */
typedef struct reason {
    const char *name, *remedy;
} reason;

static const reason reasons[] = {[DT_CPUS_ALL] = {NULL, ""},
                                 [DT_CPUS_SLURM] = {NULL, ""},
                                 [DT_CPUS_MASK] = {"an affinity mask", ", or widen the mask"},
                                 [DT_CPUS_QUOTA] = {"a CPU quota", ", or raise the quota"}};

static void write_reason(const dt_placement *p, char *text, size_t bytes) {
    const char *name = reasons[p->limit].name;
    *text = 0;
    if (name)
        snprintf(text, bytes, ", where %s leaves them %d of %d,", name, p->host_cores, p->all_cores);
}

static bool is_oversubscribed(const dt_placement *p, char *text, size_t bytes) {
    const int fitting = p->host_cores / p->host_ranks > 0 ? p->host_cores / p->host_ranks : 1;
    const char *remedy = reasons[p->limit].remedy;
    char why[128];
    write_reason(p, why, sizeof why);
    if (p->threads > 1)
        snprintf(text, bytes,
                 "%d rank%s of %d threads share %d core%s on this host%s and slow each other down; set "
                 "OMP_NUM_THREADS=%d%s",
                 p->host_ranks, p->host_ranks == 1 ? "" : "s", p->threads, p->host_cores,
                 p->host_cores == 1 ? "" : "s", why, fitting, remedy);
    else
        snprintf(
            text, bytes,
            "%d ranks share %d core%s on this host%s and slow each other down; use mpirun -np %d, or srun "
            "-n %d --ntasks-per-node=%d, on %s%s",
            p->host_ranks, p->host_cores, p->host_cores == 1 ? "" : "s", why, p->hosts * p->host_cores,
            p->hosts * p->host_cores, p->host_cores, p->hosts == 1 ? "it" : "these hosts", remedy);
    return p->host_ranks * p->threads > p->host_cores;
}

static bool is_bound_too_tightly(const dt_placement *p, char *text, size_t bytes) {
    snprintf(text, bytes,
             "a rank with %d threads is bound to %d core%s, on which its threads take turns; launch with "
             "mpirun --map-by "
             "slot:PE=%d --bind-to core, or srun --cpus-per-task=%d",
             p->threads, p->own_cores, p->own_cores == 1 ? "" : "s", p->threads, p->threads);
    return p->threads > p->own_cores && p->own_cores < p->host_cores;
}

bool dt_placement_warning(const dt_placement *placement, int index, char *text, size_t text_bytes) {
    DT_ASSERT(index >= 0 && placement->host_ranks > 0 && placement->threads > 0);
    bool (*const checks[])(const dt_placement *, char *, size_t) = {is_oversubscribed, is_bound_too_tightly};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i](placement, text, text_bytes) && index-- == 0)
            return true;
    return false;
}
