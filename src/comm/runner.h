/**
 * Carries out programs (comm/program.h), several at a time, each in a place of its own.
 *
 * Private to comm/. A message travels as the number says: floats straight from and to the arrays, bfloat16
 * through memory of the place, packed before it leaves and unpacked when it has come.
 */
#ifndef DT_COMM_RUNNER_H
#define DT_COMM_RUNNER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/hosts.h"
#include "comm/mpi_world.h"
#include "comm/number.h"
#include "comm/program.h"

/**
 * Programs under way at once: enough to keep the network busy while each waits for the next look at its
 * messages, which beside a backward pass is milliseconds away, several times a bucket. Each has its scratch.
 */
#define DT_RUNNER_PLACES 8

typedef struct dt_runner_place {
    dt_program program;
    bool busy;
    int64_t next;          /**< the operation to carry out next */
    float **array;         /**< [arrays]: where each array begins; SUM and OWN are for the caller to set */
    uint16_t *travelling;  /**< bfloat16 on their way, in the order of their messages */
    int64_t packed;        /**< how many of them since the last WAIT */
    int64_t group;         /**< the first operation since the last WAIT */
    MPI_Request *requests; /**< MPI_REQUEST_NULL where done or unused */
    int posted;            /**< since the last WAIT */
    bool arrived;          /**< at the MEET that is next */
    int64_t meetings;      /**< that this rank has come to here, ever */
} dt_runner_place;

typedef struct dt_runner {
    MPI_Comm comm;
    dt_number number;
    const dt_hosts *hosts;         /**< may be all zero where no program has a MEET */
    const dt_hosts_memory *memory; /**< the same */
    int place_count;
    dt_runner_place place[DT_RUNNER_PLACES];
    MPI_Request *requests; /**< of all places, one after another, so that one call can wait for any */
    int request_count;
    int *finished; /**< [request_count]: where MPI_Waitsome lists what it found */
    int64_t sent_bytes;
} dt_runner;

/**
 * Makes `place_count` places for programs that need no more than `need` does, with `arrays` arrays; the room
 * is made too. The other fields of `runner` are the caller's to set. dt_runner_drop gives back what it holds,
 * after a failure too. Local.
 */
dt_status dt_runner_make(dt_runner *runner, int place_count, const dt_program *need, int64_t arrays);

/** Frees what it holds; one that is all zero is fine. No program may be under way. Local. */
void dt_runner_drop(dt_runner *runner);

/** Starts the program of a place that is free. Local, unless it has a LIBRARY. */
dt_status dt_runner_start(dt_runner *runner, int place);

/** Takes all programs as far as messages and meetings allow; tells whether one is still under way. Local. */
dt_status dt_runner_poll(dt_runner *runner, bool *busy);

/** Lets time pass until something may have happened, after a poll that left a program under way. */
dt_status dt_runner_wait(dt_runner *runner);

#endif
