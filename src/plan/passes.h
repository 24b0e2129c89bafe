/**
 * What a rank's forward and backward passes of a step take, from what the probe measured of one micro-batch.
 *
 * A rank with as many threads as the probe had takes what the header of plan.h says. On any other number of
 * threads they form teams as training has them (step/workers.h), and a team takes of one thread's time the
 * part that its busiest thread has (plan/work_span.h), and for each barrier so long per thread that meets
 * there.
 */
#ifndef DT_PLAN_PASSES_H
#define DT_PLAN_PASSES_H

#include <stdint.h>

#include "base/status.h"
#include "config/config.h"
#include "model/layout.h"
#include "plan/probe.h"

/** Assumed of a barrier, per thread: that threads come to one counter after another. */
#define DT_PASSES_BARRIER_SECONDS 1e-7

/** A probe that was not measured: of one thread on a core that computes `flop_per_second` in passes and moves
 * DT_WORK_SPAN_FLOP_PER_BYTE times fewer bytes for additions and updates. Fails as dt_work_span_count does.
 * Local.
 */
dt_status dt_passes_assume(dt_probe *probe, const dt_config *config, const dt_layout *layout,
                           double flop_per_second);

typedef struct dt_passes {
    double seconds;               /**< of all */
    double first_forward_seconds; /**< of the first wave, beside which new weights arrive */
    double last_backward_seconds; /**< of the last wave, beside which gradients leave */
} dt_passes;

/** The passes of a rank of `threads` threads, in teams of at least `team_threads`, over `micro_batches`
 * micro-batches of `config`. Local. */
dt_status dt_passes_of(dt_passes *passes, const dt_probe *probe, const dt_config *config,
                       const dt_shape *shape, int threads, int64_t team_threads, int64_t micro_batches);

#endif
