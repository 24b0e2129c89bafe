/**
 * One training step, from the batch to the new weights.
 *
 * This room is one training step on all ranks. A state and the tokens of its batch enter; the state one
 * step further leaves, or a reason why not. It calls what model/, allreduce/ and optim/ do, in order, and
 * adds what concerns the step alone: threads, overlap, hooks, the comparison of replicas.
 */
#ifndef DT_STEP_STEP_H
#define DT_STEP_STEP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/status.h"
#include "comm/world.h"
#include "data/batch.h"
#include "model/gpt.h"
#include "model/weights.h"
#include "optim/adamw.h"
#include "optim/lr_schedule.h"
#include "optim/moments.h"
#include "step/consent.h"
#include "step/replica_check.h"
#include "step/hooks.h"
#include "step/micro_batches.h"
#include "step/micro_batch_values.h"
#include "step/overlap.h"
#include "step/spans.h"
#include "step/update.h"
#include "optim/state.h"
#include "step/workers.h"

/** What became of a step; the same on every rank, since they compare what they decide by (step/consent.h).
 */
typedef enum dt_step_outcome {
    DT_STEP_TAKEN,
    DT_STEP_SKIPPED,    /**< loss or gradient was not finite: the step counts, but the state is as before */
    DT_STEP_NOT_FINITE, /**< the same, and the run is to stop; the step does not count */
    DT_STEP_UNEQUAL, /**< the states are the same, but not what the ranks made of them: see dt_step_blame */
    DT_STEP_REPLICAS_DIFFER /**< the ranks' states before the step differ: see dt_replica_check_name */
} dt_step_outcome;

/** What a step measured; all but the times are the same on every rank. */
typedef struct dt_step_result {
    double loss; /**< mean cross-entropy of the batch before the update, in nats */
    double learning_rate, grad_norm;
    double step_seconds;
    dt_overlap_times allreduce; /**< of the gradient; all zero with one rank */
    dt_step_outcome outcome;
    int64_t nonfinite_in_a_row; /**< steps up to this one whose loss or gradient was not finite */
    int stop; /**< 0, or why some rank was asked to stop before this step's losses were gathered */
} dt_step_result;

/** What a step needs that somebody else owns; all must outlive the step. */
typedef struct dt_step_inputs {
    const dt_world *world;
    const dt_gpt *gpt;
    const dt_weights *weights; /**< the parameters of `state` */
    const dt_streams *streams;
    const dt_shard *shard; /**< the streams of this rank's slots, see dt_step_slots */
    dt_workers *workers;
    dt_hooks *hooks;
    dt_state *state;
    const dt_moments *moments; /**< where the ranks share the state's moments out so; NULL elsewhere */
    int64_t B, u;              /**< batch_size, micro_batch_size */
    int64_t bucket_bytes;      /**< of gradient that travel together */
    dt_allreduce_options allreduce;
    dt_lr_schedule lr_schedule;
    dt_adamw adamw;        /**< learning rate and gradient scale are set in each step */
    double grad_clip;      /**< DT_NULL_REAL for none */
    int64_t max_nonfinite; /**< the first step that is not finite is skipped if this is above 1, and so
                              on, up to this one in a row, which is to end the run */
    dt_replica_check *replica_check; /**< NULL for none */
    dt_spans *spans;                 /**< what measures the step, NULL for nothing */
    int (*stop_reason)(void);        /**< 0, or why to stop; asked as late in a step as others can be told */
} dt_step_inputs;

typedef struct dt_step dt_step;

/** The micro-batches of a step: ceil(B / u). Local. */
int64_t dt_step_micro_batches(int64_t B, int64_t u);

/** The slots [*first, *end) whose streams rank `rank` of `size` needs. Local. */
void dt_step_slots(int64_t B, int64_t u, int rank, int size, int64_t *first, int64_t *end);

/** How many vectors of gradient a rank with these micro-batches and teams of threads holds at once.
 * Local. */
dt_status dt_step_gradient_buffers(int64_t micro_batches, int rank, int size, int teams, int64_t *buffers);

/** Allocates all that steps need. The caller frees it. Fails with DT_USAGE with more ranks than
 * micro-batches; on failure all ranks fail. Collective. */
dt_status dt_step_create(dt_step **step, const dt_step_inputs *inputs);

/** The algorithm of the allreduce, which is never DT_ALGORITHM_AUTO. Local. */
dt_algorithm dt_step_algorithm(const dt_step *step);

/** Frees; NULL is allowed. Collective, unless NULL. */
void dt_step_free(dt_step *step);

/**
 * Takes the step after state->step. Of one that counts, since it was taken or skipped, `tell` is called when
 * the state has become that step's and nobody else can hold it yet: the place to write down what the step
 * was, before a checkpoint can have it. It may be NULL. Where the ranks share the moments out, the new
 * weights may still be on their way, and the calling thread holds the state until the next step or
 * dt_step_settle. A failure on one rank leaves others waiting: the caller must end the job. Collective.
 */
dt_status dt_step_run(dt_step *step, dt_step_result *result,
                      void (*tell)(void *context, const dt_step_result *result), void *context);

/** Waits until the weights of the last step are on all ranks, and lets others hold the state: to be called
 * before anything but a step looks at it. Nothing to do where they are. Collective. */
dt_status dt_step_settle(dt_step *step);

/** Sums the gradients once more with nothing beside it, for measurements; `*seconds` as in overlap.h.
 * Collective. */
dt_status dt_step_allreduce_alone(dt_step *step, double *seconds);

/** The tensor in whose weights, or in whose gradient in one of this rank's buffers, `at` lies; NULL where it
 * lies in none. Owned by the layout. Local. */
const dt_tensor *dt_step_tensor_at(const dt_step *step, const float *at);

/** What to blame after a step that was skipped, not finite or unequal, as in step/consent.h; the same on
 * every rank. Owned by the step. Local. */
const char *dt_step_blame(const dt_step *step);

#endif
