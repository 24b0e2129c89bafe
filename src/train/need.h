/**
 * What memory a rank's part of a run takes, by the two tables, and whether the host has that much.
 */
#ifndef DT_TRAIN_NEED_H
#define DT_TRAIN_NEED_H

#include <stdint.h>

#include "base/status.h"
#include "allreduce/allreduce.h"
#include "comm/world.h"
#include "config/config.h"
#include "model/layout.h"

/**
 * Bytes that a rank holds: weights, their panels in bf16, moments, `gradients` buffers of gradients, the
 * activations of `threads` threads, `tokens` bytes of tokens, and `workspace_bytes` for what an
 * allreduce has on its way. INT64_MAX where no memory could hold them. What libraries and MPI take comes on
 * top. Local.
 */
int64_t dt_need_sum(const dt_layout *layout, const dt_config *config, int threads, int64_t gradients,
                    int64_t workspace_bytes, int64_t tokens);

/**
 * dt_need_sum of this rank with `threads` threads, `tokens` bytes of tokens of the corpus and its part of a
 * batch, whose allreduce goes as `options` say. Local.
 */
int64_t dt_need_bytes(const dt_layout *layout, const dt_config *config, const dt_world *world,
                      const dt_allreduce_options *options, int threads, int64_t tokens);

/**
 * Refuses a run whose ranks on a host need more than it can give, before they take it and the kernel ends
 * some process. `bytes` is what this rank needs. Collective.
 */
dt_status dt_need_check(const dt_world *world, int64_t bytes);

#endif
