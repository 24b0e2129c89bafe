/**
 * New weights on their way: the allgather of what each rank has updated, beside the next forward pass.
 *
 * Where ranks share the optimizer out (optim/moments.h), each has new weights in its own pieces after an
 * update, and needs all of them. The pass tells before each kernel up to where it will read (model/gpt.h),
 * and buckets leave in that order, from the start of the table to its end: while a layer is computed, those
 * of the layers above arrive. Passes ask from all threads; the main thread alone moves messages, and others
 * wait until it has come as far.
 *
 *     update | start | layer 0 | layer 1 | layer 2 ...
 *                    | 1, 2 arrive | 3 ...
 *
 * In bf16 the threads of the pass also pack what has come (step/repack.h), a matrix before the product that
 * reads it.
 *
 * The state is held (optim/state.h) from the update until all weights are there.
 */
#ifndef DT_STEP_ARRIVAL_H
#define DT_STEP_ARRIVAL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "model/gpt.h"
#include "optim/moments.h"
#include "step/overlap.h"
#include "step/repack.h"
#include "step/spans.h"

typedef struct dt_arrival dt_arrival;

/** Prepares arrivals of `weights`, a vector of the layout, by the allgather of `moments`. Threads that are
 * told of weights pack them by `repack`, unless that is NULL. All must outlive it, as must `spans`, which
 * measures it and may be NULL. The caller, who is the main thread, frees it. Local. */
dt_status dt_arrival_create(dt_arrival **arrival, const dt_moments *moments, float *weights,
                            dt_repack *repack, dt_spans *spans);

/** Frees; NULL is allowed. Nothing may be on its way. Local. */
void dt_arrival_free(dt_arrival *arrival);

/** Sends this rank's pieces of the weights on their way. The main thread. Collective. */
dt_status dt_arrival_start(dt_arrival *arrival);

/** Whether weights have been sent on their way that dt_arrival_finish has not been called for; false for
 * NULL. Local. */
bool dt_arrival_is_under_way(const dt_arrival *arrival);

/** What a forward pass is told, from any thread; owned by the arrival. NULL where nothing is on its way.
 * Local.
 */
const dt_weights_arrival *dt_arrival_await(const dt_arrival *arrival);

/** Waits until all weights are there, packed or not, and adds to `times` what the allgather took, and what of
 * it the passes did not hide. The main thread. Collective. */
dt_status dt_arrival_finish(dt_arrival *arrival, dt_overlap_times *times);

#endif
