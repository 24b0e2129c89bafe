/**
 * How ranks and threads stand on a host's cores, and what to tell a person when they stand badly.
 */
#ifndef DT_COMM_PLACEMENT_H
#define DT_COMM_PLACEMENT_H

#include <stdbool.h>
#include <stddef.h>

#include "comm/world.h"

/** What is known of one host, seen from one of its ranks. */
typedef struct dt_placement {
    int host_cores;     /**< cores that are switched on */
    int own_cores;      /**< cores that this rank may run on, after the launcher bound it */
    int host_ranks;     /**< ranks of the job on this host */
    int threads;        /**< of each rank */
    int ranks;          /**< of the job */
    int launched_tasks; /**< tasks that the launcher's variables speak of, or 0 */
} dt_placement;

/**
 * Before MPI starts: where Slurm's variables tell of more tasks on this host than it has cores, asks Open MPI
 * to give the core away while it waits; mpirun does that by itself. A choice made in the environment stands.
 * Local.
 */
void dt_placement_prepare(void);

/** Looks at this host. Local. */
dt_placement dt_placement_look(const dt_world *world, int threads);

/**
 * Writes warning `index` (from 0) of what is wrong with a placement, a sentence with the corrected command
 * line, into `text`. Returns false when there are not so many. Pure; local.
 */
bool dt_placement_warning(const dt_placement *placement, int index, char *text, size_t text_bytes);

#endif
