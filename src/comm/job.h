/**
 * What a job is, as plain data; comm/world.h joins one.
 */
#ifndef DT_COMM_JOB_H
#define DT_COMM_JOB_H

#include "base/host.h"
#include "comm/cpus.h"

typedef struct dt_world {
    int rank, size;
    int hosts;                /**< how many hosts the ranks are on */
    int host_ranks;           /**< how many ranks are on this host */
    char host[DT_HOST_BYTES]; /**< this host's name */
    dt_cpus cpus;             /**< what the ranks on this host may use of it together */
    struct dt_world_mpi *mpi; /**< for the files of comm/ only */
} dt_world;

#endif
