/**
 * What memory a rank's part of a run takes, by the two tables, and whether the host has that much.
 */
#ifndef DT_TRAIN_NEED_H
#define DT_TRAIN_NEED_H

#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "config/config.h"
#include "model/layout.h"

/**
 * Bytes that rank `rank` of `size` holds with `threads` threads and `tokens` tokens of the corpus: weights,
 * moments, gradients, activations and tokens. INT64_MAX where no memory could hold them. What libraries, the
 * exchange and MPI take comes on top. Local.
 */
int64_t dt_need_bytes(const dt_layout *layout, const dt_config *config, int rank, int size, int threads,
                      int64_t tokens);

/**
 * Refuses a run whose ranks on a host need more than it can give, before they take it and the kernel ends
 * some process. `bytes` is what this rank needs. Collective.
 */
dt_status dt_need_check(const dt_world *world, int64_t bytes);

#endif
