/**
 * What the files of comm/ share of MPI: the communicator, and how a failed call becomes a sentence.
 *
 * Private to comm/ and allreduce/.
 */
#ifndef DT_COMM_MPI_WORLD_H
#define DT_COMM_MPI_WORLD_H

#include <mpi.h>

#include "base/status.h"

/** MPI's side of a dt_world. */
struct dt_world_mpi {
    MPI_Comm comm; /**< all ranks, made and freed by world.c; its errors are returned, not fatal. It carries
                      collective calls, and of messages between two ranks link.c's alone: the allreduce and
                      the watchdog have copies of their own */
    int *counts;   /**< [size]: scratch of dt_world_gather_all, so that a step allocates nothing */
    int *starts;   /**< [size]: the same */
};

/**
 * DT_OK when `code`, which the MPI function named `call` returned, is MPI_SUCCESS; otherwise DT_FAILED with a
 * sentence that names the call and MPI's own words for the cause. Local.
 */
dt_status dt_mpi_world_check(int code, const char *call);

#endif
