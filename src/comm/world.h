/**
 * The job: its ranks and hosts, and the few plain collectives that start-up and checkpoints need.
 *
 * This room is dtrain's MPI. Processes that a launcher has started enter; a world of ranks leaves, with
 * what they do together outside of a step's sum: agree on an outcome, name who differs, share memory on a
 * host, measure their links, notice who hangs.
 *
 * MPI's names stay behind this header, in comm/. Every function marked collective must be called by all ranks
 * of the world in the same order; arguments that must agree are named.
 */
#ifndef DT_COMM_WORLD_H
#define DT_COMM_WORLD_H

#include <stddef.h>
#include <stdint.h>

#include "base/host.h"
#include "base/status.h"
#include "comm/job.h"

/**
 * Joins the job (a program started without mpirun is a job of one). Once in a process. After a failure the
 * world counts as never opened, and the program should end with the status: mpirun then ends the other ranks.
 * Collective.
 */
dt_status dt_world_open(dt_world *world);

/** Leaves the job, which has no watchdog any more (comm/watchdog.h); a world that is all zero, since it was
 * never opened, is fine. Collective. */
void dt_world_close(dt_world *world);

/** Ends all ranks at once with `code`, for a rank that cannot go on inside a step. Does not return. Local. */
_Noreturn void dt_world_abort(const dt_world *world, int code);

/** Copies rank 0's `length` bytes to all; `length` must agree and may exceed 2^31. Collective. */
dt_status dt_world_broadcast(const dt_world *world, void *bytes, int64_t length);

/**
 * Gives every rank a copy of rank 0's block: on rank 0 `*bytes` and `*length` are read, elsewhere set to a
 * new block, with a 0 byte after the last, that the caller frees with free(). NULL on rank 0 becomes NULL
 * everywhere. Collective.
 */
dt_status dt_world_broadcast_block(const dt_world *world, char **bytes, size_t *length);

/**
 * Completes `all` on every rank: it holds `size` runs one after another, run r being counts[r] elements of
 * `element_bytes` made by rank r, which are already in their place on rank r. `counts` must agree.
 * Collective.
 */
dt_status dt_world_gather_all(const dt_world *world, void *all, int64_t element_bytes, const int64_t *counts);

/**
 * The same where every rank makes as much as any other: completes `all`, which holds `size` rows of
 * `row_bytes` bytes, row r made by rank r and already in its place there. `row_bytes` must agree; the whole
 * may exceed 2^31 bytes. Allocates nothing. Collective.
 */
dt_status dt_world_gather_same(const dt_world *world, void *all, int64_t row_bytes);

/** Sends `length` bytes to rank `to`, which receives them: what one rank sends another arrives in that order.
 * May wait until it does. `length` may exceed 2^31; of 0 bytes nothing is sent. Allocates nothing. Called by
 * the two ranks. */
dt_status dt_world_send(const dt_world *world, int to, const void *bytes, int64_t length);

/** Waits for `length` bytes that rank `from` sends. Called by the two ranks. */
dt_status dt_world_receive(const dt_world *world, int from, void *bytes, int64_t length);

/** Makes `*names` a new array of the names of all ranks' hosts, names[size], that the caller frees with
 * dt_memory_free(); NULL after a failure. Collective. */
dt_status dt_world_host_names(const dt_world *world, char (**names)[DT_HOST_BYTES]);

/** Makes `*value` the sum of the values that the ranks on this host bring. Collective. */
dt_status dt_world_host_sum(const dt_world *world, int64_t *value);

/** Waits until all ranks have come. Collective. */
dt_status dt_world_barrier(const dt_world *world);

/**
 * Makes a world of the first `ranks` ranks, 1 to world->size, into `*subset`; on the others subset->mpi is
 * NULL and they have nothing to do until dt_world_rejoin. `ranks` must agree. On failure no rank has a
 * subset. Collective.
 */
dt_status dt_world_split(const dt_world *world, int ranks, dt_world *subset);

/**
 * Gives a subset back and waits for all ranks of `world`, asleep but for a look every few milliseconds, so
 * that a rank without work leaves its core to those that have some. Whatever was made with the subset is
 * freed before. It is given back after a failure too. Collective over `world`.
 */
dt_status dt_world_rejoin(const dt_world *world, dt_world *subset);

#endif
