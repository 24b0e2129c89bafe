/**
 * Which ranks share a host.
 *
 * Private to comm/ and allreduce/.
 */
#ifndef DT_COMM_HOSTS_H
#define DT_COMM_HOSTS_H

#include <stdbool.h>

#include "base/status.h"
#include "comm/mpi_world.h"
#include "comm/world.h"

typedef struct dt_hosts {
    MPI_Comm comm;    /**< the ranks of this host, in the world's order; its own, freed with it */
    int ranks, local; /**< how many they are, and which of them this one is */
    int count;        /**< of hosts */
    bool consecutive; /**< whether the ranks of every host follow each other */
    int *starts;      /**< [count + 1], when consecutive: host h has the ranks [starts[h], starts[h + 1]) */
} dt_hosts;

/**
 * Finds out who shares a host. With `host_ranks` > 0 every so many neighbouring ranks of a host count as a
 * host of their own: smaller hosts than there are, for tests and studies. The caller frees it, after
 * a failure too. Collective.
 */
dt_status dt_hosts_find(dt_hosts *hosts, const dt_world *world, int host_ranks);

/** Frees what it holds; one that is all zero is fine. Collective, unless all zero. */
void dt_hosts_free(dt_hosts *hosts);

#endif
