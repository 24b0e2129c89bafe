/**
 * Messages between two ranks from threads beside the main one, which meanwhile computes and calls MPI itself.
 *
 * A channel has a communicator of its own, so that its messages meet no others. Who waits for one sleeps
 * between looks: MPI's own ways to wait would take a core from the computation.
 */
#ifndef DT_COMM_CHANNEL_H
#define DT_COMM_CHANNEL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"

typedef struct dt_channel dt_channel;

/** Makes a channel between all ranks of `world`, which must outlive it. Fails with DT_USAGE where MPI allows
 * calls from one thread only; on failure all ranks fail. The caller frees it. Collective. */
dt_status dt_channel_create(dt_channel **channel, const dt_world *world);

/** Frees; NULL is allowed. No message may be under way. Collective, unless NULL. */
void dt_channel_free(dt_channel *channel);

/** Sends `length` bytes, up to 1 GiB, to rank `to`, which receives them: what one thread sends another
 * arrives in that order. May wait until it does. Allocates nothing. Called by the two ranks, any thread. */
dt_status dt_channel_send(const dt_channel *channel, int to, const void *bytes, int64_t length);

/** Waits for the `length` bytes that rank `from` sends. Called by the two ranks, one thread on each. */
dt_status dt_channel_receive(const dt_channel *channel, int from, void *bytes, int64_t length);

/** Whether a message of rank `from` can be received, into `*arrived`. Does not wait. Local. */
dt_status dt_channel_look(const dt_channel *channel, int from, bool *arrived);

#endif
