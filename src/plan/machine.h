/**
 * What a benchmark ran on, and what predictions need to know of it.
 */
#ifndef DT_PLAN_MACHINE_H
#define DT_PLAN_MACHINE_H

#include <jansson.h>

#include "base/status.h"
#include "plan/plan.h"
#include "comm/placement.h"
#include "comm/world.h"
#include "config/config.h"

typedef struct dt_machine {
    int ranks, threads; /**< of the job, and of each rank */
    int host_cores;     /**< of rank 0's host, that its ranks may use */
    int host_ranks;     /**< on rank 0's host */
    json_t *hosts;      /**< their names, each once */
    char processor[128];
    const char *version, *commit; /**< of the program that measured */
    const char *kernels;
    char stamp[32];         /**< when, in UTC */
    dt_placement placement; /**< of rank 0 on its host; all zero where it was read from a file */
} dt_machine;

/** Looks at the machine, and at what it would compute `config` with; what is said of a host is rank 0's. To
 * be freed also on failure. Collective. */
dt_status dt_machine_look(dt_machine *machine, const dt_world *world, const dt_config *config, int threads);

/** Frees what it holds; one that is all zero is fine. Local. */
void dt_machine_free(dt_machine *machine);

/**
 * Measures all of `*measured` but the probe: the links, unless `link` is given; on several hosts between all
 * ranks, on one between as many as it has cores, at least two. With a single rank and no `link` the link is
 * assumed. Complete on rank 0. Collective.
 */
dt_status dt_machine_measure_links(const dt_world *world, const dt_link *link, dt_plan_machine *measured);

/**
 * Measures what predictions are made from: the links as above, and the probe, on all ranks at once, of whose
 * threads `threads_per_core` take turns on a core, as rank 0 sees its host. Complete on rank 0. Collective.
 */
dt_status dt_machine_measure(const dt_world *world, const dt_config *config, int threads,
                             double threads_per_core, const dt_link *link, dt_plan_machine *measured);

/** How many of a job's threads take turns on one core, with `host_ranks` ranks on a host; 1 or more. Local.
 */
double dt_machine_threads_per_core(const dt_machine *machine, int host_ranks);

#endif
