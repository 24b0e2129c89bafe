/**
 * A rank's micro-batches in the order in which its teams of threads work on them, and the few gradient
 * buffers that this takes.
 *
 * Micro-batches are worked on in waves of one per team. After each wave every addition of the canonical tree
 * whose operands are there is carried out, which frees its right operand's buffer for the next wave; a rank
 * so needs teams + log2(micro-batches / teams) buffers where both are powers of two, a few more
 * elsewhere, and not one per micro-batch. What remains at the end are the nodes of the rank's cover. All of
 * this is decided once; who does what never shows in the sums. All functions are local.
 */
#ifndef DT_STEP_MICRO_BATCHES_H
#define DT_STEP_MICRO_BATCHES_H

#include <stdint.h>

#include "base/status.h"
#include "allreduce/tree.h"

/** Buffer `into` += buffer `from`. */
typedef struct dt_micro_batches_add {
    int64_t into, from;
} dt_micro_batches_add;

typedef struct dt_micro_batches {
    int64_t first, end;         /**< the rank's micro-batches, of all that a step has */
    int64_t wave_micro_batches; /**< micro-batches in a wave, but for the last */
    int64_t waves;
    int64_t buffers; /**< how many are needed */
    int64_t *buffer; /**< [end - first]: where a micro-batch's gradient is written */
    dt_micro_batches_add *add;
    int64_t *wave_adds_end; /**< [waves]: after wave w come the additions from wave_adds_end[w-1] (0 for the
                               first) on */
    int64_t cover_count;
    int64_t cover_buffer[DT_TREE_COVER_MAX]; /**< where the sum of each node of the cover stands at the end */
} dt_micro_batches;

/** Schedules the micro-batches [first, end) of `micro_batches` for `teams` teams of threads. The caller frees
 * the schedule.
 */
dt_status dt_micro_batches_schedule(dt_micro_batches *schedule, int64_t micro_batches, int64_t first,
                                    int64_t end, int teams);

/** Frees the schedule; one that is all zero is fine. */
void dt_micro_batches_free(dt_micro_batches *schedule);

#endif
