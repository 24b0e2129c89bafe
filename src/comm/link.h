/**
 * What a message between ranks costs, measured: the two numbers of Hockney's model.
 *
 *     seconds = latency + bytes / bandwidth
 *
 * (R. W. Hockney, "The communication challenge for MPP: Intel Paragon and Meiko CS-2", Parallel Computing
 * 20(3), 1994.)
 */
#ifndef DT_COMM_LINK_H
#define DT_COMM_LINK_H

#include "base/status.h"
#include "comm/world.h"

typedef struct dt_link {
    double latency_seconds;
    double bandwidth_bytes; /**< per second, in one direction, while the other is busy too */
    double
        cpu_seconds_per_byte; /**< that a core spends for each byte that it sends while it receives another */
} dt_link;

/**
 * Measures the links of `world`, of two ranks or more, around a ring: each rank sends to the next while it
 * receives from the one before, so the slowest link decides, and links share what they share in training. The
 * same on every rank. Takes a few hundredths of a second. Collective.
 */
dt_status dt_link_measure(const dt_world *world, dt_link *link);

#endif
