/* Everything is read from the kernel and the environment: MPI itself does not tell how it was placed. */
#include "comm/placement.h"

#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* A launcher's count, or 0. "4(x2)" and "4,3", Slurm's ways to speak of several hosts, begin with the first
 * host's. */
static int count_from(const char *variable) {
    const char *text = getenv(variable);
    const long count = text ? strtol(text, NULL, 10) : 0;
    return count > 0 && count < 1000000 ? (int)count : 0;
}

static int cores_of_host(void) {
    const long cores = sysconf(_SC_NPROCESSORS_ONLN);
    return cores > 0 ? (int)cores : 1;
}

void dt_placement_prepare(void) {
    if (count_from("SLURM_STEP_TASKS_PER_NODE") > cores_of_host())
        (void)setenv("OMPI_MCA_mpi_yield_when_idle", "1", 0);
}

dt_placement dt_placement_look(const dt_world *world, int threads) {
    cpu_set_t allowed;
    const int cores = cores_of_host(), slurm = count_from("SLURM_STEP_NUM_TASKS"),
              pmi = count_from("PMI_SIZE");
    return (dt_placement){
        .host_cores = cores,
        .own_cores = sched_getaffinity(0, sizeof allowed, &allowed) == 0 ? CPU_COUNT(&allowed) : cores,
        .host_ranks = world->host_ranks,
        .threads = threads,
        .ranks = world->size,
        .launched_tasks = slurm > pmi ? slurm : pmi};
}

static bool is_singletons(const dt_placement *p, char *text, size_t bytes) {
    snprintf(text, bytes,
             "the launcher started %d tasks, but this one is a job of its own, rank 0 of 1: expected one job "
             "of %d ranks; "
             "launch with mpirun -np %d, or with srun --mpi=pmix",
             p->launched_tasks, p->launched_tasks, p->launched_tasks);
    return p->ranks == 1 && p->launched_tasks > 1;
}

static bool is_oversubscribed(const dt_placement *p, char *text, size_t bytes) {
    const int fitting = p->host_cores / p->host_ranks > 0 ? p->host_cores / p->host_ranks : 1;
    if (p->threads > 1)
        snprintf(text, bytes,
                 "%d ranks of %d threads share %d cores on this host and slow each other down; set "
                 "OMP_NUM_THREADS=%d",
                 p->host_ranks, p->threads, p->host_cores, fitting);
    else
        snprintf(text, bytes,
                 "%d ranks share %d cores on this host and slow each other down; use mpirun -np %d here",
                 p->host_ranks, p->host_cores, p->host_cores);
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
    bool (*const checks[])(const dt_placement *, char *, size_t) = {is_singletons, is_oversubscribed,
                                                                    is_bound_too_tightly};
    for (size_t i = 0; i < sizeof checks / sizeof *checks; i++)
        if (checks[i](placement, text, text_bytes) && index-- == 0)
            return true;
    return false;
}
